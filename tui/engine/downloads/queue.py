"""Queue of downloads: a few jobs at a time, with progress, retries and cancelling.

A job's files are downloaded by one process at a time. The files themselves are left to the downloader.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from tui.domain import artifacts
from tui.domain.models import DownloadedFile, Link, Phase, Ref
from tui.engine.api import CommandResult, DownloadProgress, DownloadStage, Notice, NoticeKind, Publish
from tui.engine.context import EngineContext
from tui.engine.downloads.http import FetchError
from tui.engine.downloads.job import DownloadOptions, JobDownloader
from tui.engine.polling.job_store import JobStore
from tui.presentation import queries
from tui.storage.locks.download_locks import DownloadLocks
from tui.storage.workspace import Workspace

MAX_RUNNING = 3
"""Jobs that are downloaded at the same time."""
FIRST_RETRY, LONGEST_RETRY = 60.0, 3600.0
"""Seconds until an automatic download is retried: at first, doubling, and at most."""

log = logging.getLogger(__name__)


class DownloadQueue:
    """Download queue of one engine. Downloads start with `run` or `finish`."""

    def __init__(
        self,
        context: EngineContext,
        workspace: Workspace,
        job_store: JobStore,
        publish: Publish,
        downloader: JobDownloader,
        is_leader: Callable[[], bool],
    ) -> None:
        """Create an empty queue. `is_leader`: whether this console runs the automatic downloads."""
        self._workspace, self._job_store, self._publish, self._downloader = workspace, job_store, publish, downloader
        self._is_leader, self._now = is_leader, context.now
        self._locks = DownloadLocks(workspace.paths.state_dir)
        self._waiting: dict[Ref, DownloadOptions] = {}
        self._running: dict[Ref, asyncio.Task[None]] = {}
        self._failures: dict[Ref, tuple[int, tuple[Link, ...]]] = {}
        """Failed downloads: how often in a row, and the links at that time."""
        self._wakeup = asyncio.Event()

    # Commands.

    def enqueue(self, refs: Iterable[Ref], folder: str | None = None) -> CommandResult:
        """Queue jobs on the operator's request. The result names a job that cannot be downloaded."""
        if self._workspace.readonly:
            return CommandResult(ok=False, message="Read-only: downloads are disabled")
        options = DownloadOptions(self._folder(folder), user_requested=True, folder_chosen=folder is not None)
        queued, refused = 0, ""
        for ref in refs:
            reason = self.why_not(ref)
            if reason:
                refused = reason
                continue
            queued += 1
            self._failures.pop(ref, None)
            if ref not in self._running:
                self._enqueue(ref, options)
        if not queued:
            return CommandResult(ok=False, message=refused or "Nothing to download")
        message = f"Downloading {queued} job{'s' if queued > 1 else ''} to {options.folder}"
        return CommandResult(message=f"{message}; {refused}" if refused else message)

    def why_not(self, ref: Ref) -> str:
        """Return why the job has nothing to download; "" if it has."""
        state = self._job_store.states.get(ref)
        if state is None:
            return f"{ref} is not on the watchlist"
        if state.phase is not Phase.DONE:
            return f"{queries.display_name(state)} is {state.phase.replace('_', ' ')}: no result to download"
        return "" if artifacts.artifacts(state) else f"{queries.display_name(state)} has no files: r refreshes it"

    def enqueue_automatic(self, ref: Ref) -> None:
        """Queue a job with `download` set once its files are available. Called for every new state, so it is cheap."""
        state = self._job_store.states.get(ref)
        if state is None or not state.job.download or state.phase is not Phase.DONE or state.job.archived:
            return
        if ref in self._waiting or ref in self._running or self._workspace.readonly or not self._is_leader():
            return
        failure = self._failures.get(ref)
        if artifacts.undownloaded(state) and (failure is None or failure[1] != state.links):
            self._enqueue(ref, DownloadOptions(self._folder(None), user_requested=False))

    def _enqueue(self, ref: Ref, options: DownloadOptions) -> None:
        self._waiting[ref] = options
        self._publish(DownloadProgress(ref=ref, stage=DownloadStage.WAITING))
        self._wakeup.set()

    def _folder(self, chosen: str | None) -> Path:
        return Path(chosen or self._workspace.settings.downloads.dir).expanduser().absolute()

    async def cancel(self, refs: Iterable[Ref]) -> CommandResult:
        """Cancel downloads and delete their partial files."""
        count, refused = 0, "No download to cancel"
        for ref in refs:
            task, state = self._running.get(ref), self._job_store.states.get(ref)
            was_waiting = self._waiting.pop(ref, None) is not None
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
            if not self._locks.acquire(ref):
                refused = f"{ref} is being downloaded by another babeltop process"
                continue
            had_partial = self._downloader.discard(ref)
            self._locks.release(ref)
            count += was_waiting or had_partial or task is not None
            if state is not None:
                self._failures[ref] = 0, state.links  # an automatic download is not restarted at once
            self._publish(DownloadProgress(ref=ref, stage=DownloadStage.CANCELLED))
        message = f"{count} download{'s' if count > 1 else ''} cancelled" if count else refused
        return CommandResult(ok=bool(count), message=message)

    # Work.

    async def run(self) -> None:
        """Download queued jobs until cancelled. Unfinished downloads can be resumed later."""
        try:
            while True:
                await self._wakeup.wait()
                self._wakeup.clear()
                while self._waiting and len(self._running) < MAX_RUNNING:
                    ref = next(iter(self._waiting))
                    options = self._waiting.pop(ref)
                    if not options.user_requested and not self._is_leader():  # another console is the leader by now
                        continue
                    self._running[ref] = task = asyncio.create_task(self._download_job(ref, options))
                    task.add_done_callback(lambda task, ref=ref: self._on_job_end(ref, task))
        finally:
            running = list(self._running.values())
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._locks.close()

    async def finish(self) -> None:
        """Download the jobs that are queued now, and return."""
        running = asyncio.create_task(self.run())
        try:
            while self._waiting or self._running:  # noqa: ASYNC110  no event for the last of them
                await asyncio.sleep(0.05)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def _on_job_end(self, ref: Ref, task: asyncio.Task[None]) -> None:
        if self._running.get(ref) is task:  # not one that began since
            del self._running[ref]
        self._wakeup.set()

    async def _download_job(self, ref: Ref, options: DownloadOptions) -> None:
        """Download the files of one job and publish the result. Raises nothing."""
        try:
            try:
                saved = await self._download_locked(ref, options)
            finally:
                self._running.pop(ref, None)  # before the result is published: its reader may queue the job again
        except FetchError as error:
            self._fail(ref, options, str(error), transient=error.transient)
        except OSError as error:
            self._fail(ref, options, f"{error.filename or 'a file'}: {error.strerror}", transient=True)
        except Exception as error:
            log.exception("downloading %s", ref)
            self._fail(ref, options, f"internal error ({type(error).__name__}), see babeltop.log", transient=False)
        else:
            self._failures.pop(ref, None)
            self._publish(DownloadProgress(ref=ref, stage=DownloadStage.SAVED, files=saved))
            self._notice(NoticeKind.DOWNLOADED, ref, f"saved {_saved_paths(saved)}")

    async def _download_locked(self, ref: Ref, options: DownloadOptions) -> tuple[DownloadedFile, ...]:
        if not self._locks.acquire(ref):
            raise FetchError("being downloaded by another babeltop process", transient=True)
        try:
            return await self._downloader.save(ref, options)
        finally:
            self._locks.release(ref)

    def _fail(self, ref: Ref, options: DownloadOptions, reason: str, *, transient: bool) -> None:
        self._publish(DownloadProgress(ref=ref, stage=DownloadStage.FAILED, message=reason))
        state = self._job_store.states.get(ref)
        earlier_failures, _ = self._failures.get(ref, (0, ()))
        if state is not None:
            self._failures[ref] = earlier_failures + 1, state.links
        log.warning("%s: download failed: %s", ref, reason)
        if earlier_failures == 0:
            self._notice(NoticeKind.DOWNLOAD_FAILED, ref, f"download failed: {reason}")
        if transient and not options.user_requested:
            asyncio.get_running_loop().call_later(
                min(LONGEST_RETRY, FIRST_RETRY * 2**earlier_failures), self._retry, ref
            )

    def _retry(self, ref: Ref) -> None:
        if ref in self._failures:
            self._failures[ref] = self._failures[ref][0], ()
            self.enqueue_automatic(ref)

    def _notice(self, kind: NoticeKind, ref: Ref, text: str) -> None:
        state = self._job_store.states.get(ref)
        if state is not None and not state.job.muted:
            self._publish(Notice(kind, f"{queries.display_name(state)}: {text}", ref, self._now()))


def _saved_paths(saved: tuple[DownloadedFile, ...]) -> str:
    return saved[0].path if len(saved) == 1 else f"{len(saved)} files in {Path(saved[0].path).parent}"
