"""Fetches one file: in constant memory, resumed where it was cut off, checked, and named when it is whole."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import TypeVar

import httpx
from msgspec import Struct
from msgspec.structs import replace

from tui.domain import content_headers
from tui.domain.content_headers import ContentInfo
from tui.domain.models import Fault, FaultKind, Link, LinkKind
from tui.engine.blocking import RunBlocking
from tui.engine.downloads import http
from tui.engine.downloads.http import CutError, FetchError, Request, Way, host
from tui.engine.http.decompression import KNOWN, Inflater
from tui.presentation import filenames, formatting
from tui.providers.response import Reply, retry_after
from tui.storage import partial_file
from tui.storage.journal.downloads import DownloadCheckpoint
from tui.storage.partial_file import PartialFile

T = TypeVar("T")

TRIES = 6
"""Tries in a row that brought no byte, after which it is given up."""
PAUSE, LONGEST = 1.0, 30.0
"""Seconds before the second try, doubling, and at most."""
PATIENCE = 120.0
"""Seconds that a service may ask us to wait, at most, for a try to be made again here."""
RESTARTS = 5
"""Times that a file may be another one while it is fetched."""
BUFFER = 1024 * 1024
"""Bytes that are written at once."""
RESERVE = 64 * BUFFER
"""Bytes of the disk that are left alone by a file that does not say how long it is."""

_DEAD = frozenset({401, 403, 404, 410})
"""What a link that lives no more is answered with."""
_BUSY = frozenset({408, 425, 429})


class _DeadError(Exception):
    """The link leads nowhere any more."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")


class _AnewError(Exception):
    """What was fetched so far is of another file than what comes now."""


class Order(Struct, frozen=True, kw_only=True):
    """One file that is wanted."""

    link: Link
    folder: Path
    titles: tuple[str, ...]
    """What it may be called, the best first."""
    id: str
    """What it is called where there is no title, not even in the reply."""
    language: str = ""


