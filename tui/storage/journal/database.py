"""SQLite file of the journal: opened, migrated, and renamed when damaged or too old. Its rows are left to others.

A file that was moved away or replaced while it is open is noticed, and the file now at the path is used instead.
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
"""Seconds that opening waits for other processes that create the file at the same moment."""
DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""SQLite's primary result codes for a damaged file."""
FILE_SUFFIXES = ("", "-wal", "-shm")
"""Suffixes of the files of a database in WAL mode."""


class JournalError(StorageError):
    """The journal cannot be used; the message names the file and the remedy."""


class UnreachableError(JournalError):
    """What processes share cannot be reached for now: one problem, whatever needs it."""


class UnwritableJournalError(JournalError):
    """The file cannot be created or written until the operator acts; a journal in memory can serve instead."""


class RefusedJournalError(JournalError):
    """The journal must not be used as it is (newer schema, network file system): the operator must act."""


class OutdatedProgramError(StorageError):
    """The program is too old even to read what processes share: it ends, and the operator updates it."""


class _OutdatedSchemaError(JournalError):
    """The journal has a schema that no migration can read."""


class Database:
    """SQLite file, or database in memory, with one connection for one thread at a time."""

    def __init__(
        self,
        path: Path | None,
        migrations: Sequence[str],
        on_open: Callable[[sqlite3.Connection], None],
        *,
        unsupported_version: int = 0,
    ) -> None:
        """Open the file, creating it (0600) if there is none. Raises JournalError.

        `path`: None for a database in memory. `migrations`: statements that make each schema of the one before it.
        SQLite's user_version is `unsupported_version` plus the number of migrations done; a file of an older program,
        with `unsupported_version` or less, is renamed. `on_open` is called with every connection, because the file may
        be replaced while it is in use.
        """
        self._path = path
        self._migrations = migrations
        self._unsupported_version = unsupported_version
        self._on_open = on_open
        self.notices: list[str] = []
        """Messages about renamed files, for the operator."""
        self.open_count = 0
        """Number of files opened so far, one after the other."""
        with self._translate_errors("cannot be opened"):
            self._connect()

    @property
    def _schema_version(self) -> int:
        return self._unsupported_version + len(self._migrations)

    def _connect(self) -> None:
        """Open the file at the path; rename one that is damaged or too old, and create a new one."""
        if self._path is not None and (kind := network_type(self._path.parent)):
            raise RefusedJournalError(
                f"{self._path}: the state folder is on a network file system ({kind}), where the locks of journal "
                "and poller are unreliable. Set BABELTOP_STATE_DIR to a folder on a local disk"
            )
        try:
            # of two processes that create a file at once, SQLite refuses one without a wait
            with _folder_lock(self._path, fcntl.LOCK_SH if self._has_content() else fcntl.LOCK_EX):
                self._open()
        except _OutdatedSchemaError:
            self._quarantine("outdated", "was written by an older babeltop")
        except sqlite3.Error as error:
            if _result_code(error) not in DAMAGE_CODES:
                raise
            self._quarantine("damaged", "was damaged")

    def _open(self) -> None:
        if self._path is not None and not self._path.exists():
            self._path.touch(mode=0o600)
        self._inode = self._current_inode()
        self._db = sqlite3.connect(
            self._path or ":memory:", timeout=OPEN_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            self._check_version()
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._migrate()
            self._db.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT * 1000)}")
            self._on_open(self._db)
            self.open_count += 1
        except BaseException:
            self._db.close()
            raise

    def _check_version(self) -> None:
        """Check the schema before anything is written. Raises RefusedJournalError, _OutdatedSchemaError."""
        found = self._user_version()
        if 0 < found <= self._unsupported_version:
            raise _OutdatedSchemaError(f"{self._path}: the journal was written by an older babeltop (schema {found})")
        if found > self._schema_version:
            raise RefusedJournalError(
                f"{self._path}: the journal was written by a newer babeltop (schema {found}). "
                "Update babeltop, or point BABELTOP_STATE_DIR at another folder"
            )

    def _user_version(self) -> int:
        return self._db.execute("PRAGMA user_version").fetchone()[0]

    def _migrate(self) -> None:
        if self._user_version() == self._schema_version:
            return
        with _transaction(self._db):
            done = max(0, self._user_version() - self._unsupported_version)  # another process may have been faster
            for migration in self._migrations[done:]:
                for statement in migration.split(";\n"):
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version={self._schema_version}")

    @contextmanager
    def connection(self) -> Generator[sqlite3.Connection]:
        """Yield the connection, for statements that read. Raises JournalError."""
        with self._translate_errors("could not be read"):
            self._reopen_if_replaced()
            yield self._db

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Yield the connection within one immediate transaction. Raises JournalError, with nothing written."""
        with self._translate_errors("could not be written"):
            self._reopen_if_replaced()
            with _transaction(self._db):
                yield self._db

    @contextmanager
    def _translate_errors(self, failure: str) -> Generator[None]:
        """Raise SQLite's errors as JournalError with the text `failure`; rename a damaged file."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            remedy = _remedy(error)
            if _result_code(error) in DAMAGE_CODES:
                with suppress(sqlite3.Error, OSError):
                    self._quarantine("damaged", "was damaged")
                    remedy = "The damaged file was renamed, and a new journal was created"
            kind = UnwritableJournalError if _is_unusable(error) else JournalError
            raise kind(f"{self._path}: the journal {failure}: {error}. {remedy}") from error

    def _reopen_if_replaced(self) -> None:
        """Open the file at the path if it is another than the open one."""
        if self._current_inode() != self._inode:
            self._db.close()
            self._connect()

    def _current_inode(self) -> int | None:
        """Return the inode of the file at the path, or None if there is none."""
        try:
            return None if self._path is None else self._path.stat().st_ino
        except FileNotFoundError:
            return None

    def _has_content(self) -> bool:
        """Return whether there is more than an empty file at the path."""
        try:
            return self._path is not None and self._path.stat().st_size > 0
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _quarantine(self, suffix: str, reason: str) -> None:
        """Rename the open file to NAME.SUFFIX-DATE, unless another process has, and open a new one."""
        assert self._path is not None, "a database in memory is never damaged"
        self._db.close()
        with _folder_lock(self._path, fcntl.LOCK_EX):
            if self._current_inode() == self._inode:
                renamed = _free_path(self._path, f"{suffix}-{datetime.now(UTC):%Y-%m-%d}")
                for each in FILE_SUFFIXES:
                    with suppress(FileNotFoundError):
                        Path(f"{self._path}{each}").rename(f"{renamed}{each}")
                self.notices.append(
                    f"{self._path}: the journal {reason}: renamed to {renamed.name}, and a new one was created"
                )
            self._open()

    def close(self) -> None:
        """Close the connection; the last one to close merges the write-ahead log."""
        self._db.close()


