"""Meaning of a store's response to a request for a file: the file or its rest, a link that does not work, or a fault.

Facts: the sections "What an expired or not-yet-ready link answers" and "Files as stores really send them" of the
services' reference. What follows from it is left to the transfer.
"""

import re
from collections.abc import Sequence

from tui.domain import content_check, content_headers
from tui.domain.content_check import Format
from tui.domain.content_headers import ContentInfo
from tui.domain.models import Fault, FaultKind
from tui.engine.downloads.http import ConnectionLostError, FetchError, RangeRequest, host
from tui.engine.http.client import parse_headers
from tui.presentation import sanitize
from tui.providers.response import HttpResponse, retry_after
from tui.storage.config.secrets import Secret, mask_all
from tui.storage.journal.checkpoints import DownloadCheckpoint

EXCERPT_LENGTH = 80
"""Characters of an error that are quoted."""
_BUSY_STATUSES = frozenset({408, 425, 429})
_RANGE_REFUSALS = frozenset({400, 403, 412, 416, 501})
"""HTTP statuses of stores that refuse a Range, and send the whole file without it."""
_PENDING_STATUSES = frozenset({202, 403, 404})
"""HTTP statuses of a file that is still on its way to the store, in the first minutes after its job."""


class LinkRejectedError(Exception):
    """The link does not work now. It may have expired, or not be ready yet."""

    def __init__(self, reason: str, *, may_be_pending: bool = False) -> None:
        super().__init__(reason)
        self.may_be_pending = may_be_pending
        """The store may get the file soon, if the job has just ended."""


class FileChangedError(Exception):
    """The partial file belongs to an older version of the file."""


class RangeRefusedError(Exception):
    """The store does not send the rest of this file."""


def received_headers(raw: Sequence[tuple[bytes, bytes]], secrets: Sequence[Secret]) -> dict[str, str]:
    """Return the headers by lower-case name, the secrets masked; Content-Disposition keeps its bytes, as Latin-1."""
    disposition = b", ".join(value for name, value in raw if name.lower() == b"content-disposition")
    return parse_headers(raw, secrets) | {"content-disposition": mask_all(disposition, secrets).decode("latin-1")}


def content_of(
    response: HttpResponse, url: str, request: RangeRequest, checkpoint: DownloadCheckpoint | None
) -> ContentInfo | None:
    """Return what the headers say of the body; None: the partial file is complete.

    Raises one of this module's errors, FetchError or ConnectionLostError for a response that is not used.
    """
    status, headers, start = response.status, response.headers, request.start
    total = checkpoint.total_bytes if checkpoint else None
    if start and status == 416 and content_headers.unsatisfied_range_size(headers) == start == total:
        return None
    content = content_headers.parse_content_headers(status, headers) if status in {200, 206} else None
    if start and (status in _RANGE_REFUSALS or (status == 206 and content is None)):
        raise RangeRefusedError
    if content is None:
        _raise_unusable(response, url, needs_key=request.needs_key)
    elif status == 206 and not (start and content.start == start and _is_same_file(content, checkpoint)):
        raise FileChangedError
    return content


def _raise_unusable(response: HttpResponse, url: str, *, needs_key: bool) -> None:
    """Raise the error of a response without a file."""
    status, store = response.status, host(url)
    if status in _BUSY_STATUSES or status >= 500:
        raise ConnectionLostError(Fault(FaultKind.SERVER, f"{store} returned HTTP {status}"), retry_after(response))
    if status == 407:
        raise FetchError("the proxy requires a login (HTTP 407): check HTTPS_PROXY")
    if status == 401 and needs_key:
        raise FetchError(f"{store} rejected the API key (HTTP 401): set a new key for the account")
    if status == 202 or 400 <= status < 500:
        raise LinkRejectedError(f"HTTP {status}", may_be_pending=status in _PENDING_STATUSES)
    raise FetchError(f"{store} returned HTTP {status}, not a file")


def _is_same_file(content: ContentInfo, checkpoint: DownloadCheckpoint | None) -> bool:
    return (
        checkpoint is not None
        and content.validator in {"", checkpoint.validator}
        and content.total in {None, checkpoint.total_bytes}
    )


def excerpt(head: bytes, found: Format, secrets: Sequence[Secret]) -> str:
    """Return the beginning of an error or a page as plain text, without markup, signatures and secrets."""
    text = content_check.head_text(head)
    for secret in secrets:
        text = secret.mask_text(text)
    bare = re.sub(r"(?is)<(script|style)\b.*?(?:</\1>|$)|<[^>]*>?", " ", text) if found is not Format.JSON else text
    shown = " ".join(bare.split()) or text
    return sanitize.clean(sanitize.mask_urls(shown), EXCERPT_LENGTH)
