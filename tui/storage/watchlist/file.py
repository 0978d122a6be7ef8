"""Watchlist file: read whole, edited under a lock, replaced in one step. Its text is left to `parser` and `editor`.

The file belongs to the operator, and other programs write it too: an edit starts from the present text, and what an
editor saves meanwhile is never overwritten.
"""

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.storage.watchlist.content import WatchlistContent, WatchlistError
from tui.storage.watchlist.operations import EditResult, Operation

if TYPE_CHECKING:
    from tui.storage.watchlist.editor import EditedWatchlist

LOCK_TIMEOUT = 10.0
"""Seconds to wait for another writer: an edit of 10,000 jobs takes one or two."""
LOCK_POLL = 0.01
"""Seconds between tries for the lock."""
MAX_BYTES = 16 * 1024 * 1024
"""Bytes of a watchlist, some 100,000 jobs: parsing them takes 6 s."""
MAX_ATTEMPTS = 5
"""Attempts at an edit while a program without the lock keeps writing."""


class WatchlistFile:
    """Watchlist at a path. It keeps no state, so that any thread may use it. Its methods raise WatchlistError."""

    def __init__(self, path: Path, lock_timeout: float = LOCK_TIMEOUT) -> None:
        """`lock_timeout`: seconds to wait for another writer."""
        self.path = path
        self._lock_timeout = lock_timeout

    def stamp(self) -> tuple[int, int, int] | None:
        """Return inode, size in bytes and mtime in ns, which differ after every edit, or None if there is no file."""
        with _translate_errors(self.path):
            try:
                status = self.path.stat()
            except FileNotFoundError:
                return None
            return status.st_ino, status.st_size, status.st_mtime_ns

    def read(self) -> WatchlistContent:
        """Return the content of the file, sanitized; without a file, an empty one. Creates no file."""
        from tui.storage.watchlist.parser import parse, sanitized  # the cache serves a first frame without

        with _translate_errors(self.path):
            return sanitized(parse(self._read_text()))

    def tables(self) -> list[dict[str, Any]]:
        """Return the tables of the jobs, with the keys that are no field of a job. Raises WatchlistError."""
        from tui.storage.watchlist.parser import job_array, parse_jobs, parse_toml

        with _translate_errors(self.path):
            text = self._read_text()
            root = parse_toml(text)
            parse_jobs(root, text)  # raises for jobs without account or id
            return job_array(root, text)

    def edit(self, operation: Operation) -> tuple[WatchlistContent, EditResult]:
        """Apply an operation to the file as it is; one that changes nothing does not write.

        Blocks while another writer holds the lock, for at most the lock timeout. A new file is 0600, in a folder of
        0700; an existing file keeps its mode.
        """
        from tui.storage.watchlist.parser import sanitized

        with _translate_errors(self.path):
            real = Path(os.path.realpath(self.path))
            real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(real.with_name(f".{real.name}.lock"), self._lock_timeout):
                change = self._replace(real, operation)
            return sanitized(change.content), change.result

    def _read_text(self) -> str:
        try:
            if stat.S_ISFIFO(self.path.stat().st_mode):  # reading would block until a writer comes
                raise WatchlistError("is a pipe: the watchlist must be a regular file, because it is read repeatedly")
            with self.path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return ""
        if len(content) > MAX_BYTES:
            raise WatchlistError(
                f"is larger than {MAX_BYTES // 1024**2} MiB: divide it, and start one console for each"
            )
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            reason = f"byte {content[error.start]:#04x} is not UTF-8: save the file as UTF-8"
            raise WatchlistError(reason, line=line) from error

    def _replace(self, real: Path, operation: Operation) -> "EditedWatchlist":
        from tui.storage.watchlist.editor import apply  # only where something is written

        draft = real.with_name(f".{real.name}.tmp")  # left by a killed writer, because the lock is held
        try:
            for _ in range(MAX_ATTEMPTS):
                stamp, text = self.stamp(), self._read_text()
                change = apply(text, operation)
                if change.text == text:
                    return change
                _write_draft(draft, real, change.text)
                if self.stamp() == stamp:
                    draft.replace(real)
                    _sync_folder(real.parent)
                    return change
        finally:
            draft.unlink(missing_ok=True)
        raise WatchlistError("another program keeps writing it: retry when that has finished")


def _write_draft(draft: Path, real: Path, text: str) -> None:
    """Write `text` to disk as the replacement of `real`, with its mode and, if permitted, its owner."""
    try:
        content = text.encode()
    except UnicodeEncodeError as error:
        raise WatchlistError("nothing was written: the text cannot be encoded as UTF-8") from error
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
        with suppress(FileNotFoundError):
            os.close(os.open(real, os.O_WRONLY))  # the folder would allow what the file's mode forbids
            status = real.stat()
            with suppress(PermissionError):
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # the new file is in place; some network file systems cannot sync a folder
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(lock: Path, timeout: float) -> Generator[None]:
    from filelock import FileLock, Timeout  # only where something is written: `list` starts without it

    if lock.is_symlink():  # filelock follows none either, but does not tell why
        raise WatchlistError(f"nothing was written: {lock} is a symbolic link, perhaps another user's: remove it")
    held = FileLock(lock, timeout=timeout, mode=0o600, thread_local=False)
    try:
        held.acquire(poll_interval=LOCK_POLL)
    except Timeout as error:
        reason = (
            f"nothing was written: another babeltop has held {lock} for {timeout:g} s: `fuser {lock}` shows its PID"
        )
        raise WatchlistError(reason) from error
    try:
        yield
    finally:
        held.release()


@contextmanager
def _translate_errors(path: Path) -> Generator[None]:
    """Raise system errors as WatchlistError, and add the path to each."""
    try:
        yield
    except WatchlistError as error:
        error.path = path
        raise
    except OSError as error:
        other = f" ({error.filename})" if error.filename and str(error.filename) != str(path) else ""
        raise WatchlistError(f"{error.strerror or error}{other}", path=path) from error
