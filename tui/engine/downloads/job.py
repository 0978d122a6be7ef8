"""Saves the files of one job: each link's, and its text. When, and how many jobs at once, is the queue's."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol

from tui.domain import artifacts
from tui.domain.artifacts import Artifact
from tui.domain.job_state import JobState
from tui.domain.models import DownloadedFile, Fault, FaultKind, Link, LinkKind, Ref
from tui.engine.accounts.account import LiveAccount
from tui.engine.api import DownloadProgress, DownloadStage
from tui.engine.blocking import RunBlocking
from tui.engine.downloads import http
from tui.engine.downloads.http import FetchError, Way
from tui.engine.downloads.transfer import Fetching, Order
from tui.engine.http.client import Transport, Trust
from tui.engine.polling.job_store import JobStore
from tui.presentation import filenames
from tui.storage import partial_file
from tui.storage.config.secrets import Secret
from tui.storage.journal.downloads import DownloadCheckpoint
from tui.storage.journal.journal import JournalError
from tui.storage.partial_file import PartialFile
from tui.storage.workspace import Workspace

TELL_EVERY = 0.5
"""Seconds between two words about one file."""
LATELY = 5.0
"""Seconds over which the speed is taken."""
_PASSING = frozenset({FaultKind.OFFLINE, FaultKind.TIMEOUT, FaultKind.LIMITED, FaultKind.SERVER})
"""Why there is no fresh link, where time alone may help."""

log = logging.getLogger(__name__)


class Fresh(Protocol):
    """Gives a link that lives, or says why there is none."""

    def __call__(
        self, ref: Ref, kind: LinkKind | None = None, dead_url: str | None = None, *, nth: int = 0
    ) -> Awaitable[Link | Fault]:
        """`nth`: its place among those of its kind. `dead_url`: this one proved to be dead."""
        ...


class Wish(NamedTuple):
    """That a job's files be downloaded."""

    folder: Path
    by_hand: bool
    """Somebody wants it now; else the watchlist says so."""
    told: bool = False
    """Its folder was chosen: what is saved elsewhere does not count."""


