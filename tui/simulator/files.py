"""Generated files behind the links, served with Range and ETag. Access is checked by `link_store` and `app`."""

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from urllib.parse import quote

from tui.simulator.http import SimulatedRequest, SimulatedResponse, xml_error
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
"""Media type by file suffix."""
CAPTION_SECONDS = 3
"""Duration of one caption. Seconds."""
_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


@dataclass(frozen=True, slots=True)
class SimulatedFile:
    """File in memory: less than 1 MB, unless the scenario sets its size."""

    name: str
    """Name for saving, as in Content-Disposition."""
    media_type: str
    content: bytes

    @property
    def etag(self) -> str:
        """Strong ETag: equal for equal bytes, so a renewed link has the same one."""
        return f'"{blake2b(self.content, digest_size=16).hexdigest()}"'


def make_file(scenario: ResolvedScenario, name: str) -> SimulatedFile:
    """Return the file `name` of a scenario: the same bytes each time."""
    kind = name.rpartition(".")[2]
    if kind in ("mp4", "wav", "flac"):
        content = Random(f"{scenario.id}/{name}").randbytes(scenario.file_size)
    elif kind == "txt":
        content = scenario.text.encode()
    else:
        content = "".join(_captions(kind, scenario.text.splitlines())).encode()
    return SimulatedFile(f"{scenario.title}.{kind}", MEDIA_TYPES[kind], content)


def file_response(file: SimulatedFile, request: SimulatedRequest) -> SimulatedResponse:
    """Return `file`, or the one requested range of it (RFC 9110 §14)."""
    size = len(file.content)
    headers = {
        "etag": file.etag,
        "accept-ranges": "bytes",
        "content-disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
    }
    match = _RANGE.match(request.headers.get("range", ""))
    if match is None or request.headers.get("if-range", file.etag) != file.etag:
        return SimulatedResponse(200, file.content, file.media_type, headers)
    first, last = _resolve_range(match[1], match[2], size)
    if first > last:
        return SimulatedResponse(416, b"", file.media_type, {**headers, "content-range": f"bytes */{size}"})
    ranged = {**headers, "content-range": f"bytes {first}-{last}/{size}"}
    return SimulatedResponse(206, file.content[first : last + 1], file.media_type, ranged)


def altered_file_response(behaviour: str, file: SimulatedFile, request: SimulatedRequest) -> SimulatedResponse:
    """Return the file as the store of a scenario sends it: `members` compressed in two parts, `norange` only whole."""
    if behaviour == "norange" and "range" in request.headers:
        return xml_error(403, "AccessDenied", "Access denied")
    if behaviour != "members":
        return file_response(file, request)
    half = len(file.content) // 2
    body = gzip.compress(file.content[:half], mtime=0) + gzip.compress(file.content[half:], mtime=0)
    return SimulatedResponse(200, body, file.media_type, {"content-encoding": "aws-chunked,gzip"})


def _resolve_range(first: str, last: str, size: int) -> tuple[int, int]:
    """Return the first and the last byte of a range; first is beyond last if the range is unsatisfiable."""
    if first:
        return int(first), min(int(last), size - 1) if last else size - 1
    return (max(size - int(last), 0), size - 1) if last and int(last) else (size, size - 1)


def _captions(kind: str, lines: list[str]) -> Iterator[str]:
    """Yield the parts of a caption file of the format `kind`."""
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
