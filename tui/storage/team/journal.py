"""Journal of the team's jobs. Only the holder of an account's lease writes its jobs.

Each batch is one statement, in which the lease of each account fences the entries of that account. Followers read what
changed by a revision that the lease's row counts: its lock makes the account's revisions visible in order.
What a console reads is also kept in its local journal, from which it shows its board while the database is away.
"""

import base64
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import msgspec
from msgspec.structs import replace

from tui.domain.fleet import DAY, KEPT_SECONDS
from tui.domain.job_state import JobState, PhaseChange, last_update_at, with_known_links
from tui.domain.models import FaultKind, Link, Phase, Ref, ReportedLink, RequestRecord
from tui.domain.polling.duration_model import ObservedDuration
from tui.presentation.sanitize import clean
from tui.storage.journal.database import JournalError
from tui.storage.journal.fleet import PAGE_ROWS, FleetCursor, FleetPage, read_ends, read_requests
from tui.storage.journal.journal import MAX_BODY_BYTES, RETENTION, EntriesWaitError, Journal, JournalEntry
from tui.storage.team.connection import LAYOUT_AND_TIME, TeamDatabase, TeamDatabaseError
from tui.storage.team.lease import TeamLease
from tui.storage.team.outbox import delivery_rows
from tui.storage.untrusted_json import CleaningDecoder

STATES_AT_ONCE = 1000
"""States that one statement reads: with 100,000, processes that start together exceed its time limit, all for ever."""
PRUNE_STEP = 5000
"""Rows of a table that one pruning deletes at most."""

_encode = msgspec.json.Encoder().encode
_decode = CleaningDecoder(JobState)
_Results = tuple[tuple[Link, ...], tuple[ReportedLink, ...], str | None]
"""What viewers do not read: the links of a job, those of its last report, and its result text."""
_decode_results = CleaningDecoder[_Results](_Results)