@contextmanager
def _transaction(db: sqlite3.Connection) -> Generator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # the first error is the one to report
            if db.in_transaction:
                db.execute("ROLLBACK")
        raise


@contextmanager
def _folder_lock(path: Path | None, mode: int) -> Generator[None]:
    """Lock the folder of the file: LOCK_SH to open the file, LOCK_EX to create or rename it.

    A file opened between the renames of another and of its write-ahead log would lose its own log.
    """
    if path is None:
        yield
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, mode)
        yield
    finally:
        os.close(folder)


def _free_path(path: Path, suffix: str) -> Path:
    """Return a path beside `path` that no file has yet."""
    found, number = path.with_name(f"{path.name}.{suffix}"), 1
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}.{suffix}-{number}")
    return found


def _result_code(error: Exception) -> int:
    """Return SQLite's primary result code, or 0 for another library's error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_unusable(error: Exception) -> bool:
    """Return whether the file, its folder or its disk cannot be used until the operator acts."""
    return isinstance(error, OSError) or _result_code(error) in {
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
    }


def _remedy(error: Exception) -> str:
    """Return what the operator can do about the error."""
    match _result_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "Another program has locked it"
        case sqlite3.SQLITE_FULL:
            return "The disk is full"
        case sqlite3.SQLITE_IOERR:
            return "The disk is full or damaged"
        case _ if _is_unusable(error):
            return "Check the permissions of the file and its folder"
        case _:
            return "Move it away to start a new one; the watchlist is not in it"
