"""Queue of downloads: a few jobs of each account at a time, with progress, retries and cancelling.

A job's files are downloaded by one process at a time. The files themselves are left to the downloader.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tui.domain import artifacts
from tui.domain.models import DownloadedFile, Link, Phase, Ref
from tui.domain.parts import links_of
from tui.engine.api import CommandResult, DownloadProgress, DownloadStage, Notice, NoticeKind, Publish
from tui.engine.context import EngineContext
from tui.engine.downloads.body import YieldedError
from tui.engine.downloads.http import FetchError, LinkFailedError, NotReadyError, RequestHeldError
from tui.engine.downloads.job import DownloadOptions, JobDownloader
from tui.engine.polling.job_store import JobStore
from tui.errors import StorageError
from tui.presentation import formatting, queries
from tui.storage import paths
from tui.storage.locks.download_locks import DownloadLocks
from tui.storage.workspace import Workspace

MAX_RUNNING = 3
"""Jobs of one account that are downloaded at the same time."""
FIRST_RETRY, LONGEST_RETRY = 60.0, 3600.0
"""Seconds until an automatic download is retried: at first, doubling, and at most."""
MAX_LINK_FAILURES = 5
"""Failures in a row after which an automatic download waits for another link: the service has no working one."""
FIRST_READY_CHECK, LONGEST_READY_CHECK = 5.0, 60.0
"""The same for a file that is not ready yet: its job has just ended."""


class _Failure(NamedTuple):
    """Failed downloads of a job."""

    links: tuple[Link, ...]
    """Links of the job at that time."""
    failures: int = 0
    """Failures in a row."""
    ready_checks: int = 0
    """Times in a row that the file was not ready."""


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
        is_automatic: Callable[[str], bool],
    ) -> None:
        """Create an empty queue. `is_automatic`: whether this console runs the automatic downloads of an account."""
        self._workspace, self._job_store, self._publish, self._downloader = workspace, job_store, publish, downloader
        self._is_automatic, self._now = is_automatic, context.now
        self._locks = DownloadLocks(workspace.paths.state_dir)
        self._waiting: dict[str, dict[Ref, DownloadOptions]] = {}
        """Queued jobs by account; an account without any has no entry."""
        self._running: dict[Ref, asyncio.Task[None]] = {}
        self._failures: dict[Ref, _Failure] = {}
        self._wakeup = asyncio.Event()

    # Commands.

    def enqueue(self, refs: Iterable[Ref], folder: str | None = None, language: str | None = None) -> CommandResult:
        """Queue jobs on the operator's request. The result names a job that cannot be downloaded.

        `language`: only the files of this part.
        """
        if self._workspace.readonly:
            return CommandResult(ok=False, message="Read-only: downloads are disabled")
        try:
            options = DownloadOptions(
                self._folder(folder), user_requested=True, folder_chosen=folder is not None, language=language
            )
        except StorageError as error:
            return CommandResult(ok=False, message=str(error))
        queued, refused = 0, ""
        for ref in refs:
            reason = self.why_not(ref, language)
            if reason:
                refused = reason
                continue
            queued += 1
            self._failures.pop(ref, None)
            if ref not in self._running:
                self._enqueue(ref, options)
        if not queued:
            return CommandResult(ok=False, message=refused or "Nothing to download")
        message = f"Downloading {formatting.count_of(queued, 'job')} to {options.folder}"
        return CommandResult(message=f"{message}; {refused}" if refused else message)

    def why_not(self, ref: Ref, language: str | None = None) -> str:
        """Return why the job, or its part with this language, has nothing to download; "" if it has."""
        state = self._job_store.states.get(ref)
        if state is None:
            return f"{ref} is not on the watchlist"
        if language is not None:
            return "" if links_of(state.links, language) else f"{queries.display_name(state)}: no file of {language}"
        if state.phase is not Phase.DONE:
            return f"{queries.display_name(state)} is {state.phase.replace('_', ' ')}: no result to download"
        if any(link.is_hidden for link in state.links):
            return f"{queries.display_name(state)}: the role viewer of the team reads no links"
        return "" if artifacts.artifacts(state) else f"{queries.display_name(state)} has no files: r refreshes it"

    def enqueue_automatic(self, ref: Ref) -> None:
        """Queue a job with `download` set once its files are available. Called for every new state, so it is cheap."""
        state = self._job_store.states.get(ref)
        if state is None or not state.job.download or state.phase is not Phase.DONE or state.job.archived:
            return
        if (
            self._is_waiting(ref)
            or ref in self._running
            or self._workspace.readonly
            or not self._is_automatic(ref.account)
        ):
            return
        failure = self._failures.get(ref)
        if (
            any(link.is_hidden for link in state.links)
            or not any(self._downloader.may_fetch(ref, each) for each in artifacts.undownloaded(state))
            or (failure is not None and failure.links == state.links)
        ):
            return
        try:
            self._enqueue(ref, DownloadOptions(self._folder(None), user_requested=False))
        except StorageError as error:
            self._job_store.set_problem("downloads", str(error))

    def _enqueue(self, ref: Ref, options: DownloadOptions) -> None:
        self._waiting.setdefault(ref.account, {})[ref] = options
        self._publish(DownloadProgress(ref=ref, stage=DownloadStage.WAITING))
        self._wakeup.set()

    def _is_waiting(self, ref: Ref) -> bool:
        return ref in self._waiting.get(ref.account, ())

    def _take(self, ref: Ref) -> DownloadOptions | None:
        """Remove a job from the queue, and return its options; None: it is not queued."""
        waiting = self._waiting.get(ref.account, {})
        options = waiting.pop(ref, None)
        if not waiting:
            self._waiting.pop(ref.account, None)
        return options

    def _folder(self, chosen: str | None) -> Path:
        """Return the folder. Raises StorageError if it is below a home folder that does not exist."""
        return paths.expand(chosen or self._workspace.settings.downloads.dir)

    async def cancel(self, refs: Iterable[Ref]) -> CommandResult:
        """Cancel downloads and delete their partial files."""
        count, refused = 0, "No download to cancel"
        for ref in refs:
            task, state = self._running.get(ref), self._job_store.states.get(ref)
            was_waiting = self._take(ref) is not None
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
                self._failures[ref] = _Failure(state.links)  # an automatic download is not restarted at once
            self._publish(DownloadProgress(ref=ref, stage=DownloadStage.CANCELLED))
        message = f"{formatting.count_of(count, 'download')} cancelled" if count else refused
        return CommandResult(ok=bool(count), message=message)

    # Work.

    async def run(self) -> None:
        """Download queued jobs until cancelled. Unfinished downloads can be resumed later."""
        try:
            while True:
                await self._wakeup.wait()
                self._wakeup.clear()
                for account in tuple(self._waiting):
                    self._start_waiting(account)
        finally:
            running = list(self._running.values())
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._locks.close()

    def _start_waiting(self, account: str) -> None:
        """Start queued jobs of an account, as many as may run."""
        running = sum(ref.account == account for ref in self._running)
        for ref in tuple(islice(self._waiting[account], max(0, MAX_RUNNING - running))):
            options = self._take(ref)
            if options is None or not (options.user_requested or self._is_automatic(ref.account)):
                continue  # another console does that by now
            self._running[ref] = task = asyncio.create_task(self._download_job(ref, options))
            task.add_done_callback(lambda task, ref=ref: self._on_job_end(ref, task))

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
        except YieldedError:
            self._enqueue(ref, options)  # behind those that wait
        except FetchError as error:
            if isinstance(error, NotReadyError) and not options.user_requested:
                self._await_file(ref)
            elif isinstance(error, RequestHeldError) and not options.user_requested:
                self._await_request(ref, error)
            else:
                self._fail(ref, options, error)
        except OSError as error:
            self._fail(ref, options, FetchError(f"{error.filename or 'a file'}: {error.strerror}", transient=True))
        except Exception as error:
            log.exception("downloading %s", ref)
            self._fail(ref, options, FetchError(f"internal error ({type(error).__name__}), see babeltop.log"))
        else:
            self._failures.pop(ref, None)
            self._publish(DownloadProgress(ref=ref, stage=DownloadStage.SAVED, files=saved))
            self._notice(NoticeKind.DOWNLOADED, ref, f"saved {_saved_paths(saved)}")

    async def _download_locked(self, ref: Ref, options: DownloadOptions) -> tuple[DownloadedFile, ...]:
        if not self._locks.acquire(ref):
            raise FetchError("being downloaded by another babeltop process", transient=True)
        try:
            return await self._downloader.save(ref, options, lambda: ref.account in self._waiting)
        finally:
            self._locks.release(ref)

    def _fail(self, ref: Ref, options: DownloadOptions, error: FetchError) -> None:
        """Report a failed download. An automatic one is retried, a few times if its link does not work."""
        self._publish(DownloadProgress(ref=ref, stage=DownloadStage.FAILED, message=str(error)))
        state = self._job_store.states.get(ref)
        count = self._failures[ref].failures + 1 if ref in self._failures else 1
        if state is not None:
            self._failures[ref] = _Failure(state.links, count)
        log.warning("%s: download failed: %s", ref, error)
        if count == 1:
            self._notice(NoticeKind.DOWNLOAD_FAILED, ref, f"download failed: {error}")
        retries = error.transient or (isinstance(error, LinkFailedError) and count <= MAX_LINK_FAILURES)
        if retries and not options.user_requested:
            self._retry_after(ref, min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** (count - 1)))

    def _await_file(self, ref: Ref) -> None:
        """Try an automatic download again soon: its file is not ready yet, which is no failure."""
        self._publish(DownloadProgress(ref=ref, stage=DownloadStage.WAITING))
        failure, state = self._failures.get(ref, _Failure(())), self._job_store.states.get(ref)
        if state is not None:
            self._failures[ref] = failure._replace(links=state.links, ready_checks=failure.ready_checks + 1)
        self._retry_after(ref, min(LONGEST_READY_CHECK, FIRST_READY_CHECK * 2.0**failure.ready_checks))

    def _await_request(self, ref: Ref, error: RequestHeldError) -> None:
        """Try an automatic download again when the limits of its account allow a new link, which is no failure."""
        self._publish(DownloadProgress(ref=ref, stage=DownloadStage.WAITING, message=str(error)))
        state = self._job_store.states.get(ref)
        if state is not None:
            self._failures[ref] = self._failures.get(ref, _Failure(()))._replace(links=state.links)
        self._retry_after(ref, max(FIRST_RETRY, (error.retry_at or 0.0) - self._now()))

    def _retry_after(self, ref: Ref, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._retry, ref)

    def _retry(self, ref: Ref) -> None:
        if ref in self._failures:
            self._failures[ref] = self._failures[ref]._replace(links=())
            self.enqueue_automatic(ref)

    def _notice(self, kind: NoticeKind, ref: Ref, text: str) -> None:
        state = self._job_store.states.get(ref)
        if state is not None and not state.job.is_silent:
            self._publish(Notice(kind, f"{queries.display_name(state)}: {text}", ref, self._now()))


def _saved_paths(saved: tuple[DownloadedFile, ...]) -> str:
    return saved[0].path if len(saved) == 1 else f"{len(saved)} files in {Path(saved[0].path).parent}"