class JobFiles:
    """What saves the files of any job of one session."""

    def __init__(
        self,
        library: Workspace,
        ledger: JobStore,
        accounts: Mapping[str, LiveAccount],
        *,
        tell: Callable[[DownloadProgress], None],
        fresh: Fresh,
        now: Callable[[], float],
        aside: RunBlocking,
        tls: Trust,
        transport: Transport | None,
        random: Random,
    ) -> None:
        self._library, self._ledger, self._accounts = library, ledger, accounts
        self._tell, self._fresh, self._now, self._aside = tell, fresh, now, aside
        self._tls, self._transport, self._random = tls, transport, random

    async def save(self, ref: Ref, wish: Wish) -> tuple[DownloadedFile, ...]:
        """All files of the job, those that are there already included. Raises the first FetchError, at the end."""
        known = self._library.journal.states([ref]).get(ref)  # another process may have saved some meanwhile
        there = {saved.name: saved for saved in known.downloads} if known is not None else {}
        saved: list[DownloadedFile] = []
        failed: FetchError | None = None
        for piece in artifacts.artifacts(self._state(ref)):
            found = there.get(piece.name)
            if found is not None and self._holds(found, ref, wish):
                saved.append(found)
                continue
            try:
                saved.append(await self._file(ref, piece, wish))
            except FetchError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return tuple(saved)

    def _state(self, ref: Ref) -> JobState:
        if ref not in self._ledger.states:
            raise FetchError("it is off the watchlist")
        return self._ledger.states[ref]

    def _holds(self, saved: DownloadedFile, ref: Ref, wish: Wish) -> bool:
        """What was saved before is what is wanted; a file that a person took away is only fetched again by hand."""
        if saved.downloaded_at < (self._state(ref).first_polled_at or 0.0):
            return False
        if not wish.by_hand:
            return True
        path = Path(saved.path)
        return (not wish.told or path.parent == wish.folder) and path.is_file() and path.stat().st_size == saved.size

    async def _file(self, ref: Ref, piece: Artifact, wish: Wish) -> DownloadedFile:
        state = self._state(ref)
        if piece.kind is None:
            path, size = await self._text(state, piece, wish)
        else:
            path, size = await self._link(state, piece, piece.kind, wish)
        saved = DownloadedFile(piece.name, str(path), size, self._now())
        self._ledger.record_download(ref, saved)
        self._store(lambda: self._library.journal.downloads.delete(ref, piece.name))
        return saved

    async def _text(self, state: JobState, piece: Artifact, wish: Wish) -> tuple[Path, int]:
        """The text of the job as a file."""
        ref, data = state.job.ref, f"{state.result}\n".encode()
        name = filenames.filename(
            (*_titles(state), state.job.id), (state.report and state.report.language) or "", "txt"
        )
        left = self._begun(ref).get(piece.name)
        path = await self._aside(lambda: _cleared(left, wish.folder, name))
        self._store(
            lambda: self._library.journal.downloads.save(
                ref, piece.name, DownloadCheckpoint(part_path=str(path), filename=name)
            )
        )
        return await self._aside(lambda: _written(path, name, data))

    async def _link(self, state: JobState, piece: Artifact, kind: LinkKind, wish: Wish) -> tuple[Path, int]:
        ref = state.job.ref
        link = await self._fresh(ref, kind, nth=piece.position)
        if isinstance(link, Fault):
            raise FetchError(link.message, passing=link.kind in _PASSING)
        begun = self._begun(ref).get(piece.name)
        if begun is not None and wish.told and Path(begun.part_path).parent != wish.folder:
            _thrown_away(begun)
            begun = None
        order = Order(
            link=link,
            folder=wish.folder,
            titles=_titles(state),
            id=state.job.id,
            language=(state.report and state.report.language) or "",
        )
        async with http.client(self._tls, self._transport) as client:
            return await Fetching(
                order,
                self._way(ref.account),
                client,
                begun=begun,
                keep=lambda begun: self._store(lambda: self._library.journal.downloads.save(ref, piece.name, begun)),
                tell=_Teller(ref, self._tell, asyncio.get_running_loop().time),
                fresh=lambda dead: self._fresh(ref, kind, dead, nth=piece.position),
                now=self._now,
                aside=self._aside,
                random=self._random,
            ).run()

    def _way(self, account: str) -> Way:
        live = self._accounts.get(account)
        if live is None:
            raise FetchError(self._library.why_unconfigured(account))
        table, key = self._library.settings.accounts.get(account), self._library.key(account)
        return Way(
            base_url=live.account.base_url,
            header=live.account.provider.key,
            key=key if isinstance(key, Secret) else None,
            insecure=table is not None and table.insecure_http,
        )

    def discard(self, ref: Ref) -> bool:
        """Takes away what is not whole of the job's files; whether there was any."""
        begun = self._begun(ref)
        for what, each in begun.items():
            _thrown_away(each)
            self._store(lambda what=what: self._library.journal.downloads.delete(ref, what))
        return bool(begun)

    def _begun(self, ref: Ref) -> dict[str, DownloadCheckpoint]:
        try:
            return self._library.journal.downloads.checkpoints(ref)
        except JournalError as error:
            log.warning("%s", error)
            return {}

    def _store(self, write: Callable[[], None]) -> None:
        """A journal that cannot be written costs a download only that it cannot be gone on with."""
        try:
            write()
        except JournalError as error:
            log.warning("%s", error)


class _Teller:
    """Says how far a file is, now and then."""

    def __init__(self, ref: Ref, tell: Callable[[DownloadProgress], None], time: Callable[[], float]) -> None:
        self._ref, self._tell, self._time = ref, tell, time
        self._at, self._have = time(), -1
        self._speed: float | None = None

    def __call__(self, name: str, have: int, total: int | None) -> None:
        now = self._time()
        passed = now - self._at
        if self._have >= 0 and passed < TELL_EVERY and have != total:
            return
        if self._have >= 0 and passed > 0:
            speed = max(0.0, (have - self._have) / passed)
            self._speed = speed if self._speed is None else self._speed + (speed - self._speed) * min(1.0, passed / 5)
        self._at, self._have = now, have
        self._tell(
            DownloadProgress(
                ref=self._ref,
                stage=DownloadStage.DOWNLOADING,
                file_name=name,
                received_bytes=have,
                total_bytes=total,
                bytes_per_second=self._speed or None,
            )
        )


def _titles(state: JobState) -> tuple[str, str]:
    return state.job.label, (state.report and state.report.title) or ""


def _thrown_away(begun: DownloadCheckpoint) -> None:
    try:
        Path(begun.part_path).unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s: %s", begun.part_path, error.strerror)


def _cleared(left: DownloadCheckpoint | None, folder: Path, name: filenames.Filename) -> Path:
    """Where the part of a text is to be; what a killed process left of it is thrown away. Raises OSError."""
    if left is not None:
        _thrown_away(left)
    return partial_file.free_part_path(folder, name)


def _written(path: Path, name: filenames.Filename, data: bytes) -> tuple[Path, int]:
    """A whole file at once, with the bytes that it has. Raises OSError, with nothing left of it."""
    part = PartialFile.create(path, name)
    try:
        part.write(data)
        while True:
            final = part.free_final_path()
            try:
                part.finish(final)
            except FileExistsError:
                continue
            return final, part.size
    except OSError:
        part.discard()
        raise
    finally:
        part.close()