class Fetching:
    """One file on its way. `run` once; what it had is on disk and in `begun` if it is cancelled or fails."""

    def __init__(
        self,
        order: Order,
        way: Way,
        http: httpx.AsyncClient,
        *,
        begun: DownloadCheckpoint | None,
        keep: Callable[[DownloadCheckpoint], None],
        tell: Callable[[str, int, int | None], None],
        fresh: Callable[[str], Awaitable[Link | Fault]],
        now: Callable[[], float],
        aside: RunBlocking,
        random: Random,
        pause: float = PAUSE,
    ) -> None:
        """`begun`: what an earlier run left; `keep` is told what a later one needs. `fresh` renews a dead URL's link.

        `tell` hears the file's name, the bytes that are there, and of how many. `pause`: seconds before a second try.
        """
        self._order, self._way, self._http = order, way, http
        self._begun, self._keep, self._tell = begun, keep, tell
        self._fresh, self._now, self._beside, self._random, self._pause = fresh, now, aside, random, pause
        self._url = order.link.url
        self._part: PartialFile | None = None
        self._restarts = 0

    async def run(self) -> tuple[Path, int]:
        """The whole file and its bytes. Raises FetchError."""
        try:
            return await self._resumed() or await self._fetched()
        except OSError as error:
            raise FetchError(self._disk(error), passing=True) from None
        finally:
            if self._part is not None:
                self._part.close()

    async def _resumed(self) -> tuple[Path, int] | None:
        """What an earlier run left is opened, and finished where all of it is there."""
        begun = self._begun
        if begun is None:
            return None
        path, final = Path(begun.part_path), Path(begun.final_path)
        if (
            begun.final_path
            and begun.total_bytes is not None
            and partial_file.recover_rename(path, final, begun.total_bytes)
        ):
            return final, begun.total_bytes
        try:
            self._part = PartialFile.reopen(path, begun.filename)
        except FileNotFoundError:
            self._begun = None
            return None
        if begun.total_bytes is not None and self._part.size == begun.total_bytes:
            return await self._finished(self._part, begun)
        if begun.total_bytes is not None and self._part.size > begun.total_bytes:
            self._part.restart()
        return None

    async def _fetched(self) -> tuple[Path, int]:
        tries, renewed = 0, -1
        while True:
            before = self._part.size if self._part else 0
            try:
                part, begun = await self._once()
                return await self._finished(part, begun)
            except _AnewError:
                self._restart()
            except _DeadError as dead:
                if renewed == before:
                    raise FetchError(f"the link leads nowhere ({dead}), and so does a fresh one") from None
                await self._renew(dead)
                renewed = before
            except CutError as cut:
                tries = 1 if self._part and self._part.size > before else tries + 1
                await self._wait(cut, tries)

    def _restart(self) -> None:
        self._restarts += 1
        if self._restarts > RESTARTS:
            raise FetchError("the file changes again and again while it is fetched", passing=True)
        if self._part:
            self._part.restart()

    async def _renew(self, dead: _DeadError) -> None:
        link = await self._fresh(self._url)
        if isinstance(link, Fault):
            raise FetchError(f"the link leads nowhere ({dead}), and there is no fresh one: {link.message}")
        if link.url == self._url:
            raise FetchError(f"the link leads nowhere ({dead}), and the service gives no other")
        self._url = link.url

    async def _wait(self, cut: CutError, tries: int) -> None:
        if tries >= TRIES or (cut.wait or 0.0) > PATIENCE or cut.fault.kind is FaultKind.TLS:
            raise FetchError(cut.fault.message, passing=True) from None
        most = min(LONGEST, self._pause * 2 ** (tries - 1))
        await asyncio.sleep(max(cut.wait or 0.0, self._random.uniform(most / 2, most)))

    # One connection.

    async def _once(self) -> tuple[PartialFile, DownloadCheckpoint]:
        """Fetches what is missing, as far as the connection lasts."""
        start, validator = self._part.size if self._part else 0, self._begun.validator if self._begun else ""
        if self._part and not validator:  # nothing would tell that the rest is of the same file
            self._part.restart()
            start = 0
        asked = Request(self._url, self._order.link.needs_key, start, validator)
        response = await http.opened(self._http, self._way, asked)
        try:
            return await self._taken(response)
        except (TimeoutError, httpx.TransportError) as error:
            raise http.cut(error, self._url, self._way.stall) from None
        finally:
            await response.aclose()

    async def _taken(self, response: httpx.Response) -> tuple[PartialFile, DownloadCheckpoint]:
        """Writes what a reply brings."""
        found = self._read(response)
        part, begun = await self._placed(found, str(response.url))
        if found is None:  # all of it is there
            return part, begun
        self._room(part, begun.total_bytes)
        inflater = Inflater(found.encoding, BUFFER) if found.encoding else None
        buffer = bytearray()
        try:
            async for chunk in response.aiter_raw():
                for piece in inflater.pieces(chunk) if inflater else (chunk,):
                    buffer += piece
                    if len(buffer) >= BUFFER:
                        full, buffer = buffer, bytearray()
                        await self._aside(lambda full=full: part.write(full))
                        self._room(part, begun.total_bytes)
                        self._tell(part.path.stem, part.size, begun.total_bytes)
        except zlib.error as error:
            raise FetchError(f"the file's {found.encoding} encoding is damaged", passing=True) from error
        finally:
            part.write(buffer)
        self._tell(part.path.stem, part.size, begun.total_bytes)
        if (inflater and not inflater.done) or (begun.total_bytes is not None and part.size != begun.total_bytes):
            raise CutError(Fault(FaultKind.OFFLINE, f"only {formatting.size(part.size)} came"))
        return part, begun

    def _read(self, response: httpx.Response) -> ContentInfo | None:
        """What a reply brings; None: nothing, since all of it is there."""
        status, have = response.status_code, self._part.size if self._part else 0
        headers = {name.lower(): value for name, value in response.headers.items()}
        if status == 416 and have:
            if self._begun and content_headers.unsatisfied_range_size(headers) == have == self._begun.total_bytes:
                return None
            raise _AnewError
        if status in _DEAD:
            raise _DeadError(status)
        if status in _BUSY or status >= 500:
            wait = retry_after(Reply(status, headers, b"", self._now()))
            raise CutError(Fault(FaultKind.SERVER, f"{host(self._url)} answers HTTP {status}"), wait)
        found = content_headers.parse_content_headers(status, headers) if status in {200, 206} else None
        if found is None:
            raise FetchError(f"{host(self._url)} answers HTTP {status} instead of a file")
        if found.encoding and found.encoding not in KNOWN:
            raise FetchError(
                f"the file comes encoded as {formatting.clean(found.encoding, 40)}, which was not asked for"
            )
        kind = self._order.link.kind
        if found.media_type.lower().startswith("text/html") and kind is not LinkKind.DOCUMENT:
            raise FetchError(f"a web page came instead of the {kind}")
        if status == 206 and not (have and found.start == have and self._same(found)):
            raise _AnewError
        return found

    def _same(self, found: ContentInfo) -> bool:
        begun = self._begun
        return (
            begun is not None and found.validator in {"", begun.validator} and found.total in {None, begun.total_bytes}
        )

    async def _placed(self, found: ContentInfo | None, url: str) -> tuple[PartialFile, DownloadCheckpoint]:
        """The part that the bytes go to, and what is known of the file."""
        if found is not None and self._part is None:
            self._begun, self._part = await self._begin(found, url)
        elif found is not None and found.start == 0 and self._part is not None:
            if self._part.size:
                self._restart()
            self._begun = _known(found, str(self._part.path), self._name(found, url))
            self._keep(self._begun)
        assert self._part is not None, "begun by now"
        assert self._begun is not None, "as is its part"
        return self._part, self._begun

    async def _begin(self, found: ContentInfo, url: str) -> tuple[DownloadCheckpoint, PartialFile]:
        """Says where it will be before it is there: a part that nobody knows of would stay for ever."""
        name, folder = self._name(found, url), self._order.folder
        while True:
            path = await self._aside(lambda: partial_file.free_part_path(folder, name))
            begun = _known(found, str(path), name)
            self._keep(begun)
            try:
                return begun, PartialFile.create(path, name)
            except FileExistsError:
                continue

    def _name(self, found: ContentInfo, url: str) -> filenames.Filename:
        if self._begun is not None:
            return self._begun.filename
        order = self._order
        titles = (*order.titles, filenames.disposition_title(found.disposition), order.id)
        extension = filenames.extension(order.link.kind, url, found.media_type, found.disposition)
        return filenames.filename(titles, order.language, extension)

    def _room(self, part: PartialFile, total: int | None) -> None:
        """Raises FetchError where the disk has no room for what is to come."""
        missing = RESERVE if total is None else total - part.size
        free = partial_file.free_bytes(part.path.parent)
        if missing > free:
            raise FetchError(
                f"{part.path.parent} has {formatting.size(free)} left, and {formatting.size(missing)} are yet to come; "
                f"what is there stays in {part.path.name}. Make room, then download it again",
                passing=True,
            )

    # The end.

    async def _finished(self, part: PartialFile, begun: DownloadCheckpoint) -> tuple[Path, int]:
        """Checks it and gives it its name."""
        digest = begun.digest
        if digest is not None and not await self._aside(lambda: part.matches(digest)):
            part.restart()
            raise FetchError(
                f"the bytes do not match the {digest.algorithm} that the service gives: damaged", passing=True
            )
        while True:
            final = part.free_final_path()
            self._begun = replace(begun, final_path=str(final), total_bytes=part.size)
            self._keep(self._begun)
            try:
                await self._aside(lambda final=final: part.finish(final))
            except FileExistsError:
                continue
            return final, part.size

    async def _aside(self, work: Callable[[], T]) -> T:
        """Does what blocks. Who is cancelled meanwhile waits for it: no thread writes to a file that is closed."""
        task = asyncio.ensure_future(self._beside(work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise

    def _disk(self, error: OSError) -> str:
        where = self._part.path if self._part else self._order.folder
        reason = error.strerror or type(error).__name__
        stays = f"; what is there stays in {where.name}. Make room, then download it again" if self._part else ""
        return f"{where.parent if self._part else where} cannot be written: {reason}{stays}"


def _known(found: ContentInfo, part: str, name: filenames.Filename) -> DownloadCheckpoint:
    return DownloadCheckpoint(
        part_path=part, filename=name, validator=found.validator, total_bytes=found.total, digest=found.digest
    )
