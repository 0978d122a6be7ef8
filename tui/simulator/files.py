"""What the links lead to: made-up files, served with Range and ETag. It does not know who may fetch them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from urllib.parse import quote

from tui.simulator.http import SimulatedRequest, SimulatedResponse
from tui.simulator.scenario import ResolvedScenario

MEDIA_TYPES = {
    "mp4": "video/mp4",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "ass": "text/x-ssa",
    "txt": "text/plain; charset=utf-8",
}
"""Media type by the end of a file's name."""
CAPTION_SECONDS = 3
"""Seconds that a line of text is on the screen."""
_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


@dataclass(frozen=True, slots=True)
class SimulatedFile:
    """A file, whole in memory: the largest are less than a megabyte unless a story says so."""

    name: str
    """As the reader is to save it."""
    media_type: str
    content: bytes

    @property
    def etag(self) -> str:
        """The same for the same bytes: a renewed link leads to the same file."""
        return f'"{blake2b(self.content, digest_size=16).hexdigest()}"'


def make_file(scenario: ResolvedScenario, name: str) -> SimulatedFile:
    """Make the file called `name` of a story: the same bytes each time."""
    kind = name.rpartition(".")[2]
    if kind in ("mp4", "wav", "flac"):
        content = Random(f"{scenario.id}/{name}").randbytes(scenario.file_size)
    elif kind == "txt":
        content = scenario.text.encode()
    else:
        content = "".join(_captions(kind, scenario.text.splitlines())).encode()
    return SimulatedFile(f"{scenario.title}.{kind}", MEDIA_TYPES[kind], content)


def file_response(file: SimulatedFile, request: SimulatedRequest) -> SimulatedResponse:
    """Answer a request for `file`: whole, or the one range that is asked for (RFC 9110 §14)."""
    size = len(file.content)
    standing = {
        "etag": file.etag,
        "accept-ranges": "bytes",
        "content-disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
    }
    asked = _RANGE.match(request.headers.get("range", ""))
    if asked is None or request.headers.get("if-range", file.etag) != file.etag:
        return SimulatedResponse(200, file.content, file.media_type, standing)
    first, last = _resolve_range(asked[1], asked[2], size)
    if first > last:
        return SimulatedResponse(416, b"", file.media_type, {**standing, "content-range": f"bytes */{size}"})
    ranged = {**standing, "content-range": f"bytes {first}-{last}/{size}"}
    return SimulatedResponse(206, file.content[first : last + 1], file.media_type, ranged)


def _resolve_range(first: str, last: str, size: int) -> tuple[int, int]:
    """Return the first and the last byte of a range; first is beyond last where there is no such byte."""
    if first:
        return int(first), min(int(last), size - 1) if last else size - 1
    return (max(size - int(last), 0), size - 1) if last and int(last) else (size, size - 1)


def _captions(kind: str, lines: list[str]) -> Iterator[str]:
    """Yield a caption file in the form that `kind` says."""
    if kind == "vtt":
        yield "WEBVTT\n\n"
    elif kind == "ass":
        yield "[Script Info]\nScriptType: v4.00+\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
    for number, line in enumerate(lines):
        start, end = (
            f"00:{second // 60:02}:{second % 60:02}"
            for second in (number * CAPTION_SECONDS, (number + 1) * CAPTION_SECONDS)
        )
        if kind == "srt":
            yield f"{number + 1}\n{start},000 --> {end},000\n{line}\n\n"
        elif kind == "vtt":
            yield f"{start}.000 --> {end}.000\n{line}\n\n"
        else:
            yield f"Dialogue: 0,{start[1:]}.00,{end[1:]}.00,Default,{line}\n"
