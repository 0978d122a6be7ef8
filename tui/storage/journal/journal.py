"""Journal of all jobs, in SQLite: job states, requests, phase changes, links, last bodies, and the UI state.

Writes come in batches, one transaction each. The same file holds the rate limits of the accounts, heartbeats, successor
moves, sent notifications and downloads, each in a module of its own. What to record is decided by the engine.
"""

import os
import sqlite3
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tui.domain import job_state
from tui.domain.job_state import JobState, PhaseChange, last_update_at, with_known_links
from tui.domain.models import DownloadedFile, FaultKind, Phase, Ref, RequestRecord
from tui.domain.polling.duration_model import ObservedDuration
from tui.storage.deliveries import HookDelivery
from tui.storage.journal import downloads
from tui.storage.journal.database import Database, JournalError
from tui.storage.journal.migrations import MIGRATIONS, UNSUPPORTED_VERSION
from tui.storage.journal.successors import SuccessorTable

if TYPE_CHECKING:  # each is imported when it is first used: a first frame needs none
    from tui.storage.journal.checkpoints import DownloadTable
    from tui.storage.journal.fleet import FleetTable
    from tui.storage.journal.heartbeats import HeartbeatTable
    from tui.storage.journal.notifications import SentNotifications
    from tui.storage.journal.rate_limits import RateLimitTable

MAX_BODY_BYTES = 64 * 1024
"""Bytes of a raw body that are kept."""
SINGLE_LOOKUP_LIMIT = 200
"""Jobs up to which each state is looked up singly; for more, all states are read."""
RETENTION = 90 * 86400.0
"""Seconds for which requests, phase changes, dead links and bodies are kept."""
MAX_REQUESTS = 200_000
"""Requests that are kept at most, however new: about 20 MB."""
PRUNE_STEP = 5000
"""Rows of a table that one pruning deletes at most: about 10 ms."""


class EntriesWaitError(JournalError):
    """Some entries of a batch can't be written yet; the others are written."""

    def __init__(self, text: str, waiting: "Sequence[JournalEntry]", changes: Sequence[PhaseChange]) -> None:
        """Take the entries to be written later, and the phase changes of the others that are newly recorded."""
        super().__init__(text)
        self.waiting, self.changes = waiting, changes


