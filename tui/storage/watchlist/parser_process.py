"""Parser of a large watchlist in a process of its own: in a thread, it would hold the interpreter's lock.

The process gets no environment, so no keys, and returns the content on its stdout, in parts: to decode 100,000 jobs at
once would hold that lock for 0.2 s.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

from tui.domain.models import Job
from tui.storage.watchlist.cache import FileStamp, WatchlistCache
from tui.storage.watchlist.content import WatchlistContent, WatchlistError
from tui.storage.watchlist.file import WatchlistFile

LARGE_FILE = 256 * 1024
"""Bytes from which a watchlist is parsed in a process: some 2,000 jobs. Below, 0.1 s of parsing is no longer than the
start of the process."""
TIMEOUT = 60.0
"""Seconds. The largest watchlist takes 6 s."""
NICENESS = 5
"""Niceness added to the process: on two cores, keys and polls waited for it."""
_SCRIPT = "import sys; sys.path[:] = sys.argv[2:]; from tui.storage.watchlist.parser_process import main; main()"


PART_JOBS = 500
"""Jobs of a part, which are decoded in about a millisecond."""


class ParsedWatchlist(NamedTuple):
    """Content of a watchlist as the process returned it."""

    parts: list[Raw]
    """Encoded jobs, PART_JOBS in each."""
    problems: tuple[str, ...]
    cache: dict[str, Raw]
    """Encoded cache of it: the values to save as UI state, by name."""

    def jobs(self) -> Iterator[list[Job]]:
        """Yield the jobs of each part."""
        decoder = msgspec.msgpack.Decoder(list[Job])
        return map(decoder.decode, self.parts)


class _Result(Struct):
    """What the process returns: a ParsedWatchlist, or the fields of a WatchlistError."""

    parts: list[Raw] = []
    problems: tuple[str, ...] = ()
    cache: dict[str, bytes] = {}
    error: str = ""
    line: int | None = None
    column: int | None = None


def read_in_process(path: Path) -> ParsedWatchlist:
    """Return what `WatchlistFile.read` returns, in parts. Blocks. Raises WatchlistError."""
    command = [sys.executable, "-I", "-c", _SCRIPT, str(path), *sys.path]
    try:
        done = subprocess.run(  # noqa: S603 - this program
            command, stdin=subprocess.DEVNULL, capture_output=True, env={}, timeout=TIMEOUT, check=True
        )
        found = msgspec.msgpack.decode(done.stdout, type=_Result)
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError) as error:
        reason = f"cannot be parsed ({type(error).__name__}): if it is correct, divide it into smaller ones"
        raise WatchlistError(reason, path=path) from None
    if found.error:
        raise WatchlistError(found.error, path=path, line=found.line, column=found.column)
    return ParsedWatchlist(found.parts, found.problems, {name: Raw(value) for name, value in found.cache.items()})


def main() -> None:
    """Parse the file of the first argument and write the result to stdout."""
    os.nice(NICENESS)
    path = Path(sys.argv[1])
    try:
        stamp = WatchlistFile(path).stamp()
        result = _encoded(WatchlistFile(path).read(), path, stamp)
    except WatchlistError as error:
        result = _Result(error=error.reason, line=error.line, column=error.column)
    sys.stdout.buffer.write(msgspec.msgpack.encode(result))


def _encoded(content: WatchlistContent, path: Path, stamp: FileStamp | None) -> _Result:
    """Return a content with its cache. `stamp`: of the file, before it was read."""
    jobs = content.jobs
    parts = [Raw(msgspec.msgpack.encode(jobs[start : start + PART_JOBS])) for start in range(0, len(jobs), PART_JOBS)]
    cache = WatchlistCache.from_content(path, stamp, content).to_ui_state()
    encoded = {name: msgspec.json.encode(value) for name, value in cache.items()}
    return _Result(parts=parts, problems=content.problems, cache=encoded)