class TeamJournal:
    """JobJournal on PostgreSQL."""

    notices: Sequence[str] = ()
    generation = "team"

    def __init__(self, database: TeamDatabase, lease: TeamLease, local: Callable[[], Journal]) -> None:
        """`local` returns this computer's journal, which may raise JournalError."""
        self._database = database
        self._lease = lease
        self._local = local
        self._revisions: Mapping[str, int] | None = None
        """Revisions up to which this process has read, by account; None: nothing yet."""
        self._discarded: set[Ref] = set()
        """Jobs whose entries another process's lease has discarded."""
        self._unread: set[Ref] = set()
        """Jobs whose states could not be read."""

    async def record(self, entries: Sequence[JournalEntry]) -> Sequence[PhaseChange]:
        """Write the entries of the accounts whose leases this process holds; of all others only the downloads are kept.

        Raises EntriesWaitError if this process may get the lease of some entries back: then they are still true.
        """
        self._keep(JournalEntry(entry.state) for entry in entries if entry.state.downloads)
        epochs = self._lease.epochs
        own = [entry for entry in entries if entry.state.job.account in epochs]
        changes, fenced = await self._write(own, epochs) if own else ([], frozenset[str]())
        for account in fenced:
            self._lease.lose(account)
        unwritten = [each for each in entries if each.state.job.account not in epochs.keys() - fenced]
        returning = {account for entry in unwritten if self._lease.may_return(account := entry.state.job.account)}
        if self._lease.is_worker:
            self._discarded.update(each.state.job.ref for each in unwritten if each.state.job.account not in returning)
        if returning:
            waiting = [entry for entry in unwritten if entry.state.job.account in returning]
            accounts = ", ".join(sorted(returning))
            raise EntriesWaitError(
                f"Results wait to be written: this worker does not hold the lease of {accounts} now", waiting, changes
            )
        return changes

    async def _write(
        self, entries: Sequence[JournalEntry], epochs: Mapping[str, int]
    ) -> tuple[list[PhaseChange], frozenset[str]]:
        """Write entries; return the phase changes that are new, and the accounts whose leases fenced all of theirs."""
        rows = [_row(number, entry) for number, entry in enumerate(entries) if "\0" not in entry.state.job.id]
        used = {entry.state.job.account: epochs[entry.state.job.account] for entry in entries}
        outcomes = await self._database.write(
            "SELECT entry, outcome FROM babeltop.record(%s, %s::text::jsonb, %s::text::jsonb)",
            (self._lease.holder, _encode(used).decode(), _encode(rows).decode()),
        )
        by_outcome: dict[str, list[JournalEntry]] = {"discarded": [], "changed": [], "fenced": []}
        for number, outcome in outcomes:
            by_outcome[outcome].append(entries[int(number)])
        self._discarded.update(entry.state.job.ref for entry in by_outcome["discarded"])
        changes = [entry.change for entry in by_outcome["changed"]]
        fenced = frozenset(entry.state.job.account for entry in by_outcome["fenced"])
        return [change for change in changes if change is not None], fenced

    async def replaced_states(self) -> Mapping[Ref, JobState | None]:
        """Read the states that hold in place of those of discarded entries."""
        refs, self._discarded = self._discarded, set()
        try:
            found = await self.states(refs) if refs else {}
        except JournalError:
            self._discarded |= refs
            raise
        return {ref: found.get(ref) for ref in refs}

    async def states(self, refs: Collection[Ref]) -> dict[Ref, JobState]:
        """Read the states of these jobs; while the database is away, a follower gets those of the local journal."""
        return (await self.last_states(refs))[0]

    async def last_states(self, refs: Collection[Ref]) -> tuple[dict[Ref, JobState], str]:
        """Return the states, and why they are those of the local journal; "" if they are not."""
        try:
            await self._begin()
            return await self._read_states(refs), ""
        except TeamDatabaseError as error:
            if self._lease.may_hold:
                raise
            self._unread.update(refs)
            return self._local().states(refs), str(error)

    async def _read_states(self, refs: Collection[Ref]) -> dict[Ref, JobState]:
        """Read the states of these jobs, some at a time, and keep them in the local journal."""
        states, left = dict[Ref, JobState](), iter(refs)
        while some := tuple(islice(left, STATES_AT_ONCE)):
            rows = await self._database.execute(
                f"SELECT state, {self._results_column} FROM unnest(%s::text[], %s::text[]) AS wanted (account, job_id) "
                "JOIN babeltop.job USING (account, job_id)",
                ([ref.account for ref in some], [ref.id for ref in some]),
            )
            found = self._with_downloads(_decoded(rows))
            self._keep_states(found)
            states |= found
        return states

    async def _begin(self) -> None:
        """Note the revisions before the first reading, so that no later change is missed."""
        if self._revisions is None:
            self._revisions = await self._last_revisions()

    async def _last_revisions(self) -> dict[str, int]:
        """Read the revision of the last batch of each account, and what the role may read."""
        rows = await self._database.execute_timed(
            "SELECT account, revision, NOT has_column_privilege('babeltop.job', 'results', 'SELECT'), "
            f"{LAYOUT_AND_TIME} FROM (SELECT) AS always LEFT JOIN babeltop.lease ON true"  # without a lease too
        )
        for _, _, is_viewer in rows[:1]:
            self._database.is_viewer = is_viewer
        return {account: revision for account, revision, _ in rows if account is not None}

    @property
    def _results_column(self) -> str:
        return "NULL" if self._database.is_viewer else "results"

    async def external_changes(self, listed: Container[Ref] | None = None, /) -> dict[Ref, JobState]:
        """Read the states that other processes wrote since the last call, and keep them in the local journal.

        Those of jobs that could not be read before are read too, and of those whose files another process of this
        computer has downloaded. The others are decoded only if they are listed.
        """
        await self._begin()
        with suppress(JournalError):  # shown where downloads are written
            self._unread.update(self._local().external_downloads())
        before, last, unread = self._revisions or {}, await self._last_revisions(), frozenset(self._unread)
        states = await self._read_states(unread)
        batches = [
            (account, before.get(account, 0), revision)
            for account, revision in last.items()
            if revision != before.get(account, 0)
        ]
        if batches:
            states |= await self._read_batches(batches, listed)
        self._revisions = last
        self._unread -= unread
        return states

    async def _read_batches(
        self, batches: Iterable[tuple[str, int, int]], listed: Container[Ref] | None
    ) -> dict[Ref, JobState]:
        """Read the states that other processes wrote after one revision of an account up to another one."""
        found = await self._database.execute(
            CHANGED_STATES.format(self._results_column),
            (*map(list, zip(*batches, strict=True)), self._lease.holder),
        )
        states = self._with_downloads(_decoded(row[2:] for row in found if listed is None or Ref(*row[:2]) in listed))
        self._keep_states(states)
        return states

    def _with_downloads(self, states: dict[Ref, JobState]) -> dict[Ref, JobState]:
        """Return the states with the files that this computer has downloaded."""
        try:
            local = self._local().states(states.keys()) if states else {}
        except JournalError:
            return states  # shown where downloads are written
        return {
            ref: replace(state, downloads=local[ref].downloads) if ref in local and local[ref].downloads else state
            for ref, state in states.items()
        }

    def _keep_states(self, states: Mapping[Ref, JobState]) -> None:
        """Write what was read to the local journal, unless this process is a worker, which shows nothing of it."""
        if not self._lease.is_worker:
            self._keep(map(JournalEntry, states.values()))

    def _keep(self, entries: Iterable[JournalEntry]) -> None:
        kept = tuple(entries)
        try:
            if kept:
                self._local().record(kept)
        except JournalError:
            return  # a cache: the next reading writes it again

    async def phase_changes(self, refs: Iterable[Ref]) -> dict[Ref, tuple[PhaseChange, ...]]:
        """Read the phase changes of the jobs."""
        found: dict[Ref, list[PhaseChange]] = {ref: [] for ref in refs}
        rows = await self._database.execute(
            f"{_SELECT_CHANGES} JOIN unnest(%s::text[], %s::text[]) AS wanted (account, job_id) "
            "USING (account, job_id) ORDER BY seq",
            ([ref.account for ref in found], [ref.id for ref in found]),
        )
        for change in map(_change, rows):
            found[change.ref].append(change)
        return {ref: tuple(changes) for ref, changes in found.items()}

    async def recent_phase_changes(self, limit: int) -> tuple[PhaseChange, ...]:
        """Read the last phase changes of the team."""
        rows = await self._database.execute(f"{_SELECT_CHANGES} ORDER BY seq DESC LIMIT %s", (limit,))
        return tuple(map(_change, rows))

    async def durations(self, account: str, kind: str, limit: int) -> Sequence[ObservedDuration]:
        """Read the last durations of a kind."""
        rows = await self._database.execute(_DURATIONS, (account, kind, limit))
        return tuple(ObservedDuration(*row) for row in reversed(rows))

    async def last_body(self, ref: Ref) -> tuple[bytes, float] | None:
        """Read the last raw body of a job; a viewer gets none."""
        if self._database.is_viewer:
            return None
        rows = await self._database.execute(
            "SELECT body, body_received_at FROM babeltop.job WHERE account = %s AND job_id = %s AND body IS NOT NULL",
            ref,
        )
        return (bytes(rows[0][0]), rows[0][1]) if rows else None

    async def requests(self, ref: Ref, limit: int) -> tuple[RequestRecord, ...]:
        """Read the last requests of a job; a viewer gets none."""
        if self._database.is_viewer:
            return ()
        rows = await self._database.execute(
            "SELECT ended_at, http_status, duration_ms, request_id, fault FROM babeltop.request "
            "WHERE account = %s AND job_id = %s ORDER BY ended_at DESC LIMIT %s",
            (*ref, limit),
        )
        return tuple(
            RequestRecord(
                ended_at, status, duration_ms, request_id and clean(request_id), FaultKind(fault) if fault else None
            )
            for ended_at, status, duration_ms, request_id, fault in rows
        )

    async def fleet_page(self, cursor: FleetCursor, now: float, refs: Collection[Ref] | None = None) -> FleetPage:
        """Read some of the rows after the cursor; a viewer gets no requests."""
        only = None if refs is None else ([ref.account for ref in refs], [ref.id for ref in refs])
        await self._begin()
        last_request = "0" if self._database.is_viewer else _LAST_REQUEST
        [(change, request, began_at)] = await self._database.execute(_LAST_ROWS.format(last_request))
        last = FleetCursor(change, request)
        if last.change < cursor.change or last.request < cursor.request:
            return FleetPage()
        following = FleetCursor(
            min(last.change, cursor.change + PAGE_ROWS), min(last.request, cursor.request + PAGE_ROWS)
        )
        parameters = (cursor.change, following.change, now - KEPT_SECONDS)
        ends = await self._database.execute(
            _ENDS.format("" if only is None else _ONLY), parameters if only is None else (*parameters, *only)
        )
        requests = (
            await self._database.execute(_REQUESTS, (cursor.request, following.request, now - DAY))
            if last.request > cursor.request
            else []
        )
        return FleetPage(tuple(read_ends(ends)), tuple(read_requests(requests)), following, began_at, following == last)

    async def mark_listed(self, refs: Collection[Ref], now: float) -> None:
        """Record that a watchlist holds these jobs."""
        await self._database.write(
            "UPDATE babeltop.job SET listed_at = %s FROM unnest(%s::text[], %s::text[]) AS listed (account, job_id) "
            "WHERE job.account = listed.account AND job.job_id = listed.job_id",
            (now, [ref.account for ref in refs], [ref.id for ref in refs]),
        )

    async def prune(self, now: float) -> None:
        """Make the next partition of the requests, drop old ones, and delete some old rows of the other tables."""
        await self._database.write("SELECT babeltop.maintain(%s)", (now,))
        for (table, column), seconds in _RETENTION.items():
            await self._database.write(
                f"DELETE FROM babeltop.{table} WHERE ctid IN "
                f"(SELECT ctid FROM babeltop.{table} WHERE {column} < %s LIMIT %s)",
                (now - seconds, PRUNE_STEP),
            )


