"""What a downloaded file is called: a name that every file system takes, and never a path. It opens nothing."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from tui.presentation import languages, sanitize

MAX_NAME_BYTES = 240
"""Bytes of a name: 255 is what file systems take, and `.part` and a number are added to it."""
EXTENSION_PATTERN = r"[A-Za-z0-9]{1,8}"  # patterns are text: `re` compiles each at its first use, and `list` needs none
"""What stands after a name's last dot, for it to count as one."""
PART_SUFFIX = ".part"
"""Follows the name of a file that is not whole yet."""

_FORBIDDEN_CHARACTERS = r'[/\\:*?"<>|]+'
"""What separates paths here or elsewhere, or what some file system refuses."""
_EXTENDED_PARAMETER = r"(?i)filename\*\s*=\s*([\w.:-]+)'[^']*'([^;\s]*)"
"""The form of a name that goes before the plain one where both are there (RFC 6266 §4.3)."""
_STRIPPED_EDGES = " .-_\u200c\u200d"
"""What a name neither begins nor ends with: it would be hidden, taken for an option, or cut off."""
_WINDOWS_DEVICES = r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)( *\.| *$)"
"""Names that Windows keeps for devices, whatever follows their first dot."""
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
"""Media types that say enough, with the extensions that go with them. Others are taken for what they are called."""


class Filename(NamedTuple):
    """A file's name, in the two parts between which a number goes."""

    stem: str
    suffix: str
    """Language and extension, each with its dot."""

    def numbered(self, number: int) -> str:
        """The name, or its second, third and so on."""
        return f"{self.stem}{f' ({number})' if number > 1 else ''}{self.suffix}"


def filename(titles: Iterable[str], language: str, extension: str) -> Filename:
    """The name of a file by the first of `titles` of which anything is left: `Spring launch`, `.ur-PK.mp4`.

    `language` is a code or a name in English, or "". Titles may be any text that a stranger chose.
    """
    tongue = _safe_text(languages.language_code(language)) if language else ""
    tail = f".{tongue}" * bool(tongue) + f".{_valid_extension(extension) or 'bin'}"
    room = MAX_NAME_BYTES - len(tail.encode())
    stem = next((found for title in titles if (found := _truncate(_safe_text(title), room))), "result")
    return Filename(f"{stem}_" if re.match(_WINDOWS_DEVICES, stem) else stem, tail)


def extension(kind: str, url: str, media_type: str, disposition: str) -> str:
    """The extension of what a link led to: as the media type has it, else as it was called, else its kind.

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
    """The title in a Content-Disposition header: its file name without an extension; "" where there is none."""
    said = _disposition_filename(disposition)
    stem, dot, end = said.rpartition(".")
    return stem if dot and re.fullmatch(EXTENSION_PATTERN, end) else said


def _disposition_filename(disposition: str) -> str:
    """The file name in a Content-Disposition header (RFC 6266), as it stands there; without any path before it."""
    if not disposition:
        return ""
    from email.message import Message  # 5 ms, and `list` starts without

    message = Message()
    message["content-disposition"] = disposition
    extended = re.search(_EXTENDED_PARAMETER, disposition)
    try:
        said = unquote(extended[2], extended[1], "replace") if extended else message.get_filename("")
    except (ValueError, LookupError, TypeError):  # it is anybody's text
        return ""
    return re.split(r"[/\\]", said)[-1]


def _valid_extension(text: str) -> str:
    text = text.lower()
    return text if re.fullmatch(EXTENSION_PATTERN, text) and f".{text}" != PART_SUFFIX else ""


def _safe_text(title: str) -> str:
    """The text as a part of a name: no control, no separator, nothing at its edges that means something."""
    return re.sub(
        _FORBIDDEN_CHARACTERS, "-", unicodedata.normalize("NFC", sanitize.clean(title, MAX_NAME_BYTES))
    ).strip(_STRIPPED_EDGES)


def _truncate(title: str, max_bytes: int) -> str:
    """As many characters as fit into so many bytes."""
    return title.encode()[: max(0, max_bytes)].decode(errors="ignore").rstrip(_STRIPPED_EDGES)
