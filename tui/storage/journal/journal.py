"""The journal: what was seen of every job, in SQLite. It remembers; it decides nothing.

For each ref the last state and raw body; every ask; phase changes with both their times; every link with the moment
its URL was first seen; what the screen remembers. Writes come in batches, each one transaction. In the same file are
the accounts' budgets and the word of who polls.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from random import SystemRandom

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tui.domain.job_state import JobState, PhaseChange, last_update_at
from tui.domain.models import DownloadedFile, FaultKind, Phase, Ref, RequestRecord
from tui.domain.polling.duration_model import ObservedDuration
from tui.storage.journal import downloads
from tui.storage.journal.database import Database, JournalError, RefusedJournalError
from tui.storage.journal.downloads import Downloads
from tui.storage.journal.heartbeats import Heartbeats
from tui.storage.journal.migrations import LAYOUTS
from tui.storage.journal.notifications import Told
from tui.storage.journal.rate_limits import Budgets
from tui.storage.journal.successors import Successors

__all__ = ["Entry", "Journal", "JournalError", "RefusedJournalError"]

BODY_MOST = 64 * 1024
"""Bytes of a raw body that are kept."""
FEW = 200
"""Jobs up to which each is looked up by itself; for more, all are read."""
KEPT = 90 * 86400.0
"""Seconds for which asks, phase changes, dead links and bodies are kept."""
ASKS_MOST = 200_000
"""Asks that are kept, however young: about 20 MB."""
STEP = 5000
"""Rows of a table that one pruning takes at most: some ten milliseconds."""


class Entry(Struct, frozen=True):
    """One job's news: its state, and what led to it."""

    state: JobState
    change: PhaseChange | None = None
    body: bytes | None = None
    """The raw body of the last reply, already without the key; None: none came."""
    at: float = 0.0
    """Instant of that reply."""
    asked: RequestRecord | None = None
    """The ask that brought it; None: it came without one."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(JobState).decode


class Journal:
    """The journal in one file. One connection, for one thread at a time."""

    def __init__(self, path: Path | None) -> None:
        """Opens the file, making it (0600) and its layout where there is none. Raises JournalError.

        `path` None: a journal in memory, for who cannot have another. A damaged file is set aside: see `notice`.
        """
        self._writer = SystemRandom().getrandbits(62)
        """This connection's name in the rows that it wrote."""
        self._file = Database(path, LAYOUTS, self._begin)

    def _begin(self, db: sqlite3.Connection) -> None:
        """A file was opened: what it holds now is no news."""
        self._version: int = db.execute("PRAGMA data_version").fetchone()[0]
        self._rev: int = _rev(db)

    @property
    def notices(self) -> tuple[str, ...]:
        """What became of damaged files, for an operator; in the order of time."""
        return tuple(self._file.notices)

    @property
    def files(self) -> int:
        """How many files it has opened: one more, where it was moved away, deleted or damaged, that may be empty."""
        return self._file.files

    @cached_property
    def budgets(self) -> Budgets:
        """What every process on the folder draws on."""
        return Budgets(self._file)

    @cached_property
    def heartbeats(self) -> Heartbeats:
        """Who polls."""
        return Heartbeats(self._file)

    @cached_property
    def successors(self) -> Successors:
        """What came of APIs that are over."""
        return Successors(self._file)

    @cached_property
    def told(self) -> Told:
        """What was told already."""
        return Told(self._file)

    @cached_property
    def downloads(self) -> Downloads:
        """What was begun and is not whole yet."""
        return Downloads(self._file)

    def record(self, entries: Sequence[Entry]) -> tuple[PhaseChange, ...]:
        """Writes the batch and returns the phase changes that this process was the first to record.

        A change is recorded only if the stored phase is another than its `after`: where two processes see the same
        end, one of them records it. An entry that knows less than another process wrote meanwhile is left out, but
        for its ask: `news` tells what that was. Raises JournalError.
        """
        recorded: list[PhaseChange] = []
        with self._file.writing() as db:
            rev = _rev(db) + 1
            for entry in entries:
                if entry.asked is not None:
                    _add_ask(db, entry.state.job.ref, entry.asked)
                phase, outdated = self._stored(db, entry.state)
                downloads.put(db, entry.state.job.ref, entry.state.downloads, rev, self._writer)
                if outdated:
                    continue
                if entry.change is not None and entry.change.after != phase:
                    _add_change(db, entry.change)
                    recorded.append(entry.change)
                self._put(db, entry, rev)
        return tuple(recorded)

    def _stored(self, db: sqlite3.Connection, state: JobState) -> tuple[str, bool]:
        """The stored phase, and whether another process has written what this state does not know yet."""
        row = db.execute(
            "SELECT phase, writer <> ? AND rev > ? AND known_at > ? FROM job WHERE account=? AND id=?",
            (self._writer, self._rev, last_update_at(state), *state.job.ref),
        ).fetchone()
        return (row[0], bool(row[1])) if row else (Phase.NEW, False)

    def _put(self, db: sqlite3.Connection, entry: Entry, rev: int) -> None:
        state, ref = entry.state, entry.state.job.ref
        body = entry.body[:BODY_MOST] if entry.body is not None else None
        db.execute(
            "INSERT INTO job (account, id, phase, state, known_at, rev, writer, body, body_at) "
            "VALUES (?,?,?,?,?,?,?,?,?) "
            "ON CONFLICT DO UPDATE SET phase=excluded.phase, state=excluded.state, known_at=excluded.known_at, "
            "rev=excluded.rev, writer=excluded.writer, body=coalesce(excluded.body, body), "
            "body_at=CASE WHEN excluded.body IS NULL THEN body_at ELSE excluded.body_at END",
            (*ref, state.phase, _encode(state), last_update_at(state), rev, self._writer, body, entry.at),
        )
        db.executemany(
            "INSERT INTO link VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            [
                (*ref, link.kind, link.url, link.first_seen, link.expires_at, link.expiry_is_exact)
                for link in state.links
            ],
        )

    def states(self, refs: Collection[Ref] | None = None) -> dict[Ref, JobState]:
        """The last known state of every job that was ever seen, or of these. Raises JournalError.

        A row that no longer reads is left out.
        """
        with self._file.reading() as db:
            saved = downloads.every(db)
            if refs is None or len(refs) > FEW:
                found = _states(db.execute("SELECT state FROM job"), saved)
                return found if refs is None else {ref: found[ref] for ref in refs if ref in found}
            one = "SELECT state FROM job WHERE account=? AND id=?"
            return _states((row for ref in refs for row in db.execute(one, ref)), saved)

    def news(self) -> dict[Ref, JobState]:
        """The states that other processes have written since `news` was last called. Raises JournalError."""
        with self._file.reading() as db:
            (version,) = db.execute("PRAGMA data_version").fetchone()
            if version == self._version:
                return {}
            rev = _rev(db)
            rows = db.execute(_NEWS, {"rev": self._rev, "writer": self._writer})
            found = _states(rows, downloads.every(db))
        self._version, self._rev = version, rev
        return found

    def body(self, ref: Ref) -> tuple[bytes, float] | None:
        """The last raw body of a job and the instant at which it came. Raises JournalError."""
        with self._file.reading() as db:
            row = db.execute("SELECT body, body_at FROM job WHERE account=? AND id=?", ref).fetchone()
        return (row[0], row[1]) if row and row[0] is not None else None

    def asks(self, ref: Ref, limit: int) -> tuple[RequestRecord, ...]:
        """The last asks of a job, newest first. Raises JournalError."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT at, http_status, ms, request_id, fault FROM ask WHERE account=? AND id=? "
                "ORDER BY seq DESC LIMIT ?",
                (*ref, limit),
            )
            return tuple(
                RequestRecord(at, status, ms, request_id, FaultKind(fault) if fault else None)
                for at, status, ms, request_id, fault in rows
            )

    def changes(self, refs: Iterable[Ref]) -> dict[Ref, tuple[PhaseChange, ...]]:
        """The phase changes of the jobs, oldest first. Raises JournalError."""
        one = (
            "SELECT account, id, before, after, earliest, seen, message FROM phase WHERE account=? AND id=? "
            "ORDER BY seq"
        )
        with self._file.reading() as db:
            return {ref: tuple(_changes(db.execute(one, ref))) for ref in refs}

    def recent(self, limit: int) -> tuple[PhaseChange, ...]:
        """The last phase changes of all jobs, newest first. Raises JournalError."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT account, id, before, after, earliest, seen, message FROM phase ORDER BY seq DESC LIMIT ?",
                (limit,),
            )
            return tuple(_changes(rows))

    def lived(self, account: str, kind: str, most: int) -> tuple[ObservedDuration, ...]:
        """How long the last `most` ended jobs of a kind took, oldest first. Raises JournalError.

        From the first report to the end, for jobs that were seen at it: what had ended before the first ask is absent.
        """
        with self._file.reading() as db:
            return tuple(ObservedDuration(*row) for row in db.execute(_LIVED, (account, kind, most)))[::-1]

    def remember(self, values: Mapping[str, object]) -> None:
        """Keeps what the screen wants back at the next start. Raises JournalError."""
        with self._file.writing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO remembered VALUES (?,?)",
                [(name, msgspec.json.encode(value)) for name, value in values.items()],
            )

    def remembered(self, *names: str) -> dict[str, bytes]:
        """What `remember` kept under these names, as JSON. Raises JournalError."""
        with self._file.reading() as db:
            rows = {name: db.execute("SELECT value FROM remembered WHERE name=?", (name,)).fetchone() for name in names}
        return {name: row[0] for name, row in rows.items() if row is not None}

    def listed(self, refs: Iterable[Ref], now: float) -> None:
        """A watchlist holds these jobs now, so that `prune` leaves their states. Raises JournalError."""
        with self._file.writing() as db:
            one = "INSERT INTO listed VALUES (?,?,?) ON CONFLICT DO UPDATE SET at=excluded.at"
            db.executemany(one, [(*ref, now) for ref in refs])

    def prune(self, now: float) -> int:
        """Takes away some of what is older than KEPT or too many, and returns how many rows. Raises JournalError.

        The states stay, which are what the board starts from, but for jobs that were listed last so long ago.
        """
        bounds = {"old": now - KEPT, "most": ASKS_MOST, "step": STEP}
        with self._file.writing() as db:
            return sum(db.execute(statement, bounds).rowcount for statement in _PRUNE)

    def close(self) -> None:
        """Ends the connection; the last one to close merges the write-ahead log."""
        self._file.close()