CHANGED_STATES = """
SELECT job.account, job_id, state, results
FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS batch (account, low, high) CROSS JOIN LATERAL
  (SELECT account, job_id, state, {} AS results, writer FROM babeltop.job WHERE revision > low AND revision <= high
  OFFSET 0) AS job
WHERE job.account = batch.account AND writer <> %s"""
"""States that changed. OFFSET 0 keeps a range of revisions for each batch, which the index has: joined, each process
would read all jobs of the team every second, 0.1 s of 100,000."""
_SELECT_CHANGES = "SELECT account, job_id, before, after, earliest_at, seen_at, message FROM babeltop.phase_change"
_DURATIONS = """
SELECT change.earliest_at - job.first_polled_at, change.seen_at - job.first_polled_at
FROM babeltop.phase_change AS change JOIN babeltop.job AS job USING (account, job_id)
WHERE change.account = %s AND job.kind = %s AND change.earliest_at >= job.first_polled_at
AND change.before IN ('queued', 'running') AND change.after IN ('done', 'failed', 'timed_out')
ORDER BY change.seq DESC LIMIT %s"""
_LAST_REQUEST = "coalesce((SELECT max(seq) FROM babeltop.request), 0)"
_LAST_ROWS = """
SELECT coalesce((SELECT max(seq) FROM babeltop.phase_change), 0),
  {},
  (SELECT seen_at FROM babeltop.phase_change ORDER BY seq LIMIT 1)"""
