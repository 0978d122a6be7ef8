"""The journal: what was seen of every job, in SQLite. It remembers; it decides nothing.

For each ref the last state and raw body; phase changes with both their times; every link with the moment its URL was
first seen; what the screen remembers. Writes come in batches, each one transaction.
"""

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from tui.domain.board import JobState, PhaseChange
from tui.domain.jobs import Phase, Ref

VERSION = 1
"""The layout below, kept in SQLite's user_version."""
BUSY = 0.25
"""Seconds that a write waits for another process's."""
BODY_MOST = 64 * 1024
"""Bytes of a raw body that are kept."""

LAYOUT = """
CREATE TABLE job (
  account TEXT NOT NULL, id TEXT NOT NULL, phase TEXT NOT NULL, state BLOB NOT NULL, rev INTEGER NOT NULL,
  body BLOB, body_at REAL, PRIMARY KEY (account, id)) WITHOUT ROWID;
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
        try:
            if not path.exists():
                path.touch(mode=0o600)
            self._db = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._lay_out()
            (self._version,) = self._db.execute("PRAGMA data_version").fetchone()
            (self._rev,) = self._db.execute("SELECT coalesce(max(rev), 0) FROM job").fetchone()
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"{path}: the journal cannot be opened: {error}. Move it away to begin anew") from error

    def _lay_out(self) -> None:
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found > VERSION:
            self.close()
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
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def record(self, entries: Sequence[Entry]) -> tuple[PhaseChange, ...]:
        """Writes the batch and returns the phase changes that this process was the first to record.

        A change is recorded only if the stored phase is another than its `after`: where two processes see the same
        end, one of them records it. Raises JournalError.
        """
        recorded: list[PhaseChange] = []
        try:
            with self._writing():
                (rev,) = self._db.execute("SELECT coalesce(max(rev), 0) + 1 FROM job").fetchone()
                for entry in entries:
                    if entry.change is not None and self._is_news(entry.change):
                        self._add_change(entry.change)
                        recorded.append(entry.change)
                    self._put(entry, rev)
        except sqlite3.Error as error:
            raise JournalError(f"{self._path}: the journal could not be written: {error}") from error
        return tuple(recorded)

    def _is_news(self, change: PhaseChange) -> bool:
        row = self._db.execute("SELECT phase FROM job WHERE account=? AND id=?", change.ref).fetchone()
        return (row[0] if row else Phase.NEW) != change.after

    def _add_change(self, change: PhaseChange) -> None:
        self._db.execute(
            "INSERT INTO phase (account, id, before, after, earliest, seen, message) VALUES (?,?,?,?,?,?,?)",
            (*change.ref, change.before, change.after, change.earliest, change.seen, change.message),
        )

    def _put(self, entry: Entry, rev: int) -> None:
        state, ref = entry.state, entry.state.job.ref
        body = entry.body[:BODY_MOST] if entry.body is not None else None
        self._db.execute(
            "INSERT INTO job (account, id, phase, state, rev, body, body_at) VALUES (?,?,?,?,?,?,?) "
            "ON CONFLICT DO UPDATE SET phase=excluded.phase, state=excluded.state, rev=excluded.rev, "
            "body=coalesce(excluded.body, body), "
            "body_at=CASE WHEN excluded.body IS NULL THEN body_at ELSE excluded.body_at END",
            (*ref, state.phase, _encode(state), rev, body, entry.at),
        )
        self._db.executemany(
            "INSERT INTO link VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            [(*ref, link.kind, link.url, link.first_seen, link.expires_at, link.exact) for link in state.links],
        )

    def states(self) -> dict[Ref, JobState]:
        """The last known state of every job that was ever seen. A row that no longer reads is left out."""
        return _states(self._db.execute("SELECT state FROM job"))

    def news(self) -> dict[Ref, JobState]:
        """The states that were written since `news` was last called, if another process wrote any: else nothing.

        Own writes of that time are among them.
        """
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return {}
        self._version = version
        (rev,) = self._db.execute("SELECT coalesce(max(rev), 0) FROM job").fetchone()
        rows = self._db.execute("SELECT state FROM job WHERE rev > ?", (self._rev,))
        self._rev = rev
        return _states(rows)

    def body(self, ref: Ref) -> tuple[bytes, float] | None:
        """The last raw body of a job and the instant at which it came."""
        row = self._db.execute("SELECT body, body_at FROM job WHERE account=? AND id=?", ref).fetchone()
        return (row[0], row[1]) if row and row[0] is not None else None

    def changes(self, refs: Iterable[Ref]) -> dict[Ref, tuple[PhaseChange, ...]]:
        """The phase changes of the jobs, oldest first."""
        return {ref: tuple(self._changes(ref)) for ref in refs}

    def _changes(self, ref: Ref) -> Iterator[PhaseChange]:
        rows = self._db.execute(
            "SELECT before, after, earliest, seen, message FROM phase WHERE account=? AND id=? ORDER BY seq", ref
        )
        for before, after, earliest, seen, message in rows:
            yield PhaseChange(ref, Phase(before), Phase(after), earliest, seen, message)

    def remember(self, values: Mapping[str, object]) -> None:
        """Keeps what the screen wants back at the next start. Raises JournalError."""
        try:
            with self._writing():
                self._db.executemany(
                    "INSERT OR REPLACE INTO remembered VALUES (?,?)",
                    [(name, msgspec.json.encode(value)) for name, value in values.items()],
                )
        except sqlite3.Error as error:
            raise JournalError(f"{self._path}: the journal could not be written: {error}") from error

    def remembered(self) -> dict[str, object]:
        """What `remember` kept."""
        rows = self._db.execute("SELECT name, value FROM remembered")
        return {name: msgspec.json.decode(value) for name, value in rows}

    def close(self) -> None:
        """Ends the connection; the last one to close merges the write-ahead log."""
        self._db.close()


def _states(rows: Iterable[tuple[bytes]]) -> dict[Ref, JobState]:
    found: dict[Ref, JobState] = {}
    for (blob,) in rows:
        try:
            state = _decode(blob)
        except msgspec.DecodeError:
            continue  # written by another layout of JobState: the next ask writes it anew
        found[state.job.ref] = state
    return found
