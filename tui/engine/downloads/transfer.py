"""Transfer of one file: in constant memory, resumed after a lost connection, verified, and renamed when complete."""

import asyncio
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
from tui.engine.downloads.http import ConnectionLostError, FetchContext, FetchError, RangeRequest, host
from tui.engine.http.client import parse_headers
from tui.engine.http.decompression import StreamDecompressor, UndecodableError
from tui.presentation import filenames, formatting
from tui.providers.response import HttpResponse, retry_after
from tui.storage import partial_file
from tui.storage.journal.downloads import DownloadCheckpoint
from tui.storage.partial_file import PartialFile

T = TypeVar("T")

MAX_TRIES = 6
"""Consecutive tries without a byte after which the transfer fails."""
RETRY_PAUSE, LONGEST_RETRY_PAUSE = 1.0, 30.0
"""Seconds before the second try, doubling, and at most."""
LONGEST_RETRY_AFTER = 120.0
"""Seconds of Retry-After up to which the transfer waits; beyond, it fails."""
MAX_RESTARTS = 5
"""Times that the file may change during the transfer."""
WRITE_BUFFER = 1024 * 1024
"""Bytes written at once."""
DISK_RESERVE = 64 * WRITE_BUFFER
"""Bytes of the disk to keep free while the file's length is unknown."""

_DEAD_STATUSES = frozenset({401, 403, 404, 410})
"""HTTP statuses of a link that does not work any more."""
_BUSY_STATUSES = frozenset({408, 425, 429})


