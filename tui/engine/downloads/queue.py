"""The queue of downloads: which jobs' files are fetched, a few at a time, told, tried again and called off.

What one file takes is `fetching`'s. A job's files are fetched by one process at a time.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from tui.domain import artifacts
from tui.domain.models import DownloadedFile, Link, Phase, Ref
from tui.engine.api import CommandResult, DownloadProgress, DownloadStage, Notice, NoticeKind
from tui.engine.downloads.http import FetchError
from tui.engine.downloads.job import JobFiles, Wish
from tui.engine.polling.job_store import EngineListener, JobStore
from tui.presentation import queries
from tui.storage.locks.download_locks import DownloadLocks
from tui.storage.workspace import Workspace

AT_ONCE = 3
"""Jobs whose files are fetched at the same time."""
AGAIN, AT_MOST = 60.0, 3600.0
"""Seconds until a job that is downloaded by itself is tried again: at first, doubling, and at most."""

log = logging.getLogger(__name__)


class Downloads:
    """One session's downloads. Nothing is fetched before `run` or `finish`."""

    def __init__(
        self,
        library: Workspace,
        ledger: JobStore,
        listener: EngineListener,
        files: JobFiles,
        *,
        leads: Callable[[], bool],
        now: Callable[[], float],
    ) -> None:
        """`leads`: of several consoles, this is the one that does what the watchlist says."""
        self._library, self._ledger, self._listener, self._files = library, ledger, listener, files
        self._leads, self._now = leads, now
        self._claims = DownloadLocks(library.paths.state_dir)
        self._waiting: dict[Ref, Wish] = {}
        self._running: dict[Ref, asyncio.Task[None]] = {}
        self._failed: dict[Ref, tuple[int, tuple[Link, ...]]] = {}
        """Of jobs that are downloaded by themselves: how often in a row that failed, and which links they had then."""
        self._news = asyncio.Event()

    # What is wanted.

    def want(self, refs: Iterable[Ref], folder: str | None = None) -> CommandResult:
        """Queues what a person wants. What cannot be had is named."""
        if self._library.readonly:
            return CommandResult(ok=False, message="--readonly forbids downloads")
        wish = Wish(self._folder(folder), by_hand=True, told=folder is not None)
        queued, refused = 0, "there is nothing to download"
        for ref in refs:
            why = self.refusal(ref)
            if why:
                refused = why
                continue
            queued += 1
            self._failed.pop(ref, None)
            if ref not in self._running:
                self._put(ref, wish)
        if not queued:
            return CommandResult(ok=False, message=refused)
        what = f"downloading {queued} job{'s' if queued > 1 else ''} to {wish.folder}"
        return CommandResult(message=what if refused == "there is nothing to download" else f"{what}; {refused}")

    def refusal(self, ref: Ref) -> str:
        """Why there is nothing to download of the job; "": there is."""
        state = self._ledger.states.get(ref)
        if state is None:
            return f"{ref} is not on the watchlist"
        if state.phase is not Phase.DONE:
            return f"{queries.display_name(state)} is {state.phase.replace('_', ' ')}: there is no result to download"
        return "" if artifacts.artifacts(state) else f"{queries.display_name(state)} has brought no file: r asks again"

    def consider(self, ref: Ref) -> None:
        """Queues a job whose files are to be had by themselves, once. Cheap: it is called for every new state."""
        state = self._ledger.states.get(ref)
        if state is None or not state.job.download or state.phase is not Phase.DONE or state.job.archived:
            return
        if ref in self._waiting or ref in self._running or self._library.readonly or not self._leads():
            return
        failed = self._failed.get(ref)
        if artifacts.undownloaded(state) and (failed is None or failed[1] != state.links):
            self._put(ref, Wish(self._folder(None), by_hand=False))

    def _put(self, ref: Ref, wish: Wish) -> None:
        self._waiting[ref] = wish
        self._listener.download(DownloadProgress(ref=ref, stage=DownloadStage.WAITING))
        self._news.set()

    def _folder(self, told: str | None) -> Path:
        return Path(told or self._library.settings.downloads.dir).expanduser().absolute()

    async def cancel(self, refs: Iterable[Ref]) -> CommandResult:
        """Calls downloads off, and takes away what is not whole."""
        count, refused = 0, "nothing is being downloaded"
        for ref in refs:
            task, state = self._running.get(ref), self._ledger.states.get(ref)
            waited = self._waiting.pop(ref, None) is not None
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
            if not self._claims.acquire(ref):
                refused = f"{ref} is downloaded by another babeltop"
                continue
            left = self._files.discard(ref)
            self._claims.release(ref)
            count += waited or left or task is not None
            if state is not None:
                self._failed[ref] = 0, state.links  # what the watchlist wants is not begun again at once
            self._listener.download(DownloadProgress(ref=ref, stage=DownloadStage.CANCELLED))
        said = f"{count} download{'s' if count > 1 else ''} called off" if count else refused
        return CommandResult(ok=bool(count), message=said)

    # What is done.

    async def run(self) -> None:
        """Downloads what is wanted, until it is cancelled: what is on its way then can be gone on with."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._waiting and len(self._running) < AT_ONCE:
                    ref = next(iter(self._waiting))
                    wish = self._waiting.pop(ref)
                    if not wish.by_hand and not self._leads():  # another console polls by now
                        continue
                    self._running[ref] = asyncio.create_task(self._job(ref, wish))
                    self._running[ref].add_done_callback(lambda _, ref=ref: self._over(ref))
        finally:
            running = list(self._running.values())
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._claims.close()

    async def finish(self) -> None:
        """Downloads what is wanted now, and ends."""
        running = asyncio.create_task(self.run())
        try:
            while self._waiting or self._running:  # noqa: ASYNC110  nothing tells of the last of them
                await asyncio.sleep(0.05)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def _over(self, ref: Ref) -> None:
        self._running.pop(ref, None)
        self._news.set()

    async def _job(self, ref: Ref, wish: Wish) -> None:
        """Fetches the files of one job and says what came of it. Raises nothing."""
        try:
            saved = await self._claimed(ref, wish)
        except FetchError as error:
            self._fail(ref, wish, str(error), passing=error.passing)
        except OSError as error:
            self._fail(ref, wish, f"{error.filename or 'a file'}: {error.strerror}", passing=True)
        except Exception as error:
            log.exception("downloading %s", ref)
            self._fail(ref, wish, f"babeltop's own error ({type(error).__name__}); the log has more", passing=False)
        else:
            self._failed.pop(ref, None)
            self._listener.download(DownloadProgress(ref=ref, stage=DownloadStage.SAVED, files=saved))
            self._notice(NoticeKind.DOWNLOADED, ref, f"saved {_named(saved)}")

    async def _claimed(self, ref: Ref, wish: Wish) -> tuple[DownloadedFile, ...]:
        if not self._claims.acquire(ref):
            raise FetchError("another babeltop downloads it", passing=True)
        try:
            return await self._files.save(ref, wish)
        finally:
            self._claims.release(ref)

    def _fail(self, ref: Ref, wish: Wish, why: str, *, passing: bool) -> None:
        self._listener.download(DownloadProgress(ref=ref, stage=DownloadStage.FAILED, message=why))
        state = self._ledger.states.get(ref)
        before, _ = self._failed.get(ref, (0, ()))
        if state is not None:
            self._failed[ref] = before + 1, state.links
        log.warning("%s: not downloaded: %s", ref, why)
        if before == 0:
            self._notice(NoticeKind.DOWNLOAD_FAILED, ref, f"not downloaded: {why}")
        if passing and not wish.by_hand:
            asyncio.get_running_loop().call_later(min(AT_MOST, AGAIN * 2**before), self._again, ref)

    def _again(self, ref: Ref) -> None:
        if ref in self._failed:
            self._failed[ref] = self._failed[ref][0], ()
            self.consider(ref)

    def _notice(self, kind: NoticeKind, ref: Ref, said: str) -> None:
        state = self._ledger.states.get(ref)
        if state is not None and not state.job.muted:
            self._listener.notice(Notice(kind, f"{queries.display_name(state)}: {said}", ref, self._now()))


def _named(saved: tuple[DownloadedFile, ...]) -> str:
    return saved[0].path if len(saved) == 1 else f"{len(saved)} files in {Path(saved[0].path).parent}"
