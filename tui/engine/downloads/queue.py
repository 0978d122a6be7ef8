"""The queue of downloads: which jobs' files are fetched, a few at a time, told, tried again and called off.

What one file takes is `fetching`'s. A job's files are fetched by one process at a time.
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
"""Jobs whose files are fetched at the same time."""
FIRST_RETRY, LONGEST_RETRY = 60.0, 3600.0
"""Seconds until a job that is downloaded by itself is tried again: at first, doubling, and at most."""

log = logging.getLogger(__name__)


class DownloadQueue:
    """One session's downloads. Nothing is fetched before `run` or `finish`."""

    def __init__(
        self,
        context: EngineContext,
        workspace: Workspace,
        job_store: JobStore,
        publish: Publish,
        downloader: JobDownloader,
        is_leader: Callable[[], bool],
    ) -> None:
        """`leads`: of several consoles, this is the one that does what the watchlist says."""
        self._workspace, self._job_store, self._publish, self._downloader = workspace, job_store, publish, downloader
        self._is_leader, self._now = is_leader, context.now
        self._locks = DownloadLocks(workspace.paths.state_dir)
        self._waiting: dict[Ref, DownloadOptions] = {}
        self._running: dict[Ref, asyncio.Task[None]] = {}
        self._failures: dict[Ref, tuple[int, tuple[Link, ...]]] = {}
        """Of jobs that are downloaded by themselves: how often in a row that failed, and which links they had then."""
        self._wakeup = asyncio.Event()

    # What is wanted.

    def enqueue(self, refs: Iterable[Ref], folder: str | None = None) -> CommandResult:
        """Queues what a person wants. What cannot be had is named."""
        if self._workspace.readonly:
            return CommandResult(ok=False, message="--readonly forbids downloads")
        options = DownloadOptions(self._folder(folder), user_requested=True, folder_chosen=folder is not None)
        queued, refused = 0, "there is nothing to download"
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
            return CommandResult(ok=False, message=refused)
        message = f"downloading {queued} job{'s' if queued > 1 else ''} to {options.folder}"
        return CommandResult(message=message if refused == "there is nothing to download" else f"{message}; {refused}")

    def why_not(self, ref: Ref) -> str:
        """Why there is nothing to download of the job; "": there is."""
        state = self._job_store.states.get(ref)
        if state is None:
            return f"{ref} is not on the watchlist"
        if state.phase is not Phase.DONE:
            return f"{queries.display_name(state)} is {state.phase.replace('_', ' ')}: there is no result to download"
        return "" if artifacts.artifacts(state) else f"{queries.display_name(state)} has brought no file: r asks again"

    def enqueue_automatic(self, ref: Ref) -> None:
        """Queues a job whose files are to be had by themselves, once. Cheap: it is called for every new state."""
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
        """Calls downloads off, and takes away what is not whole."""
        count, refused = 0, "nothing is being downloaded"
        for ref in refs:
            task, state = self._running.get(ref), self._job_store.states.get(ref)
            was_waiting = self._waiting.pop(ref, None) is not None
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
            if not self._locks.acquire(ref):
                refused = f"{ref} is downloaded by another babeltop"
                continue
            had_partial = self._downloader.discard(ref)
            self._locks.release(ref)
            count += was_waiting or had_partial or task is not None
            if state is not None:
                self._failures[ref] = 0, state.links  # what the watchlist wants is not begun again at once
            self._publish(DownloadProgress(ref=ref, stage=DownloadStage.CANCELLED))
        message = f"{count} download{'s' if count > 1 else ''} called off" if count else refused
        return CommandResult(ok=bool(count), message=message)

    # What is done.

    async def run(self) -> None:
        """Downloads what is wanted, until it is cancelled: what is on its way then can be gone on with."""
        try:
            while True:
                await self._wakeup.wait()
                self._wakeup.clear()
                while self._waiting and len(self._running) < MAX_RUNNING:
                    ref = next(iter(self._waiting))
                    options = self._waiting.pop(ref)
                    if not options.user_requested and not self._is_leader():  # another console polls by now
                        continue
                    self._running[ref] = asyncio.create_task(self._download_job(ref, options))
                    self._running[ref].add_done_callback(lambda _, ref=ref: self._on_job_end(ref))
        finally:
            running = list(self._running.values())
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._locks.close()

    async def finish(self) -> None:
        """Downloads what is wanted now, and ends."""
        running = asyncio.create_task(self.run())
        try:
            while self._waiting or self._running:  # noqa: ASYNC110  nothing tells of the last of them
                await asyncio.sleep(0.05)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def _on_job_end(self, ref: Ref) -> None:
        self._running.pop(ref, None)
        self._wakeup.set()

    async def _download_job(self, ref: Ref, options: DownloadOptions) -> None:
        """Fetches the files of one job and says what came of it. Raises nothing."""
        try:
            saved = await self._download_locked(ref, options)
        except FetchError as error:
            self._fail(ref, options, str(error), transient=error.transient)
        except OSError as error:
            self._fail(ref, options, f"{error.filename or 'a file'}: {error.strerror}", transient=True)
        except Exception as error:
            log.exception("downloading %s", ref)
            self._fail(
                ref, options, f"babeltop's own error ({type(error).__name__}); the log has more", transient=False
            )
        else:
            self._failures.pop(ref, None)
            self._publish(DownloadProgress(ref=ref, stage=DownloadStage.SAVED, files=saved))
            self._notice(NoticeKind.DOWNLOADED, ref, f"saved {_saved_paths(saved)}")

    async def _download_locked(self, ref: Ref, options: DownloadOptions) -> tuple[DownloadedFile, ...]:
        if not self._locks.acquire(ref):
            raise FetchError("another babeltop downloads it", transient=True)
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
        log.warning("%s: not downloaded: %s", ref, reason)
        if earlier_failures == 0:
            self._notice(NoticeKind.DOWNLOAD_FAILED, ref, f"not downloaded: {reason}")
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