_NEWS = """
SELECT state FROM job WHERE rev > :rev AND writer <> :writer
UNION SELECT j.state FROM saved AS s JOIN job AS j USING (account, id) WHERE s.rev > :rev AND s.writer <> :writer"""
"""A file may be saved by a process whose state of the job another one has written over since."""
_LIVED = """
SELECT e.earliest - j.first_polled_at, e.seen - j.first_polled_at FROM phase AS e
JOIN (SELECT account, id, json_extract(CAST(state AS TEXT), '$.first_polled_at') AS first_polled_at,
      coalesce(json_extract(CAST(state AS TEXT), '$.job.kind'), '') AS kind FROM job) AS j USING (account, id)
WHERE +e.account=? AND j.kind=? AND e.earliest >= j.first_polled_at
AND e.before IN ('queued', 'running') AND e.after IN ('done', 'failed', 'timed_out') ORDER BY e.seq DESC LIMIT ?"""
"""The `+` keeps SQLite from the index on accounts: read backwards, the changes come in order, and few are read."""
_PRUNE = (
    "DELETE FROM ask WHERE seq IN (SELECT seq FROM ask ORDER BY seq LIMIT :step) "
    "AND (at < :old OR seq <= (SELECT max(seq) FROM ask) - :most)",
    "DELETE FROM phase WHERE seq IN (SELECT seq FROM phase ORDER BY seq LIMIT :step) AND seen < :old",
    "DELETE FROM link WHERE (account, id, kind, url) IN (SELECT account, id, kind, url FROM link "
    "WHERE first_seen < :old AND coalesce(expires_at, 0) < :old ORDER BY first_seen LIMIT :step)",
    "UPDATE job SET body=NULL WHERE (account, id) IN (SELECT account, id FROM job "
    "WHERE body IS NOT NULL AND body_at < :old ORDER BY body_at LIMIT :step)",
    "DELETE FROM told WHERE key IN (SELECT key FROM told WHERE at < :old ORDER BY at LIMIT :step)",
    "DELETE FROM listed WHERE (account, id) IN "
    "(SELECT account, id FROM listed WHERE at < :old ORDER BY at LIMIT :step)",
)


