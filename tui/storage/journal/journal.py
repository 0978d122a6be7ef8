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
from tui.storage.journal.downloads import DownloadTable
from tui.storage.journal.heartbeats import HeartbeatTable
from tui.storage.journal.migrations import MIGRATIONS
from tui.storage.journal.notifications import SentNotifications
from tui.storage.journal.rate_limits import RateLimitTable
from tui.storage.journal.successors import SuccessorTable

__all__ = ["Journal", "JournalEntry", "JournalError", "RefusedJournalError"]

MAX_BODY_BYTES = 64 * 1024
"""Bytes of a raw body that are kept."""
SINGLE_LOOKUP_LIMIT = 200
"""Jobs up to which each is looked up by itself; for more, all are read."""
RETENTION = 90 * 86400.0
"""Seconds for which asks, phase changes, dead links and bodies are kept."""
MAX_REQUESTS = 200_000
"""Asks that are kept, however young: about 20 MB."""
PRUNE_STEP = 5000
"""Rows of a table that one pruning takes at most: some ten milliseconds."""


class JournalEntry(Struct, frozen=True):
    """One job's news: its state, and what led to it."""

    state: JobState
    change: PhaseChange | None = None
    body: bytes | None = None
    """The raw body of the last reply, already without the key; None: none came."""
    received_at: float = 0.0
    """Instant of that reply."""
    request: RequestRecord | None = None
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
        self._database = Database(path, MIGRATIONS, self._on_open)

    def _on_open(self, db: sqlite3.Connection) -> None:
        """A file was opened: what it holds now is no news."""
        self._data_version: int = db.execute("PRAGMA data_version").fetchone()[0]
        self._revision: int = _latest_revision(db)

    @property
    def notices(self) -> tuple[str, ...]:
        """What became of damaged files, for an operator; in the order of time."""
        return tuple(self._database.notices)

    @property
    def open_count(self) -> int:
        """How many files it has opened: one more, where it was moved away, deleted or damaged, that may be empty."""
        return self._database.open_count

    @cached_property
    def rate_limits(self) -> RateLimitTable:
        """What every process on the folder draws on."""
        return RateLimitTable(self._database)

    @cached_property
    def heartbeats(self) -> HeartbeatTable:
        """Who polls."""
        return HeartbeatTable(self._database)

    @cached_property
    def successors(self) -> SuccessorTable:
        """What came of APIs that are over."""
        return SuccessorTable(self._database)

    @cached_property
    def notifications(self) -> SentNotifications:
        """What was told already."""
        return SentNotifications(self._database)

    @cached_property
    def downloads(self) -> DownloadTable:
        """What was begun and is not whole yet."""
        return DownloadTable(self._database)

    def record(self, entries: Sequence[JournalEntry]) -> tuple[PhaseChange, ...]:
        """Writes the batch and returns the phase changes that this process was the first to record.

        A change is recorded only if the stored phase is another than its `after`: where two processes see the same
        end, one of them records it. An entry that knows less than another process wrote meanwhile is left out, but
        for its ask: `news` tells what that was. Raises JournalError.
        """
        recorded: list[PhaseChange] = []
        with self._database.transaction() as db:
            rev = _latest_revision(db) + 1
            for entry in entries:
                if entry.request is not None:
                    _insert_request(db, entry.state.job.ref, entry.request)
                phase, outdated = self._stored_phase(db, entry.state)
                downloads.save_files(db, entry.state.job.ref, entry.state.downloads, rev, self._writer)
                if outdated:
                    continue
                if entry.change is not None and entry.change.after != phase:
                    _insert_phase_change(db, entry.change)
                    recorded.append(entry.change)
                self._save_state(db, entry, rev)
        return tuple(recorded)

    def _stored_phase(self, db: sqlite3.Connection, state: JobState) -> tuple[str, bool]:
        """The stored phase, and whether another process has written what this state does not know yet."""
        row = db.execute(
            "SELECT phase, writer <> ? AND rev > ? AND known_at > ? FROM job WHERE account=? AND id=?",
            (self._writer, self._revision, last_update_at(state), *state.job.ref),
        ).fetchone()
        return (row[0], bool(row[1])) if row else (Phase.NEW, False)

    def _save_state(self, db: sqlite3.Connection, entry: JournalEntry, revision: int) -> None:
        state, ref = entry.state, entry.state.job.ref
        body = entry.body[:MAX_BODY_BYTES] if entry.body is not None else None
        db.execute(
            "INSERT INTO job (account, id, phase, state, known_at, rev, writer, body, body_at) "
            "VALUES (?,?,?,?,?,?,?,?,?) "
            "ON CONFLICT DO UPDATE SET phase=excluded.phase, state=excluded.state, known_at=excluded.known_at, "
            "rev=excluded.rev, writer=excluded.writer, body=coalesce(excluded.body, body), "
            "body_at=CASE WHEN excluded.body IS NULL THEN body_at ELSE excluded.body_at END",
            (*ref, state.phase, _encode(state), last_update_at(state), revision, self._writer, body, entry.received_at),
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
        with self._database.connection() as db:
            saved = downloads.all_by_job(db)
            if refs is None or len(refs) > SINGLE_LOOKUP_LIMIT:
                found = _decode_states(db.execute("SELECT state FROM job"), saved)
                return found if refs is None else {ref: found[ref] for ref in refs if ref in found}
            one = "SELECT state FROM job WHERE account=? AND id=?"
            return _decode_states((row for ref in refs for row in db.execute(one, ref)), saved)

    def external_changes(self) -> dict[Ref, JobState]:
        """The states that other processes have written since `news` was last called. Raises JournalError."""
        with self._database.connection() as db:
            (version,) = db.execute("PRAGMA data_version").fetchone()
            if version == self._data_version:
                return {}
            rev = _latest_revision(db)
            rows = db.execute(_EXTERNAL_CHANGES, {"rev": self._revision, "writer": self._writer})
            found = _decode_states(rows, downloads.all_by_job(db))
        self._data_version, self._revision = version, rev
        return found

    def last_body(self, ref: Ref) -> tuple[bytes, float] | None:
        """The last raw body of a job and the instant at which it came. Raises JournalError."""
        with self._database.connection() as db:
            row = db.execute("SELECT body, body_at FROM job WHERE account=? AND id=?", ref).fetchone()
        return (row[0], row[1]) if row and row[0] is not None else None

    def requests(self, ref: Ref, limit: int) -> tuple[RequestRecord, ...]:
        """The last asks of a job, newest first. Raises JournalError."""
        with self._database.connection() as db:
            rows = db.execute(
                "SELECT at, http_status, ms, request_id, fault FROM ask WHERE account=? AND id=? "
                "ORDER BY seq DESC LIMIT ?",
                (*ref, limit),
            )
            return tuple(
                RequestRecord(at, status, ms, request_id, FaultKind(fault) if fault else None)
                for at, status, ms, request_id, fault in rows
            )

    def phase_changes(self, refs: Iterable[Ref]) -> dict[Ref, tuple[PhaseChange, ...]]:
        """The phase changes of the jobs, oldest first. Raises JournalError."""
        one = (
            "SELECT account, id, before, after, earliest, seen, message FROM phase WHERE account=? AND id=? "
            "ORDER BY seq"
        )
        with self._database.connection() as db:
            return {ref: tuple(_read_phase_changes(db.execute(one, ref))) for ref in refs}

    def recent_phase_changes(self, limit: int) -> tuple[PhaseChange, ...]:
        """The last phase changes of all jobs, newest first. Raises JournalError."""
        with self._database.connection() as db:
            rows = db.execute(
                "SELECT account, id, before, after, earliest, seen, message FROM phase ORDER BY seq DESC LIMIT ?",
                (limit,),
            )
            return tuple(_read_phase_changes(rows))

    def durations(self, account: str, kind: str, limit: int) -> tuple[ObservedDuration, ...]:
        """How long the last `most` ended jobs of a kind took, oldest first. Raises JournalError.

        From the first report to the end, for jobs that were seen at it: what had ended before the first ask is absent.
        """
        with self._database.connection() as db:
            return tuple(ObservedDuration(*row) for row in db.execute(_DURATIONS, (account, kind, limit)))[::-1]

    def save_ui_state(self, values: Mapping[str, object]) -> None:
        """Keeps what the screen wants back at the next start. Raises JournalError."""
        with self._database.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO remembered VALUES (?,?)",
                [(name, msgspec.json.encode(value)) for name, value in values.items()],
            )

    def load_ui_state(self, *names: str) -> dict[str, bytes]:
        """What `remember` kept under these names, as JSON. Raises JournalError."""
        with self._database.connection() as db:
            rows = {name: db.execute("SELECT value FROM remembered WHERE name=?", (name,)).fetchone() for name in names}
        return {name: row[0] for name, row in rows.items() if row is not None}

    def mark_listed(self, refs: Iterable[Ref], now: float) -> None:
        """A watchlist holds these jobs now, so that `prune` leaves their states. Raises JournalError."""
        with self._database.transaction() as db:
            one = "INSERT INTO listed VALUES (?,?,?) ON CONFLICT DO UPDATE SET at=excluded.at"
            db.executemany(one, [(*ref, now) for ref in refs])

    def prune(self, now: float) -> int:
        """Takes away some of what is older than KEPT or too many, and returns how many rows. Raises JournalError.

        The states stay, which are what the board starts from, but for jobs that were listed last so long ago.
        """
        bounds = {"old": now - RETENTION, "most": MAX_REQUESTS, "step": PRUNE_STEP}
        with self._database.transaction() as db:
            return sum(db.execute(statement, bounds).rowcount for statement in _PRUNE)

    def close(self) -> None:
        """Ends the connection; the last one to close merges the write-ahead log."""
        self._database.close()


