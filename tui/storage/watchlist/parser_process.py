"""Parser of a large watchlist in a process of its own: in a thread, it would hold the interpreter's lock.

The process gets no environment, so no keys, and returns the content on its stdout.
"""

import subprocess
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from tui.domain.models import Job
from tui.storage.watchlist.content import WatchlistContent, WatchlistError
from tui.storage.watchlist.file import WatchlistFile

LARGE_FILE = 256 * 1024
"""Bytes from which a watchlist is parsed in a process: some 2,000 jobs. Below, 0.1 s of parsing is no longer than the
start of the process."""
TIMEOUT = 60.0
"""Seconds. The largest watchlist takes 6 s."""
_SCRIPT = "import sys; sys.path[:] = sys.argv[2:]; from tui.storage.watchlist.parser_process import main; main()"


class _Result(Struct):
    """What the process returns: the content, or the fields of a WatchlistError."""

    jobs: tuple[Job, ...] = ()
    problems: tuple[str, ...] = ()
    error: str = ""
    line: int | None = None
    column: int | None = None


def read_in_process(path: Path) -> WatchlistContent:
    """Return the content of the file, as `WatchlistFile.read`. Blocks. Raises WatchlistError."""
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
    return WatchlistContent(found.jobs, found.problems)


def main() -> None:
    """Parse the file of the first argument and write the result to stdout."""
    try:
        content = WatchlistFile(Path(sys.argv[1])).read()
        result = _Result(jobs=content.jobs, problems=content.problems)
    except WatchlistError as error:
        result = _Result(error=error.reason, line=error.line, column=error.column)
    sys.stdout.buffer.write(msgspec.msgpack.encode(result))