class JournalEntry(Struct, frozen=True, gc=False):
    """New state of one job, with the request and the phase change that led to it."""

    state: JobState
    change: PhaseChange | None = None
    body: bytes | None = None
    """Raw body of the last response, already without the key. None: no response."""
    received_at: float = 0.0
    """Instant of that response."""
    request: RequestRecord | None = None
    """Request that led to the state. None: no request did."""
    bounded_at: float | None = None
    """Instant to which later ones were set back, which a clock that was ahead had written. None: there were none."""
    deliveries: tuple[HookDelivery, ...] = ()
    """Deliveries of the phase change that a team's outbox gets with it."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(JobState).decode


class Journal:
    """Journal in one file, or in memory, with one connection for one thread at a time."""

    def __init__(self, path: Path | None) -> None:
        """Open the file, creating it (0600) if there is none. Raises JournalError.

        `path`: None for a journal in memory. A damaged or outdated file is renamed: see `notices`.
        """
        self._writer = int.from_bytes(os.urandom(7), "big")
        """Id of this connection in the rows that it wrote."""
        self._database = Database(path, MIGRATIONS, self._on_open, unsupported_version=UNSUPPORTED_VERSION)

    def _on_open(self, db: sqlite3.Connection) -> None:
        """Take the file's present content as known: it is no external change."""
        self._data_version: int = db.execute("PRAGMA data_version").fetchone()[0]
        self._revision: int = _latest_revision(db)

    @property
    def notices(self) -> tuple[str, ...]:
        """Messages about renamed files, for the operator, oldest first."""
        return tuple(self._database.notices)

    @property
    def open_count(self) -> int:
        """Number of files opened so far. A higher number means another file, perhaps an empty one."""
        return self._database.open_count

    @cached_property
    def rate_limits(self) -> "RateLimitTable":
        """Rate limits that all processes on the state folder share."""
        from tui.storage.journal.rate_limits import RateLimitTable

        return RateLimitTable(self._database)

    @cached_property
    def heartbeats(self) -> "HeartbeatTable":
        """Heartbeats of the leaders, one for each watchlist."""
        from tui.storage.journal.heartbeats import HeartbeatTable

        return HeartbeatTable(self._database)

    @cached_property
    def successors(self) -> SuccessorTable:
        """Moves of accounts from retired APIs to their successors."""
        return SuccessorTable(self._database)

    @cached_property
    def notifications(self) -> "SentNotifications":
        """Notifications that some process has sent."""
        from tui.storage.journal.notifications import SentNotifications

        return SentNotifications(self._database)

    @cached_property
    def downloads(self) -> "DownloadTable":
        """Checkpoints of incomplete downloads."""
        from tui.storage.journal.checkpoints import DownloadTable

        return DownloadTable(self._database)

    @cached_property
    def fleet(self) -> "FleetTable":
        """Ended jobs and requests, for the fleet's aggregates."""
        from tui.storage.journal.fleet import FleetTable

        return FleetTable(self._database)

    def record(self, entries: Sequence[JournalEntry]) -> tuple[PhaseChange, ...]:
        """Write the batch and return the phase changes that this process was the first to record.

        A change is recorded only if the stored phase differs from its `after`: of two processes that see the same end,
        one records it. If another process has meanwhile written a later state, the entry's request is written and its
        state is not: `external_changes` returns the later one. Raises JournalError.
        """
        recorded: list[PhaseChange] = []
        with self._database.transaction() as db:
            revision = _latest_revision(db) + 1
            for entry in entries:
                if entry.request is not None:
                    _insert_request(db, entry.state.job.ref, entry.request)
                if entry.bounded_at is not None:
                    downloads.bound_instants(db, entry.state.job.ref, entry.bounded_at)
                phase, is_outdated = self._stored_phase(db, entry.state)
                downloads.save_files(db, entry.state.job.ref, entry.state.downloads, revision, self._writer)
                if is_outdated:
                    continue
                if entry.change is not None and entry.change.after != phase:
                    _insert_phase_change(db, entry.change)
                    recorded.append(entry.change)
                self._save_state(db, entry, revision)
        return tuple(recorded)

    def _stored_phase(self, db: sqlite3.Connection, state: JobState) -> tuple[str, bool]:
        """Return the stored phase, and whether another process has written a later state than this one."""
        row = db.execute(
            "SELECT phase, writer <> ? AND revision > ? AND last_update_at > ? FROM job WHERE account=? AND id=?",
            (self._writer, self._revision, last_update_at(state), *state.job.ref),
        ).fetchone()
        return (row[0], bool(row[1])) if row else (Phase.NEW, False)

    def _save_state(self, db: sqlite3.Connection, entry: JournalEntry, revision: int) -> None:
        state, ref = entry.state, entry.state.job.ref
        body = entry.body[:MAX_BODY_BYTES] if entry.body is not None else None
        columns = {
            "account": ref.account,
            "id": ref.id,
            "kind": state.job.kind,
            "phase": state.phase,
            "first_polled_at": state.first_polled_at,
            "last_update_at": last_update_at(state),
            "state": _encode(state),
            "body": body,
            "body_received_at": entry.received_at,
            "revision": revision,
            "writer": self._writer,
        }
        db.execute(_SAVE_STATE, columns)
        db.executemany(
            "INSERT INTO link VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            [
                (*ref, link.kind, link.url, link.first_seen, link.expires_at, link.expiry_is_exact)
                for link in state.links
                if not link.is_hidden
            ],
        )

    def states(self, refs: Collection[Ref] | None = None, *, share_values: bool = False) -> dict[Ref, JobState]:
        """Return the last known states of these jobs, or of all. Raises JournalError.

        A row that does not decode is left out. `share_values`: all states have one object for what they have alike.
        """
        with self._database.connection() as db:
            downloads_by_job = downloads.all_by_job(db)
            if refs is None or len(refs) > SINGLE_LOOKUP_LIMIT:
                found = _decode_states(db.execute("SELECT state FROM job"), downloads_by_job, share=share_values)
                return found if refs is None else {ref: found[ref] for ref in refs if ref in found}
            one = "SELECT state FROM job WHERE account=? AND id=?"
            return _decode_states((row for ref in refs for row in db.execute(one, ref)), downloads_by_job)

    def external_changes(self) -> dict[Ref, JobState]:
        """Return the states that other processes have written since the last call. Raises JournalError."""
        found = dict[Ref, JobState]()
        with self._new_entries(_EXTERNAL_CHANGES) as (db, rows):
            if rows:
                found = _decode_states(rows, downloads.all_by_job(db))
        return found

    def external_downloads(self) -> list[Ref]:
        """Return the jobs of which other processes have downloaded files, as `external_changes`."""
        with self._new_entries(downloads.EXTERNAL) as (_, rows):
            return [Ref(*row) for row in rows]

    @contextmanager
    def _new_entries(self, query: str) -> Generator[tuple[sqlite3.Connection, list[Any]]]:
        """Read the rows of a query that other processes have written since the last reading."""
        with self._database.connection() as db:
            (version,) = db.execute("PRAGMA data_version").fetchone()
            if version == self._data_version:
                yield db, []
                return
            revision = _latest_revision(db)
            yield db, db.execute(query, {"revision": self._revision, "writer": self._writer}).fetchall()
        self._data_version, self._revision = version, revision

    def last_body(self, ref: Ref) -> tuple[bytes, float] | None:
        """Return the last raw body of a job and the instant at which it was received. Raises JournalError."""
        with self._database.connection() as db:
            row = db.execute("SELECT body, body_received_at FROM job WHERE account=? AND id=?", ref).fetchone()
        return (row[0], row[1]) if row and row[0] is not None else None

    def requests(self, ref: Ref, limit: int) -> tuple[RequestRecord, ...]:
        """Return the last requests of a job, newest first. Raises JournalError."""
        with self._database.connection() as db:
            rows = db.execute(
                "SELECT ended_at, http_status, duration_ms, request_id, fault FROM request WHERE account=? AND id=? "
                "ORDER BY seq DESC LIMIT ?",
                (*ref, limit),
            )
            return tuple(
                RequestRecord(ended_at, status, duration_ms, request_id, FaultKind(fault) if fault else None)
                for ended_at, status, duration_ms, request_id, fault in rows
            )

    def phase_changes(self, refs: Iterable[Ref]) -> dict[Ref, tuple[PhaseChange, ...]]:
        """Return the phase changes of the jobs, oldest first. Raises JournalError."""
        with self._database.connection() as db:
            one = f"{_SELECT_PHASE_CHANGES} WHERE account=? AND id=? ORDER BY seq"
            return {ref: tuple(_read_phase_changes(db.execute(one, ref))) for ref in refs}

    def recent_phase_changes(self, limit: int) -> tuple[PhaseChange, ...]:
        """Return the last phase changes of all jobs, newest first. Raises JournalError."""
        with self._database.connection() as db:
            rows = db.execute(f"{_SELECT_PHASE_CHANGES} ORDER BY seq DESC LIMIT ?", (limit,))
            return tuple(_read_phase_changes(rows))

    def durations(self, account: str, kind: str, limit: int) -> tuple[ObservedDuration, ...]:
        """Return the durations of the last `limit` ended jobs of a kind, oldest first. Raises JournalError.

        A duration runs from the first report to the end. A job that had ended before its first poll has none.
        """
        with self._database.connection() as db:
            return tuple(ObservedDuration(*row) for row in db.execute(_DURATIONS, (account, kind, limit)))[::-1]

    def save_ui_state(self, values: Mapping[str, object]) -> None:
        """Save values for the next start, as JSON, by name. Raises JournalError."""
        with self._database.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO ui_state VALUES (?,?)",
                [(name, msgspec.json.encode(value)) for name, value in values.items()],
            )

    def load_ui_state(self, *names: str) -> dict[str, bytes]:
        """Return the saved values of these names, as JSON. Raises JournalError."""
        with self._database.connection() as db:
            rows = {name: db.execute("SELECT value FROM ui_state WHERE name=?", (name,)).fetchone() for name in names}
        return {name: row[0] for name, row in rows.items() if row is not None}

    def mark_listed(self, refs: Iterable[Ref], now: float) -> None:
        """Record that a watchlist holds these jobs at `now`, so `prune` keeps their states. Raises JournalError."""
        with self._database.transaction() as db:
            one = "INSERT INTO listed_job VALUES (?,?,?) ON CONFLICT DO UPDATE SET listed_at=excluded.listed_at"
            db.executemany(one, [(*ref, now) for ref in refs])

    def listed_ids(self, account: str) -> frozenset[str]:
        """Return the ids of an account that a watchlist holds or held within RETENTION. Raises JournalError."""
        with self._database.connection() as db:
            one = "SELECT id FROM listed_job WHERE account=:account UNION SELECT id FROM job WHERE account=:account"
            return frozenset(job_id for (job_id,) in db.execute(one, {"account": account}))

    def prune(self, now: float) -> int:
        """Delete rows that are older than RETENTION or too many, and return their number. Raises JournalError.

        States stay, because every start begins from them, except those of jobs last listed before RETENTION.
        """
        bounds = {"before": now - RETENTION, "max_requests": MAX_REQUESTS, "step": PRUNE_STEP}
        with self._database.transaction() as db:
            return sum(db.execute(statement, bounds).rowcount for statement in _PRUNE)

    def close(self) -> None:
        """Close the connection; the last one to close merges the write-ahead log."""
        self._database.close()


