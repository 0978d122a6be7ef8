"""Names of downloaded files: valid on every file system, and never a path. It opens no file."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from tui.presentation import languages, sanitize

MAX_NAME_BYTES = 240
"""Bytes: file systems allow 255, and `.part` and a number are appended."""
EXTENSION_PATTERN = r"[A-Za-z0-9]{1,8}"  # patterns are text: `re` compiles each at its first use, and `list` needs none
"""Text after a name's last dot that counts as an extension."""
MAX_DISPOSITION = 1024
"""Characters of a Content-Disposition header that are read."""
PART_SUFFIX = ".part"
"""Suffix of a partial file."""

_FORBIDDEN_CHARACTERS = r'[/\\:*?"<>|]+'
"""Path separators, and characters that some file system rejects."""
_PARAMETER = r'(?i);\s{0,20}(filename\*?)\s{0,20}=\s{0,20}("(?:[^"\\]|\\.)*"|[^;"][^;]*)'
"""Parameters of Content-Disposition with a file name: name and value (RFC 6266)."""
_ENCODED_WORD = r"=\?([\w-]+)\?([bqBQ])\?([^?]*)\?="
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


def extension(kind: str, url: str, media_type: str, sent_name: str) -> str:
    """Return the extension of a downloaded file: of its media type, else of its name, else its kind.

    `media_type` is the header Content-Type, `sent_name` the name in Content-Disposition; either may be "".
    """
    named = extensions((sent_name, unquote(urlsplit(url).path, errors="replace")))
    known = _MEDIA_EXTENSIONS.get(media_type.partition(";")[0].strip().lower())
    if known is None:
        return named[0] if named else kind
    return next((each for each in named if each in known), known[0])


def extensions(names: Iterable[str]) -> tuple[str, ...]:
    """Return the extensions of those names that have one."""
    return tuple(found for name in names if (found := _valid_extension(name.rpartition(".")[2])))


def without_extension(name: str) -> str:
    """Return a file name without its extension, if it has one."""
    stem, dot, end = name.rpartition(".")
    return stem if dot and re.fullmatch(EXTENSION_PATTERN, end) else name


def disposition_filename(disposition: str) -> str:
    """Return the file name in a Content-Disposition header, without a path before it; "": none.

    The header's text may be its bytes as Latin-1. It is read up to MAX_DISPOSITION, in every form that stores send:
    extended (RFC 8187), plain, RFC 2047 words, raw UTF-8 or GBK, percent-encoded. Takes linear time; raises nothing.
    """
    parameters: dict[str, str] = {}
    for name, value in re.findall(_PARAMETER, disposition[:MAX_DISPOSITION]):
        quoted = value.startswith('"')
        text = re.sub(r'\\(["\\])', r"\1", value[1:-1]) if quoted else value.strip()
        parameters.setdefault(name.lower(), text)
    found = _extended(parameters.get("filename*", "")) or _plain(parameters.get("filename", ""))
    return re.split(r"[/\\]", found)[-1]


def _extended(value: str) -> str:
    """Return the text of an extended value, `UTF-8''na%C3%AFve.mp4`; "": it is none."""
    charset, _, rest = value.partition("'")
    try:
        return unquote(rest.partition("'")[2], charset, "replace")
    except (ValueError, LookupError):
        return ""


def _plain(value: str) -> str:
    """Return the text of a plain value, in whichever encoding it was sent."""
    text = _decode_raw(value)
    if "=?" in text:
        text = re.sub(_ENCODED_WORD, _decode_word, re.sub(r"\?=\s+=\?", "?==?", text))
    if re.search("%[0-9A-Fa-f]{2}", text):
        with suppress(UnicodeDecodeError):
            text = unquote(text, errors="strict")
    return text


def _decode_raw(text: str) -> str:
    """Return the text of bytes given as Latin-1: UTF-8, else GBK if those beyond ASCII come in pairs, else Latin-1."""
    if text.isascii():
        return text
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:  # decoded already
        return text
    is_gbk = re.fullmatch(rb"(?:[\x00-\x7f]|[\x81-\xfe][\x80-\xfe])*", raw) is not None
    for charset in ("utf-8", *("gb18030",) * is_gbk):
        try:
            return raw.decode(charset)
        except UnicodeDecodeError:
            continue
    return text


def _decode_word(word: re.Match[str]) -> str:
    """Return the text of an RFC 2047 word; the word itself if it is damaged."""
    from binascii import Error, a2b_base64, a2b_qp  # most files need none

    try:
        data = a2b_base64(word[3]) if word[2] in "bB" else a2b_qp(word[3], header=True)
        return data.decode(word[1], "replace")
    except (Error, ValueError, LookupError):
        return word[0]


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
