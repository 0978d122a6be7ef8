"""Transfer of one file: in constant memory, resumed after a lost connection, verified, and renamed when complete."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import httpx

from tui.domain import content_check
from tui.domain.models import Fault, FaultKind, Link
from tui.engine.blocking import RunBlocking
from tui.engine.downloads import http
from tui.engine.downloads.body import Body, RateMeter
from tui.engine.downloads.destination import Destination, FileRequest, SentFile
from tui.engine.downloads.http import (
    ConnectionLostError,
    FetchContext,
    FetchError,
    LinkFailedError,
    NotReadyError,
    RangeRequest,
    RequestHeldError,
    host,
)
from tui.engine.downloads.response import (
    FileChangedError,
    LinkRejectedError,
    RangeRefusedError,
    content_of,
    excerpt,
    received_headers,
)
from tui.engine.http.decompression import UndecodableError
from tui.presentation import filenames, formatting
from tui.providers import json_body
from tui.providers.response import HttpResponse
from tui.storage.journal.checkpoints import DownloadCheckpoint

MAX_TRIES = 6
"""Consecutive tries without a byte after which the transfer fails."""
RETRY_PAUSE, LONGEST_RETRY_PAUSE = 1.0, 30.0
"""Seconds before the second try, doubling, and at most."""
LONGEST_RETRY_AFTER = 120.0
"""Seconds of Retry-After up to which the transfer waits; beyond, it fails."""
WRITE_BUFFER = 1024 * 1024
"""Bytes written at once."""
MAX_ERROR = 64 * 1024
"""Bytes that are read of a response in the file's place."""
SENT_ALREADY = "the service sends this file once, and has sent it"
"""Why a file that is sent once is not requested again."""


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
        renew_link: Callable[[str, bool], Awaitable[Link | Fault]],
        on_used: Callable[[str], None],
        must_yield: Callable[[], bool],
        now: Callable[[], float],
        run_blocking: RunBlocking,
        random: Random,
        retry_pause: float = RETRY_PAUSE,
    ) -> None:
        """Prepare the transfer.

        `checkpoint` is from an earlier run, `save_checkpoint` stores one for a later run, `renew_link` takes the URL
        and whether it has expired, `on_used` the URL of a file that the service sends once, when it begins to send or
        has sent it, `report_progress` the file's name, the bytes on disk and the total. `must_yield`: whether others
        wait for the place of a slow transfer. `retry_pause`: seconds.
        """
        self._request, self._context, self._client = request, context, client
        self._renew_link, self._on_used = renew_link, on_used
        self._must_yield = (lambda: False) if request.link.one_time else must_yield  # nothing could go on with it
        self._report_progress, self._now, self._random, self._retry_pause = report_progress, now, random, retry_pause
        self._url = request.link.url
        self._file = Destination(request, checkpoint, save_checkpoint, run_blocking, context.max_size)
        self._is_spent = False
        """The service has sent a file that it sends once."""
        self._rangeless_url = ""
        """URL whose store refuses ranges."""
        self._rate = RateMeter(context.rate_window, asyncio.get_running_loop().time)

    async def run(self) -> tuple[Path, int]:
        """Return the complete file's path and size. Raises FetchError."""
        try:
            return await self._file.resume() or await self._transfer()
        except OSError as error:
            raise FetchError(self._file.disk_error(error), transient=True) from None
        finally:
            self._file.close()

    async def _transfer(self) -> tuple[Path, int]:
        tries, renewed_size = 0, -1
        while True:
            size_before = self._file.size
            try:
                await self._request_rest()
                return await self._file.finish()
            except FileChangedError:
                self._file.start_over()
            except RangeRefusedError:
                self._rangeless_url = self._url
            except LinkRejectedError as rejected:
                if renewed_size == size_before:
                    raise self._link_error(rejected, ", nor does the renewed one") from None
                await self._renew(rejected)
                renewed_size = size_before
            except ConnectionLostError as error:
                tries = 1 if self._file.size > size_before else tries + 1
                await self._wait(error, tries)

    async def _renew(self, rejected: LinkRejectedError) -> None:
        link = await self._renew_link(self._url, not self._is_pending(rejected))
        if isinstance(link, Fault):
            error = self._link_error(rejected, f"; renewal failed: {link.message}")
            if link.kind is FaultKind.LIMITED and not isinstance(error, NotReadyError):
                raise RequestHeldError(str(error), link.retry_at)
            raise error
        if link.url == self._url:
            raise self._link_error(rejected, "; the service returned the same link again")
        self._url = link.url

    def _is_pending(self, rejected: LinkRejectedError) -> bool:
        return rejected.may_be_pending and self._now() < self._request.pending_until

    def _link_error(self, rejected: LinkRejectedError, renewal: str) -> FetchError:
        """Return the error of a link that failed, and whose renewal did not help."""
        if self._is_pending(rejected):
            return NotReadyError(str(rejected))
        return LinkFailedError(f"link does not work ({rejected}){renewal}")

    async def _wait(self, error: ConnectionLostError, tries: int) -> None:
        if self._is_spent:
            raise LinkFailedError(
                f"{error.fault.message}, and the service sends this file only once: it is lost"
            ) from None
        if tries >= MAX_TRIES or (error.retry_after or 0.0) > LONGEST_RETRY_AFTER or error.fault.kind is FaultKind.TLS:
            raise FetchError(error.fault.message, transient=True) from None
        longest = min(LONGEST_RETRY_PAUSE, self._retry_pause * 2 ** (tries - 1))
        await asyncio.sleep(max(error.retry_after or 0.0, self._random.uniform(longest / 2, longest)))

    # One request.

    async def _request_rest(self) -> None:
        """Request the missing bytes and write what the connection delivers. Raises nothing if the file is complete."""
        link = self._request.link
        start, validator = self._file.size, self._file.checkpoint.validator if self._file.checkpoint else ""
        if start and not validator:  # nothing shows that the rest belongs to the same file
            self._file.empty()
            start = 0
        if self._url == self._rangeless_url or link.one_time or link.form is not None:
            start = 0
        request = RangeRequest(self._url, link.needs_key, start, validator, link.form)
        response = await http.open_response(self._client, self._context, request)
        if link.one_time and response.status_code in {200, 206}:
            self._is_spent = True
            self._on_used(self._url)
        try:
            if await self._was_sent(response):
                self._on_used(self._url)
                raise LinkFailedError(SENT_ALREADY)
            await self._receive(response, request)
        except UndecodableError as error:
            raise FetchError(f"the file has {error}", transient=True) from None
        except (TimeoutError, httpx.TransportError) as error:
            raise http.connection_error(error, self._url, self._context.stall_timeout) from None
        finally:
            await response.aclose()

    async def _was_sent(self, response: httpx.Response) -> bool:
        """Return whether a response in the file's place says that the service has sent the file to another client."""
        conditions = [
            each for each in self._request.used_conditions if response.status_code in (each.http_status or ())
        ]
        if not conditions or not self._request.link.one_time:
            return False
        raw = b""
        async for chunk in response.aiter_raw():
            raw += chunk
            if len(raw) >= MAX_ERROR:
                break
        try:
            body = json_body.decode(raw, response.headers.get("content-type", ""))
        except json_body.NotJsonError:
            body = None
        return any(each.matches(response.status_code, body, response.headers) for each in conditions)

    async def _receive(self, response: httpx.Response, request: RangeRequest) -> None:
        """Write the body of a response to the partial file."""
        headers = received_headers(response.headers.raw, self._context.secrets)
        received = HttpResponse(response.status_code, headers, b"", self._now())
        content = content_of(received, self._url, request, self._file.checkpoint)
        if content is None:  # complete already
            return
        self._file.check_size(content.total)
        body = Body(response, content.codings, self._rate, self._must_yield)
        file = SentFile(content, str(response.url), filenames.disposition_filename(content.disposition))
        async with aclosing(body):
            head = b""
            if content.start == 0:
                head = await body.read_head(content_check.HEAD_SIZE)
                self._check_content(file, head)
            await self._file.open(file)
            await self._write_body(body, bytearray(head))

    async def _write_body(self, body: Body, buffer: bytearray) -> None:
        file = self._file
        try:
            async for data in body.chunks():
                buffer += data
                if len(buffer) >= WRITE_BUFFER:
                    block, buffer = buffer, bytearray()
                    await file.write(block)
                    self._report_progress(file.name, file.size, file.total)
        finally:
            file.write_last(buffer)
        file.check_size(file.size)
        self._report_progress(file.name, file.size, file.total)
        if not body.is_complete or file.total not in {None, file.size}:
            raise ConnectionLostError(Fault(FaultKind.OFFLINE, f"connection closed after {formatting.size(file.size)}"))

    def _check_content(self, file: SentFile, head: bytes) -> None:
        """Raise LinkRejectedError for an error or a page in place of the file."""
        request, kind = self._request, self._request.link.kind
        names = (file.name, urlsplit(file.url).path, urlsplit(request.link.url).path, *request.titles)
        found = content_check.contradiction(
            kind,
            filenames.extensions(names),
            file.content.media_type,
            head,
            is_attachment=bool(file.content.disposition),
        )
        if found is not None:
            quoted = excerpt(head, found, self._context.secrets)
            raise LinkRejectedError(f"{host(self._url)} returned {found}, not the {kind}: {quoted}")