_EXTERNAL_CHANGES = """
SELECT state FROM job WHERE rev > :rev AND writer <> :writer
UNION SELECT j.state FROM saved AS s JOIN job AS j USING (account, id) WHERE s.rev > :rev AND s.writer <> :writer"""
"""A file may be saved by a process whose state of the job another one has written over since."""
_DURATIONS = """
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


def _latest_revision(db: sqlite3.Connection) -> int:
    """The newest revision of anything that `news` tells."""
    one = "SELECT max(coalesce((SELECT max(rev) FROM job), 0), coalesce((SELECT max(rev) FROM saved), 0))"
    return db.execute(one).fetchone()[0]


def _insert_request(db: sqlite3.Connection, ref: Ref, request: RequestRecord) -> None:
    db.execute(
        "INSERT INTO ask (account, id, at, http_status, ms, request_id, fault) VALUES (?,?,?,?,?,?,?)", (*ref, *request)
    )


def _insert_phase_change(db: sqlite3.Connection, change: PhaseChange) -> None:
    db.execute(
        "INSERT INTO phase (account, id, before, after, earliest, seen, message) VALUES (?,?,?,?,?,?,?)",
        (*change.ref, change.before, change.after, change.earliest, change.seen, change.message),
    )


def _read_phase_changes(rows: Iterable[tuple[str, str, str, str, float | None, float, str]]) -> Iterator[PhaseChange]:
    for account, job, before, after, earliest, seen, message in rows:
        yield PhaseChange(Ref(account, job), Phase(before), Phase(after), earliest, seen, message)


def _decode_states(
    rows: Iterable[tuple[bytes]], downloads_by_job: Mapping[Ref, tuple[DownloadedFile, ...]]
) -> dict[Ref, JobState]:
    """By ref; what was saved is told by its own table, since any process may have saved it."""
    found: dict[Ref, JobState] = {}
    for (blob,) in rows:
        try:
            state = _decode(blob)
        except msgspec.DecodeError:
            continue  # written by another layout of JobState: the next ask writes it anew
        there = downloads_by_job.get(state.job.ref, ())
        found[state.job.ref] = state if state.downloads == there else replace(state, downloads=there)
    return found