_SAVE_STATE = """
INSERT INTO job (account, id, kind, phase, first_polled_at, last_update_at, state, body, body_received_at,
  revision, writer)
VALUES (:account, :id, :kind, :phase, :first_polled_at, :last_update_at, :state, :body, :body_received_at,
  :revision, :writer)
ON CONFLICT DO UPDATE SET kind=excluded.kind, phase=excluded.phase, first_polled_at=excluded.first_polled_at,
  last_update_at=excluded.last_update_at, state=excluded.state, revision=excluded.revision, writer=excluded.writer,
  body=coalesce(excluded.body, body),
  body_received_at=CASE WHEN excluded.body IS NULL THEN body_received_at ELSE excluded.body_received_at END"""
_SELECT_PHASE_CHANGES = "SELECT account, id, before, after, earliest_at, seen_at, message FROM phase_change"
_EXTERNAL_CHANGES = """
SELECT state FROM job WHERE revision > :revision AND writer <> :writer
UNION SELECT job.state FROM downloaded_file AS file JOIN job USING (account, id)
WHERE file.revision > :revision AND file.writer <> :writer"""
"""A file may be downloaded by one process while another writes the state of its job."""
_DURATIONS = """
SELECT change.earliest_at - job.first_polled_at, change.seen_at - job.first_polled_at
FROM phase_change AS change JOIN job USING (account, id)
WHERE +change.account=? AND job.kind=? AND change.earliest_at >= job.first_polled_at
AND change.before IN ('queued', 'running') AND change.after IN ('done', 'failed', 'timed_out')
ORDER BY change.seq DESC LIMIT ?"""
"""The `+` keeps SQLite from the index on accounts: read backwards, the changes come in order, and few are read."""
_PRUNE = (
    "DELETE FROM request WHERE seq IN (SELECT seq FROM request ORDER BY seq LIMIT :step) "
    "AND (ended_at < :before OR seq <= (SELECT max(seq) FROM request) - :max_requests)",
    "DELETE FROM phase_change WHERE seq IN (SELECT seq FROM phase_change ORDER BY seq LIMIT :step) "
    "AND seen_at < :before",
    "DELETE FROM link WHERE (account, id, kind, url) IN (SELECT account, id, kind, url FROM link "
    "WHERE first_seen_at < :before AND coalesce(expires_at, 0) < :before ORDER BY first_seen_at LIMIT :step)",
    "UPDATE job SET body=NULL WHERE (account, id) IN (SELECT account, id FROM job "
    "WHERE body IS NOT NULL AND body_received_at < :before ORDER BY body_received_at LIMIT :step)",
    "DELETE FROM sent_notification WHERE key IN "
    "(SELECT key FROM sent_notification WHERE sent_at < :before ORDER BY sent_at LIMIT :step)",
    "DELETE FROM held_notification WHERE key IN "
    "(SELECT key FROM held_notification WHERE held_at < :before ORDER BY held_at LIMIT :step)",
    "DELETE FROM listed_job WHERE (account, id) IN "
    "(SELECT account, id FROM listed_job WHERE listed_at < :before ORDER BY listed_at LIMIT :step)",
)


