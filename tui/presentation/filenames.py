"""Names of downloaded files: valid on every file system, and never a path. It opens no file."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from tui.presentation import languages, sanitize

MAX_NAME_BYTES = 240
"""Bytes: file systems allow 255, and `.part` and a number are appended."""
EXTENSION_PATTERN = r"[A-Za-z0-9]{1,8}"  # patterns are text: `re` compiles each at its first use, and `list` needs none
"""Text after a name's last dot that counts as an extension."""
PART_SUFFIX = ".part"
"""Suffix of a partial file."""

_FORBIDDEN_CHARACTERS = r'[/\\:*?"<>|]+'
"""Path separators, and characters that some file system rejects."""
_EXTENDED_PARAMETER = r"(?i)filename\*\s*=\s*([\w.:-]+)'[^']*'([^;\s]*)"
"""Extended form of the parameter, preferred to the plain one (RFC 6266 §4.3)."""
_STRIPPED_EDGES = " .-_\u200c\u200d"
"""Characters stripped at both ends: the name would be hidden, taken for an option, or cut off."""
_WINDOWS_DEVICES = r"(?i)\A(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?= *(?:\.|$))"
"""Device names on Windows, whatever follows their first dot."""
_MEDIA_EXTENSIONS: Mapping[str, tuple[str, ...]] = {
    "video/mp4": ("mp4", "m4v"),
    "video/webm": ("webm",),
    "video/quicktime": ("mov",),
    "video/x-matroska": ("mkv",),
    "audio/mpeg": ("mp3",),
    "audio/mp4": ("m4a", "mp4"),
    "audio/aac": ("aac",),
    "audio/ogg": ("ogg", "opus", "oga"),
    "audio/wav": ("wav",),
    "audio/wave": ("wav",),
    "audio/x-wav": ("wav",),
    "audio/flac": ("flac",),
    "audio/x-flac": ("flac",),
    "application/x-subrip": ("srt",),
    "text/srt": ("srt",),
    "text/vtt": ("vtt",),
    "text/x-ssa": ("ass", "ssa"),
    "application/pdf": ("pdf",),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ("docx",),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ("xlsx",),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ("pptx",),
}
"""Specific media types with their extensions. Of others, the extension in the file's own name counts."""


class Filename(NamedTuple):
    """File name in two parts, between which a number may be inserted."""

    stem: str
    suffix: str
    """Language and extension, each with its dot."""

    def numbered(self, number: int) -> str:
        """Return the name with a number from 2 on."""
        return f"{self.stem}{f' ({number})' if number > 1 else ''}{self.suffix}"


def filename(titles: Iterable[str], language: str, extension: str) -> Filename:
    """Return the name after the first of `titles` that has valid characters: `Spring launch`, `.ur-PK.mp4`.

    `language` is a code or a name in English, or "". Titles are untrusted text.
    """
    code = _safe_text(languages.language_code(language)) if language else ""
    suffix = f".{code}" * bool(code) + f".{_valid_extension(extension) or 'bin'}"
    max_bytes = MAX_NAME_BYTES - len(suffix.encode())
    stem = next((found for title in titles if (found := _truncate(_safe_text(title), max_bytes))), "result")
    return Filename(re.sub(_WINDOWS_DEVICES, r"\1_", stem), suffix)


def extension(kind: str, url: str, media_type: str, disposition: str) -> str:
    """Return the extension of a downloaded file: of its media type, else of its name, else its kind.

    `media` and `disposition` are the headers Content-Type and Content-Disposition, or "".
    """
    path = unquote(urlsplit(url).path, errors="replace")
    called = [
        found
        for each in (_disposition_filename(disposition), path)
        if (found := _valid_extension(each.rpartition(".")[2]))
    ]
    known = _MEDIA_EXTENSIONS.get(media_type.partition(";")[0].strip().lower())
    if known is None:
        return called[0] if called else kind
    return next((each for each in called if each in known), known[0])


def disposition_title(disposition: str) -> str:
    """Return the file name in a Content-Disposition header, without its extension; "" if there is none."""
    name = _disposition_filename(disposition)
    stem, dot, end = name.rpartition(".")
    return stem if dot and re.fullmatch(EXTENSION_PATTERN, end) else name


def _disposition_filename(disposition: str) -> str:
    """Return the file name in a Content-Disposition header (RFC 6266), without a path before it; "": none."""
    if not disposition:
        return ""
    from email.message import Message  # 5 ms that `list` does not need

    message = Message()
    message["content-disposition"] = disposition
    extended = re.search(_EXTENDED_PARAMETER, disposition)
    try:
        name = unquote(extended[2], extended[1], "replace") if extended else message.get_filename("")
    except (ValueError, LookupError, TypeError):  # untrusted text
        return ""
    return re.split(r"[/\\]", name)[-1]


def _valid_extension(text: str) -> str:
    text = text.lower()
    return text if re.fullmatch(EXTENSION_PATTERN, text) and f".{text}" != PART_SUFFIX else ""


def _safe_text(title: str) -> str:
    """Return the text as a part of a name: without control characters, separators and _STRIPPED_EDGES."""
    return re.sub(
        _FORBIDDEN_CHARACTERS, "-", unicodedata.normalize("NFC", sanitize.clean(title, MAX_NAME_BYTES))
    ).strip(_STRIPPED_EDGES)


def _truncate(title: str, max_bytes: int) -> str:
    """Return as many characters as fit into so many bytes."""
    return title.encode()[: max(0, max_bytes)].decode(errors="ignore").rstrip(_STRIPPED_EDGES)
