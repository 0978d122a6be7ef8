"""The journal's file: opened, laid out, and set aside where it is damaged. What its tables mean is told elsewhere.

A file that was moved away or replaced while it is open is noticed, and the one that stands there now is used instead.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from tui.errors import StorageError
from tui.storage.filesystem import network_type

BUSY_TIMEOUT = 0.25
"""Seconds that a write waits for another process's."""
OPEN_TIMEOUT = 5.0
"""Seconds that opening waits for other processes that make the file at the same moment."""
DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""SQLite's primary result codes for a file that is no good any more."""
FILE_SUFFIXES = ("", "-wal", "-shm")
"""What a database in WAL mode consists of, by what follows its name."""


class JournalError(StorageError):
    """The journal cannot be used; the text names the file and the way out."""


class UnwritableJournalError(JournalError):
    """There can be no file where it should be, until a person has seen to it."""


class RefusedJournalError(JournalError):
    """It is not to be used as it is, and a person must act: a newer layout, a network file system."""


class Database:
    """One SQLite file, or a database in memory. One connection, for one thread at a time."""

    def __init__(
        self, path: Path | None, migrations: Sequence[str], on_open: Callable[[sqlite3.Connection], None]
    ) -> None:
        """Opens the file, making it (0600) where there is none. Raises JournalError.

        `layouts`: the statements that make each layout out of the one before it; how many there are is kept in
        SQLite's user_version. `opened` is called with every connection: a file may be replaced while it is used.
        `path` None: nothing is kept.
        """
        self._path = path
        self._migrations = migrations
        self._on_open = on_open
        self.notices: list[str] = []
        """What became of damaged files, for an operator."""
        self.open_count = 0
        """Files that were opened, one after the other: another number than before is another file."""
        with self._translate_errors("cannot be opened"):
            self._connect()

    def _connect(self) -> None:
        """Opens the file that stands at the path now; one that is damaged is set aside for a new one."""
        try:
            self._open()
        except sqlite3.Error as error:
            if _result_code(error) not in DAMAGE_CODES:
                raise
            self._quarantine()

    def _open(self) -> None:
        if self._path is not None:
            if kind := network_type(self._path.parent):
                raise RefusedJournalError(
                    f"{self._path}: the state folder lies on a network file system ({kind}), where the journal and its "
                    "locks do not hold. Point BABELTOP_STATE_DIR at a folder on a local disk"
                )
            if not self._path.exists():
                self._path.touch(mode=0o600)
        self._inode = self._current_inode()
        self._db = sqlite3.connect(
            self._path or ":memory:", timeout=OPEN_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            self._refuse_newer()
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._migrate()
            self._db.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT * 1000)}")
            self._on_open(self._db)
            self.open_count += 1
        except BaseException:
            self._db.close()
            raise

    def _refuse_newer(self) -> None:
        """Before anything is changed. Raises RefusedJournalError."""
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found > len(self._migrations):
            raise RefusedJournalError(
                f"{self._path}: the journal was written by a newer babeltop (schema {found}). "
                "Update babeltop, or point BABELTOP_STATE_DIR at another folder"
            )

    def _migrate(self) -> None:
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found == len(self._migrations):
            return
        with _transaction(self._db):
            (found,) = self._db.execute("PRAGMA user_version").fetchone()  # another process may have been faster
            for layout in self._migrations[found:]:
                for statement in layout.split(";\n"):
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version={len(self._migrations)}")

    @contextmanager
    def connection(self) -> Generator[sqlite3.Connection]:
        """The connection, for statements that read. Raises JournalError."""
        with self._translate_errors("could not be read"):
            self._reopen_if_replaced()
            yield self._db

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """The connection within one immediate transaction, whole or not at all. Raises JournalError."""
        with self._translate_errors("could not be written"):
            self._reopen_if_replaced()
            with _transaction(self._db):
                yield self._db

    @contextmanager
    def _translate_errors(self, failure: str) -> Generator[None]:
        """Turns SQLite's errors into JournalErrors: the journal `what`. A file that is damaged is set aside."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            way_out = _remedy(error)
            if _result_code(error) in DAMAGE_CODES:
                with suppress(sqlite3.Error, OSError):
                    self._quarantine()
                    way_out = "The damaged file is set aside, and a new one has begun"
            kind = UnwritableJournalError if _is_unusable(error) else JournalError
            raise kind(f"{self._path}: the journal {failure}: {error}. {way_out}") from error

    def _reopen_if_replaced(self) -> None:
        """Goes over to the file that stands at the path now, if that is another than the one that is open."""
        if self._current_inode() != self._inode:
            self._db.close()
            self._connect()

    def _current_inode(self) -> int | None:
        """The inode of what stands at the path; None: nothing, or the path is none."""
        try:
            return None if self._path is None else self._path.stat().st_ino
        except FileNotFoundError:
            return None

    def _quarantine(self) -> None:
        """Renames the damaged file, unless another process has, and opens a new one."""
        assert self._path is not None, "what is in memory is not damaged"
        self._db.close()
        with _exclusive(self._path):
            if self._current_inode() == self._inode:
                aside = _free_path(self._path, f"damaged-{datetime.now(UTC):%Y-%m-%d}")
                for part in FILE_SUFFIXES:
                    with suppress(FileNotFoundError):
                        Path(f"{self._path}{part}").rename(f"{aside}{part}")
                self.notices.append(
                    f"{self._path}: the journal was damaged: it is {aside.name} now. A new one has begun"
                )
            self._open()

    def close(self) -> None:
        """Ends the connection; the last one to close merges the write-ahead log."""
        self._db.close()


@contextmanager
def _transaction(db: sqlite3.Connection) -> Generator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # the first error is the one to tell
            if db.in_transaction:
                db.execute("ROLLBACK")
        raise


@contextmanager
def _exclusive(path: Path) -> Generator[None]:
    """Holds off other processes that would set the same file aside; a rename takes no time."""
    lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _free_path(path: Path, suffix: str) -> Path:
    """A name beside `path` that no file has yet."""
    found, number = path.with_name(f"{path.name}.{suffix}"), 1
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}.{suffix}-{number}")
    return found


def _result_code(error: Exception) -> int:
    """SQLite's primary result code; 0 where the error is Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_unusable(error: Exception) -> bool:
    """The file, its folder or its disk cannot be used as they are."""
    return isinstance(error, OSError) or _result_code(error) in {
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
    }


def _remedy(error: Exception) -> str:
    """What an operator can do about it."""
    match _result_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "Another program holds it; it is tried again"
        case sqlite3.SQLITE_FULL:
            return "The disk is full"
        case sqlite3.SQLITE_IOERR:
            return "The disk is full or damaged"
        case _ if _is_unusable(error):
            return "See to the rights of the file and its folder"
        case _:
            return "Move it away to begin anew; the watchlist is not in it"