def _latest_revision(db: sqlite3.Connection) -> int:
    """Return the latest revision of the tables that `external_changes` reads."""
    one = (
        "SELECT max(coalesce((SELECT max(revision) FROM job), 0), "
        "coalesce((SELECT max(revision) FROM downloaded_file), 0))"
    )
    return db.execute(one).fetchone()[0]


def _insert_request(db: sqlite3.Connection, ref: Ref, request: RequestRecord) -> None:
    db.execute(
        "INSERT INTO request (account, id, ended_at, http_status, duration_ms, request_id, fault) "
        "VALUES (?,?,?,?,?,?,?)",
        (*ref, *request),
    )


def _insert_phase_change(db: sqlite3.Connection, change: PhaseChange) -> None:
    db.execute(
        "INSERT INTO phase_change (account, id, before, after, earliest_at, seen_at, message) VALUES (?,?,?,?,?,?,?)",
        (*change.ref, change.before, change.after, change.earliest, change.seen, change.message),
    )


def _read_phase_changes(rows: Iterable[tuple[str, str, str, str, float | None, float, str]]) -> Iterator[PhaseChange]:
    for account, job, before, after, earliest_at, seen_at, message in rows:
        yield PhaseChange(Ref(account, job), Phase(before), Phase(after), earliest_at, seen_at, message)


def _decode_states(
    rows: Iterable[tuple[bytes]], downloads_by_job: Mapping[Ref, tuple[DownloadedFile, ...]], *, share: bool = False
) -> dict[Ref, JobState]:
    """Return the states by ref, with the downloads of their own table, because any process may have downloaded them."""
    found: dict[Ref, JobState] = {}
    shared: dict[Any, Any] = {}
    for (blob,) in rows:
        try:
            state = _decode(blob)
        except msgspec.DecodeError:
            continue  # a JobState of another version: the next poll writes it again
        if share:  # now, since what is replaced later leaves holes in the memory
            job_state.share_values(state, shared)
        state = with_known_links(state)
        ref = state.job.ref
        files = downloads_by_job.get(ref, ())
        found[ref] = state if state.downloads == files else replace(state, downloads=files)
    return found