def _rev(db: sqlite3.Connection) -> int:
    """The newest revision of anything that `news` tells."""
    one = "SELECT max(coalesce((SELECT max(rev) FROM job), 0), coalesce((SELECT max(rev) FROM saved), 0))"
    return db.execute(one).fetchone()[0]


def _add_ask(db: sqlite3.Connection, ref: Ref, asked: RequestRecord) -> None:
    db.execute(
        "INSERT INTO ask (account, id, at, http_status, ms, request_id, fault) VALUES (?,?,?,?,?,?,?)", (*ref, *asked)
    )


def _add_change(db: sqlite3.Connection, change: PhaseChange) -> None:
    db.execute(
        "INSERT INTO phase (account, id, before, after, earliest, seen, message) VALUES (?,?,?,?,?,?,?)",
        (*change.ref, change.before, change.after, change.earliest, change.seen, change.message),
    )


def _changes(rows: Iterable[tuple[str, str, str, str, float | None, float, str]]) -> Iterator[PhaseChange]:
    for account, job, before, after, earliest, seen, message in rows:
        yield PhaseChange(Ref(account, job), Phase(before), Phase(after), earliest, seen, message)


def _states(rows: Iterable[tuple[bytes]], saved: Mapping[Ref, tuple[DownloadedFile, ...]]) -> dict[Ref, JobState]:
    """By ref; what was saved is told by its own table, since any process may have saved it."""
    found: dict[Ref, JobState] = {}
    for (blob,) in rows:
        try:
            state = _decode(blob)
        except msgspec.DecodeError:
            continue  # written by another layout of JobState: the next ask writes it anew
        there = saved.get(state.job.ref, ())
        found[state.job.ref] = state if state.downloads == there else replace(state, downloads=there)
    return found
