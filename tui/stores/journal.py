"""The journal: what was seen of every job, in SQLite. It remembers; it decides nothing.

For each ref the last state and raw body; phase changes with both their times; every link with the moment its URL was
first seen; what the screen remembers. Writes come in batches, each one transaction.
"""

import sqlite3
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom

import msgspec
from msgspec import Struct

from tui.domain.board import JobState, PhaseChange, known_at
from tui.domain.jobs import Phase, Ref

VERSION = 1
"""The layout below, kept in SQLite's user_version."""
BUSY = 0.25
"""Seconds that a write waits for another process's."""
OPENING = 5.0
"""Seconds that opening waits for other processes that make the file at the same moment."""
BODY_MOST = 64 * 1024
"""Bytes of a raw body that are kept."""
FEW = 200
"""Jobs up to which each is looked up by itself; for more, all are read."""

LAYOUT = """
CREATE TABLE job (
  account TEXT NOT NULL, id TEXT NOT NULL, phase TEXT NOT NULL, state BLOB NOT NULL, known_at REAL NOT NULL,
  rev INTEGER NOT NULL, writer INTEGER NOT NULL, body BLOB, body_at REAL, PRIMARY KEY (account, id)) WITHOUT ROWID;
CREATE INDEX job_rev ON job (rev);
CREATE TABLE phase (
  seq INTEGER PRIMARY KEY, account TEXT NOT NULL, id TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
  earliest REAL, seen REAL NOT NULL, message TEXT NOT NULL);
CREATE INDEX phase_job ON phase (account, id, seen);
CREATE TABLE link (
  account TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, url TEXT NOT NULL, first_seen REAL NOT NULL,
  expires_at REAL, exact INTEGER NOT NULL, PRIMARY KEY (account, id, kind, url)) WITHOUT ROWID;
CREATE TABLE remembered (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""


class JournalError(Exception):
    """The journal cannot be used; the text names the file and the way out."""


class Entry(Struct, frozen=True):
    """One job's news: its state, and what led to it."""

    state: JobState
    change: PhaseChange | None = None
    body: bytes | None = None
    """The raw body of the last reply, already without the key; None: none came."""
    at: float = 0.0
    """Instant of that reply."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(JobState).decode


class Journal:
    """The journal in one file. One connection, for one thread."""

    def __init__(self, path: Path) -> None:
        """Opens the file, making it (0600) and its layout where there is none. Raises JournalError."""
        self._path = path
        self._writer = SystemRandom().getrandbits(62)
        """This connection's name in the rows that it wrote."""
        try:
            if not path.exists():
                path.touch(mode=0o600)
            self._db = sqlite3.connect(path, timeout=OPENING, isolation_level=None)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"{path}: the journal cannot be opened: {error}") from error
        try:
            self._open()
        except sqlite3.Error as error:
            self.close()
            raise JournalError(f"{path}: the journal cannot be opened: {error}. {_way_out(error)}") from error
        except JournalError:
            self.close()
            raise

    def _open(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._lay_out()
        self._db.execute(f"PRAGMA busy_timeout={int(BUSY * 1000)}")
        self._version: int = self._db.execute("PRAGMA data_version").fetchone()[0]
        self._rev: int = self._db.execute("SELECT coalesce(max(rev), 0) FROM job").fetchone()[0]

    def _lay_out(self) -> None:
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found > VERSION:
            raise JournalError(
                f"{self._path}: the journal was written by a newer babeltop (layout {found}, not {VERSION}). "
                "Update babeltop, or point BABELTOP_STATE_DIR at another folder"
            )
        if found == 0:
            with self._writing():
                if self._db.execute("PRAGMA user_version").fetchone() == (0,):
                    for statement in LAYOUT.split(";\n"):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version={VERSION}")

    @contextmanager
    def _writing(self) -> Generator[None]:
        """One immediate transaction, whole or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _told(self, what: str) -> Generator[None]:
        """Turns SQLite's errors into JournalErrors."""
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(f"{self._path}: the journal could not be {what}: {error}. {_way_out(error)}") from error

    def record(self, entries: Sequence[Entry]) -> tuple[PhaseChange, ...]:
        """Writes the batch and returns the phase changes that this process was the first to record.

        A change is recorded only if the stored phase is another than its `after`: where two processes see the same
        end, one of them records it. An entry that knows less than another process wrote meanwhile is left out: `news`
        tells what that was. Raises JournalError.
        """
        recorded: list[PhaseChange] = []
        with self._told("written"), self._writing():
            (rev,) = self._db.execute("SELECT coalesce(max(rev), 0) + 1 FROM job").fetchone()
            for entry in entries:
                phase, outdated = self._stored(entry.state)
                if outdated:
                    continue
                if entry.change is not None and entry.change.after != phase:
                    self._add_change(entry.change)
                    recorded.append(entry.change)
                self._put(entry, rev)
        return tuple(recorded)

    def _stored(self, state: JobState) -> tuple[str, bool]:
        """The stored phase, and whether another process has written what this state does not know yet."""
        row = self._db.execute(
            "SELECT phase, writer <> ? AND rev > ? AND known_at > ? FROM job WHERE account=? AND id=?",
            (self._writer, self._rev, known_at(state), *state.job.ref),
        ).fetchone()
        return (row[0], bool(row[1])) if row else (Phase.NEW, False)

    def _add_change(self, change: PhaseChange) -> None:
        self._db.execute(
            "INSERT INTO phase (account, id, before, after, earliest, seen, message) VALUES (?,?,?,?,?,?,?)",
            (*change.ref, change.before, change.after, change.earliest, change.seen, change.message),
        )

    def _put(self, entry: Entry, rev: int) -> None:
        state, ref = entry.state, entry.state.job.ref
        body = entry.body[:BODY_MOST] if entry.body is not None else None
        self._db.execute(
            "INSERT INTO job (account, id, phase, state, known_at, rev, writer, body, body_at) "
            "VALUES (?,?,?,?,?,?,?,?,?) "
            "ON CONFLICT DO UPDATE SET phase=excluded.phase, state=excluded.state, known_at=excluded.known_at, "
            "rev=excluded.rev, writer=excluded.writer, body=coalesce(excluded.body, body), "
            "body_at=CASE WHEN excluded.body IS NULL THEN body_at ELSE excluded.body_at END",
            (*ref, state.phase, _encode(state), known_at(state), rev, self._writer, body, entry.at),
        )
        self._db.executemany(
            "INSERT INTO link VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            [(*ref, link.kind, link.url, link.first_seen, link.expires_at, link.exact) for link in state.links],
        )

    def states(self, refs: Collection[Ref] | None = None) -> dict[Ref, JobState]:
        """The last known state of every job that was ever seen, or of these. Raises JournalError.

        A row that no longer reads is left out.
        """
        with self._told("read"):
            if refs is None or len(refs) > FEW:
                found = _states(self._db.execute("SELECT state FROM job"))
                return found if refs is None else {ref: found[ref] for ref in refs if ref in found}
            one = "SELECT state FROM job WHERE account=? AND id=?"
            return _states(row for ref in refs for row in self._db.execute(one, ref))

    def news(self) -> dict[Ref, JobState]:
        """The states that other processes have written since `news` was last called. Raises JournalError."""
        with self._told("read"):
            (version,) = self._db.execute("PRAGMA data_version").fetchone()
            if version == self._version:
                return {}
            (rev,) = self._db.execute("SELECT coalesce(max(rev), 0) FROM job").fetchone()
            rows = self._db.execute("SELECT state FROM job WHERE rev > ? AND writer <> ?", (self._rev, self._writer))
            found = _states(rows)
        self._version, self._rev = version, rev
        return found

    def body(self, ref: Ref) -> tuple[bytes, float] | None:
        """The last raw body of a job and the instant at which it came. Raises JournalError."""
        with self._told("read"):
            row = self._db.execute("SELECT body, body_at FROM job WHERE account=? AND id=?", ref).fetchone()
        return (row[0], row[1]) if row and row[0] is not None else None

    def changes(self, refs: Iterable[Ref]) -> dict[Ref, tuple[PhaseChange, ...]]:
        """The phase changes of the jobs, oldest first. Raises JournalError."""
        with self._told("read"):
            return {ref: tuple(self._changes(ref)) for ref in refs}

    def _changes(self, ref: Ref) -> Iterator[PhaseChange]:
        rows = self._db.execute(
            "SELECT before, after, earliest, seen, message FROM phase WHERE account=? AND id=? ORDER BY seq", ref
        )
        for before, after, earliest, seen, message in rows:
            yield PhaseChange(ref, Phase(before), Phase(after), earliest, seen, message)

    def remember(self, values: Mapping[str, object]) -> None:
        """Keeps what the screen wants back at the next start. Raises JournalError."""
        with self._told("written"), self._writing():
            self._db.executemany(
                "INSERT OR REPLACE INTO remembered VALUES (?,?)",
                [(name, msgspec.json.encode(value)) for name, value in values.items()],
            )

    def remembered(self) -> dict[str, object]:
        """What `remember` kept. Raises JournalError."""
        with self._told("read"):
            rows = self._db.execute("SELECT name, value FROM remembered")
            return {name: msgspec.json.decode(value) for name, value in rows}

    def close(self) -> None:
        """Ends the connection; the last one to close merges the write-ahead log."""
        self._db.close()


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where the error is Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _way_out(error: sqlite3.Error) -> str:
    """What an operator can do about it."""
    match _code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "Another program holds it; it is tried again"
        case sqlite3.SQLITE_FULL:
            return "The disk is full"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return "See to the rights of the file and its folder"
        case _:
            return "Move it away to begin anew; the watchlist is not in it"


def _states(rows: Iterable[tuple[bytes]]) -> dict[Ref, JobState]:
    found: dict[Ref, JobState] = {}
    for (blob,) in rows:
        try:
            state = _decode(blob)
        except msgspec.DecodeError:
            continue  # written by another layout of JobState: the next ask writes it anew
        found[state.job.ref] = state
    return found