_ENDS = """
SELECT change.account, coalesce(job.kind, ''), change.after, change.earliest_at, change.seen_at, job.first_polled_at
FROM babeltop.phase_change AS change LEFT JOIN babeltop.job AS job USING (account, job_id)
WHERE change.seq > %s AND change.seq <= %s AND change.seen_at >= %s AND change.after IN ('done', 'failed', 'timed_out')
{} ORDER BY change.seq"""
_ONLY = "AND (change.account, change.job_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
_REQUESTS = """
SELECT account, ended_at, duration_ms, fault IS NOT NULL FROM babeltop.request
WHERE seq > %s AND seq <= %s AND ended_at >= %s ORDER BY seq"""
_RETENTION = {
    ("phase_change", "seen_at"): RETENTION,
    ("sent_notification", "sent_at"): RETENTION,
    ("held_notification", "held_at"): RETENTION,
    ("job", "listed_at"): RETENTION,
    ("hook_delivery", "created_at"): 30 * DAY,
    ("command_request", "requested_at"): 7 * DAY,
    ("worker", "seen_at"): DAY,
}
"""Seconds for which rows are kept, by table and the column with the instant of each row. Requests: see the schema."""


def _row(position: int, entry: JournalEntry) -> dict[str, Any]:
    """Return the entry for the database's function: bytes as base64, since JSON has none."""
    state, request, change = entry.state, entry.request, entry.change
    results, shared = _separate_results(replace(state, downloads=()))  # downloads are paths of this computer
    row: dict[str, Any] = {
        "position": position,
        **state.job.ref._asdict(),
        "kind": state.job.kind,
        "phase": state.phase,
        "first_polled_at": state.first_polled_at,
        "last_update_at": last_update_at(state),
        "state": base64.b64encode(_encode(shared)).decode(),
        "results": None if results is None else base64.b64encode(_encode(results)).decode(),
        "body": None if entry.body is None else base64.b64encode(entry.body[:MAX_BODY_BYTES]).decode(),
        "body_received_at": entry.received_at,
    }
    row["job_id"] = row.pop("id")
    if request is not None:
        row |= request._asdict()
    if change is not None:
        row |= {
            "after": change.after,
            "earliest_at": change.earliest,
            "seen_at": change.seen,
            "message": change.message.replace("\0", ""),
            "deliveries": delivery_rows(entry.deliveries),
        }
    return row


def _change(row: tuple[Any, ...]) -> PhaseChange:
    account, job_id, before, after, earliest, seen, message = row
    return PhaseChange(Ref(account, job_id), Phase(before), Phase(after), earliest, seen, clean(message))


def _separate_results(state: JobState) -> "tuple[_Results | None, JobState]":
    """Return what viewers do not read, None if there is nothing, and the state without it: its links have no URL."""
    report = state.report
    reported = report.links if report is not None else ()
    if not state.links and not reported and state.result is None:
        return None, state
    shared = replace(
        state,
        links=tuple(replace(link, url="", form=None) for link in state.links),
        report=report and replace(report, links=()),
        result=None if state.result is None else "",
    )
    return (state.links, reported, state.result), shared


def _decoded(rows: Iterable[tuple[Any, ...]]) -> dict[Ref, JobState]:
    """Return the states by ref, without those of another version. Links without results are those of a viewer."""
    found: dict[Ref, JobState] = {}
    for blob, results in rows:
        try:
            state = _decode(blob)
            if results is not None:
                links, reported, text = _decode_results(results)
                report = state.report and replace(state.report, links=reported)
                state = replace(state, links=links, report=report, result=text)
        except msgspec.DecodeError:
            continue
        found[state.job.ref] = with_known_links(state)
    return found
