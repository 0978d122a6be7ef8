"""Check that a file is of the kind that its link promised: some stores send an error or a login page with status 200.

The media type, the first bytes and the file's extension decide. What follows from it is left to the transfer.
"""

import re
from collections.abc import Iterable
from enum import StrEnum

from tui.domain.models import LinkKind

HEAD_SIZE = 1024
"""Bytes at the start of a file that show its format."""
_OFFICE = frozenset(
    ("docx", "doc", "xlsx", "xls", "pptx", "ppt", "odt", "ods", "odp", "pdf", "rtf", "epub", "zip", "idml", "mp4")
)
"""Extensions of documents that are never JSON, XML or HTML."""
_HTML = frozenset(("html", "htm", "xhtml", "xml"))
_JSON = frozenset(("json", "arb", "jsonl", "geojson", "ipynb", "xcstrings"))
_OTHERS = frozenset(
    ("txt", "md", "csv", "srt", "vtt", "ass", "po", "strings", "properties", "yaml", "yml", "xlf", "svg")
)
_DATA_CAPTIONS = frozenset(("json", "json3", "srv3", "xml", "ttml", "dfxp", "smi", "sami"))
"""Extensions of captions that are JSON or XML."""
_CAPTION_ROOTS = frozenset(("tt", "sami", "timedtext", "transcript"))
"""Root elements of captions in XML."""
_PLAYLIST = "#EXTM3U"
"""Start of a video in parts: a playlist is text."""
_ERROR_ROOTS = frozenset(("error", "errors", "fault", "exception"))

_GENUINE = re.compile(
    rb"....(?:ftyp|moov|mdat|styp|free|wide)|\x1a\x45\xdf\xa3|RIFF....|OggS|fLaC|ID3|\xff[\xe2-\xfb]|G.{187}G"
    rb"|PK\x03\x04|\xd0\xcf\x11\xe0|%PDF-|(?:\xef\xbb\xbf)?(?:WEBVTT|\[Script Info\]|\d+\r?\n\d+:\d\d:\d\d,)",
    re.DOTALL,
)
"""Start of a file that is no error: ISO media, Matroska, RIFF, Ogg, FLAC, MP3, MPEG-TS, zip, OLE, PDF, captions."""
_MARKUP = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,500}?-->\s*)?<(!doctype\s+html\b|[a-z_][\w.:-]*)", re.IGNORECASE | re.DOTALL
)
_JSON_START = re.compile(r'\s*(?:\{\s*["}]|\[\s*[\[{"\]])')
_JSON_ERROR = re.compile(
    r'\s*\{\s*"(?:(?:errors?|fault|exception)"|(?:success|ok)"\s*:\s*false|(?:code|status(?:_?code)?)"\s*:\s*"?[45]\d\d\b)',
    re.IGNORECASE,
)


class Format(StrEnum):
    """Format of errors and pages, as named in a message."""

    JSON = "JSON"
    XML = "XML"
    HTML = "a web page"
    TEXT = "text"


def contradiction(
    kind: LinkKind, extensions: Iterable[str], media_type: str, head: bytes, *, is_attachment: bool = False
) -> Format | None:
    """Return the format of a file that cannot be of the link's kind; None: it can.

    `extensions` are those in the file's names, the most reliable first; `media_type` is the header Content-Type;
    `head` the first HEAD_SIZE bytes; `is_attachment`: whether the response names it as a file to be saved.
    """
    if _GENUINE.match(head):
        return None
    text = head_text(head)
    root = _root_element(text)
    found = _format_of_text(text, root) or _format_of_type(media_type)
    if found is None:
        is_media = kind in {LinkKind.VIDEO, LinkKind.AUDIO}
        return Format.TEXT if is_media and _is_plain_text(media_type, text) else None
    match kind:
        case LinkKind.VIDEO | LinkKind.AUDIO:
            return found
        case LinkKind.CAPTIONS:
            is_data = root in _CAPTION_ROOTS or any(each in _DATA_CAPTIONS for each in extensions)
            return None if is_data and found is not Format.HTML and root not in _ERROR_ROOTS else found
        case LinkKind.DOCUMENT:
            return found if _contradicts_document(found, tuple(extensions), text, root, is_attachment) else None


def head_text(head: bytes) -> str:
    """Return the first bytes of a file as text."""
    encoding = "utf-16" if head[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    return head[:HEAD_SIZE].decode(encoding, "replace")


def _contradicts_document(
    found: Format, extensions: tuple[str, ...], text: str, root: str, is_attachment: bool
) -> bool:
    extension = next((each for each in extensions if each in _OFFICE | _HTML | _JSON | _OTHERS), "")
    if extension in _OFFICE:
        return True
    match found:
        case Format.HTML:
            return extension not in _HTML and not (is_attachment and not extension)
        case Format.JSON:
            return extension not in _JSON and _JSON_ERROR.match(text) is not None
        case Format.XML | Format.TEXT:
            return root in _ERROR_ROOTS


def _is_plain_text(media_type: str, text: str) -> bool:
    """Return whether it is declared as plain text, looks like it, and is no playlist."""
    if media_type.partition(";")[0].strip().lower() != "text/plain" or text.startswith(_PLAYLIST):
        return False
    return bool(text.strip()) and all(letter.isprintable() or letter.isspace() for letter in text)


def _root_element(text: str) -> str:
    """Return the local name of the first element in lower case; "": the text does not start with one."""
    found = _MARKUP.match(text)
    name = found[1].lower() if found else ""
    return "html" if name.startswith("!") else name.rpartition(":")[2]


def _format_of_text(text: str, root: str) -> Format | None:
    if root:
        return Format.HTML if root in {"html", "head", "body", "title"} else Format.XML
    return Format.JSON if _JSON_START.match(text) else None


def _format_of_type(media_type: str) -> Format | None:
    name = media_type.partition(";")[0].strip().lower()
    if name in {"text/html", "application/xhtml+xml"}:
        return Format.HTML
    if name in {"application/json", "text/json"} or name.endswith("+json"):
        return Format.JSON
    return Format.XML if name in {"application/xml", "text/xml"} or name.endswith("+xml") else None