class _DeadLinkError(Exception):
    """The link does not work any more."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")


class _FileChangedError(Exception):
    """The partial file belongs to an older version of the file."""


class FileRequest(Struct, frozen=True, kw_only=True):
    """Request for one file."""

    link: Link
    folder: Path
    titles: tuple[str, ...]
    """Possible file names, the best first."""
    job_id: str
    """File name if there is no title, not even in the response."""
    language: str = ""


class FileTransfer:
    """Transfer of one file, for a single `run`. If it fails or is cancelled, partial file and checkpoint remain."""

    def __init__(
        self,
        request: FileRequest,
        context: FetchContext,
        client: httpx.AsyncClient,
        *,
        checkpoint: DownloadCheckpoint | None,
        save_checkpoint: Callable[[DownloadCheckpoint], None],
        report_progress: Callable[[str, int, int | None], None],
        renew_link: Callable[[str], Awaitable[Link | Fault]],
        now: Callable[[], float],
        run_blocking: RunBlocking,
        random: Random,
        retry_pause: float = RETRY_PAUSE,
    ) -> None:
        """Prepare the transfer.

        `checkpoint` is from an earlier run, `save_checkpoint` stores one for a later run, `renew_link` takes the dead
        URL, `report_progress` the file's name, the bytes on disk and the total. `retry_pause`: seconds.
        """
        self._request, self._context, self._client = request, context, client
        self._checkpoint, self._save_checkpoint, self._report_progress = checkpoint, save_checkpoint, report_progress
        self._renew_link, self._now, self._run_blocking, self._random, self._retry_pause = (
            renew_link,
            now,
            run_blocking,
            random,
            retry_pause,
        )
        self._url = request.link.url
        self._partial: PartialFile | None = None
        self._restarts = 0

    async def run(self) -> tuple[Path, int]:
        """Return the complete file's path and size. Raises FetchError."""
        try:
            return await self._resume() or await self._transfer()
        except OSError as error:
            raise FetchError(self._disk_error(error), transient=True) from None
        finally:
            if self._partial is not None:
                self._partial.close()

    async def _resume(self) -> tuple[Path, int] | None:
        """Open the partial file of an earlier run; finish and return it if it is complete."""
        checkpoint = self._checkpoint
        if checkpoint is None:
            return None
        path, final = Path(checkpoint.part_path), Path(checkpoint.final_path)
        if (
            checkpoint.final_path
            and checkpoint.total_bytes is not None
            and partial_file.recover_rename(path, final, checkpoint.total_bytes)
        ):
            return final, checkpoint.total_bytes
        try:
            self._partial = PartialFile.reopen(path, checkpoint.filename)
        except FileNotFoundError:
            self._checkpoint = None
            return None
        if checkpoint.total_bytes is not None and self._partial.size == checkpoint.total_bytes:
            return await self._finish(self._partial, checkpoint)
        if checkpoint.total_bytes is not None and self._partial.size > checkpoint.total_bytes:
            self._partial.restart()
        return None

    async def _transfer(self) -> tuple[Path, int]:
        tries, renewed_size = 0, -1
        while True:
            size_before = self._partial.size if self._partial else 0
            try:
                partial, checkpoint = await self._request_rest()
                return await self._finish(partial, checkpoint)
            except _FileChangedError:
                self._restart()
            except _DeadLinkError as dead:
                if renewed_size == size_before:
                    raise FetchError(f"link does not work ({dead}), nor does the renewed one") from None
                await self._renew(dead)
                renewed_size = size_before
            except ConnectionLostError as error:
                tries = 1 if self._partial and self._partial.size > size_before else tries + 1
                await self._wait(error, tries)

    def _restart(self) -> None:
        self._restarts += 1
        if self._restarts > MAX_RESTARTS:
            raise FetchError("the file keeps changing during the download", transient=True)
        if self._partial:
            self._partial.restart()

    async def _renew(self, dead: _DeadLinkError) -> None:
        link = await self._renew_link(self._url)
        if isinstance(link, Fault):
            raise FetchError(f"link does not work ({dead}); renewal failed: {link.message}")
        if link.url == self._url:
            raise FetchError(f"link does not work ({dead}); the service returned the same link again")
        self._url = link.url

    async def _wait(self, error: ConnectionLostError, tries: int) -> None:
        if tries >= MAX_TRIES or (error.retry_after or 0.0) > LONGEST_RETRY_AFTER or error.fault.kind is FaultKind.TLS:
            raise FetchError(error.fault.message, transient=True) from None
        longest = min(LONGEST_RETRY_PAUSE, self._retry_pause * 2 ** (tries - 1))
        await asyncio.sleep(max(error.retry_after or 0.0, self._random.uniform(longest / 2, longest)))

    # One request.

    async def _request_rest(self) -> tuple[PartialFile, DownloadCheckpoint]:
        """Request the missing bytes and write what the connection delivers."""
        start, validator = (
            self._partial.size if self._partial else 0,
            self._checkpoint.validator if self._checkpoint else "",
        )
        if self._partial and not validator:  # nothing shows that the rest belongs to the same file
            self._partial.restart()
            start = 0
        request = RangeRequest(self._url, self._request.link.needs_key, start, validator)
        response = await http.open_response(self._client, self._context, request)
        try:
            return await self._write_body(response)
        except (TimeoutError, httpx.TransportError) as error:
            raise http.connection_error(error, self._url, self._context.stall_timeout) from None
        finally:
            await response.aclose()

    async def _write_body(self, response: httpx.Response) -> tuple[PartialFile, DownloadCheckpoint]:
        """Write the body of a response to the partial file."""
        content = self._read_headers(response)
        partial, checkpoint = await self._open_part(content, str(response.url))
        if content is None:  # complete already
            return partial, checkpoint
        self._check_disk_space(partial, checkpoint.total_bytes)
        decompressor, buffer = None, bytearray()
        try:
            decompressor = StreamDecompressor(content.codings, WRITE_BUFFER) if content.codings else None
            async for chunk in response.aiter_raw():
                for data in decompressor.decompress(chunk) if decompressor else (chunk,):
                    buffer += data
                    if len(buffer) >= WRITE_BUFFER:
                        block, buffer = buffer, bytearray()
                        await self._run_uninterrupted(lambda block=block: partial.write(block))
                        self._check_disk_space(partial, checkpoint.total_bytes)
                        self._report_progress(partial.path.stem, partial.size, checkpoint.total_bytes)
        except UndecodableError as error:
            raise FetchError(f"the file has {error}", transient=True) from error
        finally:
            partial.write(buffer)
        self._report_progress(partial.path.stem, partial.size, checkpoint.total_bytes)
        if (decompressor and not decompressor.is_complete) or (
            checkpoint.total_bytes is not None and partial.size != checkpoint.total_bytes
        ):
            raise ConnectionLostError(
                Fault(FaultKind.OFFLINE, f"connection closed after {formatting.size(partial.size)}")
            )
        return partial, checkpoint

    def _read_headers(self, response: httpx.Response) -> ContentInfo | None:
        """Return what the headers say of the body; None: the partial file is complete.

        Raises one of this module's errors, FetchError or ConnectionLostError for a response that is not used.
        """
        status, partial_size = response.status_code, self._partial.size if self._partial else 0
        headers = parse_headers(response.headers.raw, self._context.key)
        if status == 416 and partial_size:
            if (
                self._checkpoint
                and content_headers.unsatisfied_range_size(headers) == partial_size == self._checkpoint.total_bytes
            ):
                return None
            raise _FileChangedError
        if status in _DEAD_STATUSES:
            raise _DeadLinkError(status)
        if status in _BUSY_STATUSES or status >= 500:
            wait_seconds = retry_after(HttpResponse(status, headers, b"", self._now()))
            raise ConnectionLostError(
                Fault(FaultKind.SERVER, f"{host(self._url)} returned HTTP {status}"), wait_seconds
            )
        content = content_headers.parse_content_headers(status, headers) if status in {200, 206} else None
        if content is None:
            raise FetchError(f"{host(self._url)} returned HTTP {status}, not a file")
        kind = self._request.link.kind
        if content.media_type.lower().startswith("text/html") and kind is not LinkKind.DOCUMENT:
            raise FetchError(f"{host(self._url)} returned a web page, not the {kind}")
        if status == 206 and not (partial_size and content.start == partial_size and self._is_same_file(content)):
            raise _FileChangedError
        return content

    def _is_same_file(self, content: ContentInfo) -> bool:
        checkpoint = self._checkpoint
        return (
            checkpoint is not None
            and content.validator in {"", checkpoint.validator}
            and content.total in {None, checkpoint.total_bytes}
        )

    async def _open_part(self, content: ContentInfo | None, url: str) -> tuple[PartialFile, DownloadCheckpoint]:
        """Return the partial file for the body and its checkpoint."""
        if content is not None and self._partial is None:
            self._checkpoint, self._partial = await self._create_part(content, url)
        elif content is not None and content.start == 0 and self._partial is not None:
            if self._partial.size:
                self._restart()
            self._checkpoint = _new_checkpoint(content, str(self._partial.path), self._filename(content, url))
            self._save_checkpoint(self._checkpoint)
        assert self._partial is not None, "created by now"
        assert self._checkpoint is not None, "created with its partial file"
        return self._partial, self._checkpoint

    async def _create_part(self, content: ContentInfo, url: str) -> tuple[DownloadCheckpoint, PartialFile]:
        """Save the checkpoint, then create the partial file: an unrecorded one would never be deleted."""
        name, folder = self._filename(content, url), self._request.folder
        while True:
            path = await self._run_uninterrupted(lambda: partial_file.free_part_path(folder, name))
            checkpoint = _new_checkpoint(content, str(path), name)
            self._save_checkpoint(checkpoint)
            try:
                return checkpoint, PartialFile.create(path, name)
            except FileExistsError:
                continue

    def _filename(self, content: ContentInfo, url: str) -> filenames.Filename:
        if self._checkpoint is not None:
            return self._checkpoint.filename
        request = self._request
        titles = (*request.titles, filenames.disposition_title(content.disposition), request.job_id)
        extension = filenames.extension(request.link.kind, url, content.media_type, content.disposition)
        return filenames.filename(titles, request.language, extension)

    def _check_disk_space(self, partial: PartialFile, total: int | None) -> None:
        """Raise FetchError if the disk has no space for the rest."""
        missing = DISK_RESERVE if total is None else total - partial.size
        free = partial_file.free_bytes(partial.path.parent)
        if missing > free:
            raise FetchError(
                f"{partial.path.parent}: {formatting.size(free)} free, {formatting.size(missing)} needed; "
                f"the partial file {partial.path.name} is kept. Free some space, then download again",
                transient=True,
            )

    # Completion.

    async def _finish(self, partial: PartialFile, checkpoint: DownloadCheckpoint) -> tuple[Path, int]:
        """Verify the digest and rename the partial file."""
        digest = checkpoint.digest
        if digest is not None and not await self._run_uninterrupted(lambda: partial.matches(digest)):
            partial.restart()
            raise FetchError(f"{digest.algorithm} mismatch, the file is damaged: download it again", transient=True)
        while True:
            final = partial.free_final_path()
            self._checkpoint = replace(checkpoint, final_path=str(final), total_bytes=partial.size)
            self._save_checkpoint(self._checkpoint)
            try:
                await self._run_uninterrupted(lambda final=final: partial.finish(final))
            except FileExistsError:
                continue
            return final, partial.size

    async def _run_uninterrupted(self, work: Callable[[], T]) -> T:
        """Run blocking work to its end, even if cancelled meanwhile: no thread may write to a closed file."""
        task = asyncio.ensure_future(self._run_blocking(work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise

    def _disk_error(self, error: OSError) -> str:
        path = self._partial.path if self._partial else self._request.folder
        reason = error.strerror or type(error).__name__
        hint = f"; the partial file {path.name} is kept. Free some space, then download again" if self._partial else ""
        return f"cannot write to {path.parent if self._partial else path}: {reason}{hint}"


def _new_checkpoint(content: ContentInfo, partial_path: str, name: filenames.Filename) -> DownloadCheckpoint:
    return DownloadCheckpoint(
        part_path=partial_path,
        filename=name,
        validator=content.validator,
        total_bytes=content.total,
        digest=content.digest,
    )
