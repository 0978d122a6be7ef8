"""Watcher of the watchlist file: reads it when it changed. While it can't be read, the last good list stays."""

import asyncio
import gc
from collections.abc import Callable, Collection, Mapping, Sequence

from tui.domain.job_state import JobState
from tui.domain.models import Job, Ref
from tui.engine.blocking import LoopTurn
from tui.engine.context import EngineContext
from tui.engine.polling.job_store import JobStore
from tui.storage.journal.database import JournalError
from tui.storage.watchlist.cache import FileStamp, RestoredBoard, WatchlistCache
from tui.storage.watchlist.content import WatchlistContent, WatchlistError
from tui.storage.watchlist.parser_process import LARGE_FILE, ParsedWatchlist, read_in_process
from tui.storage.workspace import Workspace

SETTLE_TIME = 0.2
"""Seconds without a write after which a file counts as completely saved."""
NEVER_READ = "never read"
"""In place of a file stamp: the watchlist is read at the next check, whatever its stamp."""


class WatchlistWatcher:
    """Watcher of one engine's watchlist."""

    def __init__(
        self,
        context: EngineContext,
        workspace: Workspace,
        job_store: JobStore,
        subset: Collection[Ref] | None,
        board_of: Callable[[Sequence[Job]], Sequence[Job]] | None = None,
    ) -> None:
        """`subset`: the jobs that the engine handles; None for all.

        `board_of` returns the jobs of the board, given those of the watchlist, if a team adds some.
        """
        self._board_of = board_of
        self._now = context.now
        self._run_blocking = context.run_blocking
        self._reading: asyncio.Task[None] | None = None
        """Task that reads a large file."""
        self._workspace = workspace
        self._job_store = job_store
        self._subset = subset
        self._stamp: object = NEVER_READ
        self._has_waited = False
        self._unsaved_cache: Mapping[str, object] | None = None
        """Cache, as UI state, to be saved once the journal holds the jobs; None if it is saved."""

    async def open(self, *, tolerate_errors: bool) -> None:
        """Read the watchlist for the first time. Raises JournalError and, unless `tolerate_errors`, WatchlistError."""
        restored, self._workspace.restored_board = self._workspace.restored_board, None
        try:
            self._stamp = stamp = self._workspace.watchlist.stamp()
            await self._read_file(stamp, restored)
        except WatchlistError as error:
            if not tolerate_errors:
                raise
            self._job_store.set_problem("watchlist", str(error))

    async def check(self) -> None:
        """Apply edits of other programs, and save the cache of what was read. A large file is read by a later check."""
        if self._reading is None or self._reading.done():
            await self._read_if_changed()
        self._save_cache()

    def close(self) -> None:
        """Stop waiting for a large file."""
        if self._reading is not None:
            self._reading.cancel()

    async def apply_edit(self, content: WatchlistContent) -> None:
        """Apply what this engine wrote. Another program may have written since: the next check reads the file.

        Raises JournalError.
        """
        self._stamp = NEVER_READ
        await self._apply(content, {})

    async def _apply(self, content: WatchlistContent, known: Mapping[Ref, JobState]) -> None:
        """Make the store hold these jobs. `known`: states already read. Raises JournalError."""
        subset = self._subset
        listed = content.jobs if self._board_of is None else self._board_of(content.jobs)
        jobs = (job for job in listed if subset is None or job.ref in subset)
        await self._job_store.sync_watchlist(jobs, known)
        self._job_store.set_problem("watchlist", "; ".join(content.problems))

    async def _read_if_changed(self) -> None:
        try:
            stamp = self._workspace.watchlist.stamp()
        except WatchlistError as error:
            self._stamp = NEVER_READ
            self._job_store.set_problem("watchlist", str(error))
            return
        if stamp == self._stamp or self._may_be_half_written(stamp):
            return
        if stamp is None:
            self._stamp = NEVER_READ
            file = self._workspace.paths.watchlist_file
            problem = f"{file} not found: showing the last list. Restore the file to edit it"
            self._job_store.set_problem("watchlist", problem)
            return
        self._stamp = stamp
        if stamp[1] > LARGE_FILE:
            self._reading = asyncio.create_task(self._read_large_file(stamp))
            return
        try:
            await self._apply_content(stamp, self._workspace.watchlist.read())
        except (WatchlistError, JournalError) as error:
            self._show_error(error)

    async def _read_large_file(self, stamp: FileStamp) -> None:
        """Read the file in a process, and apply it unless this engine has edited it meanwhile."""
        path = self._workspace.watchlist.path
        try:
            parsed = await self._run_blocking(lambda: read_in_process(path))
            gc.disable()  # a collection that walks 100,000 jobs stops all threads for up to 0.15 s
            content = WatchlistContent(await self._decoded_jobs(parsed), parsed.problems)
            if stamp == self._stamp:
                self._unsaved_cache = parsed.cache
                await self._apply(content, {})
                gc.freeze()  # nor does a later one walk them
        except (WatchlistError, JournalError) as error:
            if stamp == self._stamp:
                self._show_error(error)
        finally:
            gc.enable()

    async def _decoded_jobs(self, parsed: ParsedWatchlist) -> tuple[Job, ...]:
        """Return the jobs, in turns of the loop; one that is as before is the store's own, not a copy of it."""
        jobs, turn = list[Job](), LoopTurn()
        for part in parsed.jobs():
            states = self._job_store.states
            for job in part:
                state = states.get(job.ref)
                jobs.append(state.job if state is not None and state.job == job else job)
            if turn.is_over:
                await turn.next()
        return tuple(jobs)

    def _show_error(self, error: WatchlistError | JournalError) -> None:
        if isinstance(error, JournalError) or isinstance(error.__cause__, OSError):
            self._stamp = NEVER_READ  # permissions may change without a new stamp
        if isinstance(error, JournalError):
            self._job_store.set_problem("news", error)
        else:
            self._job_store.set_problem("watchlist", str(error))

    def _may_be_half_written(self, stamp: FileStamp | None) -> bool:
        """Return whether the file is so new that an editor may still write it. It is read at the next check."""
        is_fresh = stamp is not None and 0 <= self._now() - stamp[2] / 1e9 < SETTLE_TIME
        self._has_waited = is_fresh and not self._has_waited
        return self._has_waited

    async def _read_file(self, stamp: FileStamp | None, restored: RestoredBoard | None = None) -> None:
        """Apply the file of this stamp, from the restored board if that has it.

        Raises WatchlistError and JournalError.
        """
        content = restored and restored.content(stamp)
        if content is not None and restored is not None:
            await self._apply(content, restored.states)
        else:
            await self._apply_content(
                stamp, self._workspace.watchlist.read(), restored.states if restored is not None else {}
            )

    async def _apply_content(
        self, stamp: FileStamp | None, content: WatchlistContent, known: Mapping[Ref, JobState] | None = None
    ) -> None:
        """Apply what was read, and keep it for the cache. Raises JournalError."""
        cache = WatchlistCache.from_content(self._workspace.paths.watchlist_file, stamp, content)
        self._unsaved_cache = cache.to_ui_state()
        await self._apply(content, known or {})

    def _save_cache(self) -> None:
        """Save what was read, for the next start. The journal must hold all of its jobs first."""
        if self._unsaved_cache is None or self._subset is not None or self._job_store.journal_writer.has_unwritten:
            return
        try:
            self._workspace.journal.save_ui_state(self._unsaved_cache)
        except JournalError:
            return  # shown by the journal writer; the next tick tries again
        self._unsaved_cache = None
