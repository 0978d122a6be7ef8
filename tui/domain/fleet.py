"""Fleet: what the accounts do, by account and kind of job, in aggregates that grow by one ended job or request.

To add one takes constant time. A summary takes time by the slots of two weeks, not by the length of the history.
Reading the journal is left to `storage.journal.fleet`, texts to `presentation.fleet`.
"""

import math
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from tui.domain import quantiles
from tui.domain.job_state import JobState
from tui.domain.models import ACTIVE

SLOT = 900.0
"""Seconds of a slot: midnight begins one in every time zone."""
HOUR, DAY = 3600.0, 86400.0
"""Seconds."""
WEEK_DAYS = 7
"""Days before today that are usual; and of each of the two spans by which durations are compared."""
SLOTS_PER_HOUR, SLOTS_PER_DAY, SLOTS_PER_WEEK = round(HOUR / SLOT), round(DAY / SLOT), round(WEEK_DAYS * DAY / SLOT)
KEPT_SLOTS = 2 * SLOTS_PER_WEEK + SLOTS_PER_DAY
"""Slots that are kept: two weeks, and a day more for a change of the clocks."""
KEPT_SECONDS = KEPT_SLOTS * SLOT
"""Seconds of the past that the aggregates need."""
MAX_MERGED = 16
"""Sketches of spans that are kept."""
HOURS_SHOWN = 24
"""Hours of the throughput."""
MIN_DURATIONS = 3
"""Ended jobs: with fewer, durations have no percentiles."""
MINUTE = 60.0
"""Seconds, in which requests count for a minute's limit."""


class EndedJob(NamedTuple):
    """End of one job, as polling saw it."""

    account: str
    kind: str
    is_done: bool
    """False: failed or timed out."""
    ended_at: float
    """Instant at which the end was seen."""
    duration: float | None
    """Seconds from the first report to the end; None: it had ended before."""


class SentRequest(NamedTuple):
    """One request of an account."""

    account: str
    ended_at: float
    """Instant."""
    duration_ms: float
    """Milliseconds."""
    is_fault: bool


class KindSummary(Struct, frozen=True, kw_only=True):
    """What became of the jobs of one account and kind."""

    done_today: int = 0
    failed_today: int = 0
    """Failed or timed out."""
    usual_done: float | None = None
    """Mean of the seven days before today, each up to this time of day; None: the journal is not that old."""
    usual_failed: float | None = None
    done_per_hour: tuple[int, ...] = (0,) * HOURS_SHOWN
    """Jobs done in each of the last 24 hours, the last one last."""
    median: float | None = None
    """Seconds that half of the jobs of the last seven days took at most; None: too few ended."""
    p90: float | None = None
    """Seconds that nine of ten took at most."""
    median_before: float | None = None
    """The same of the seven days before."""
    p90_before: float | None = None
    failure_rate: float | None = None
    """Share of the jobs that failed, of those that ended in the last 24 hours, 0 to 1; None: none ended."""


class AccountSummary(Struct, frozen=True, kw_only=True):
    """Requests of one account."""

    minute_count: int = 0
    """Requests of the last minute."""
    day_count: int = 0
    """Requests of the last 24 hours."""
    per_minute: float | None = None
    """Requests that a minute allows; None: unknown."""
    per_day: float | None = None
    """Requests that a day allows; None: the service states no limit."""
    latency: float | None = None
    """Seconds that half of the requests of the last hour took at most, else of the last 24; None: there were none."""
    fault_rate: float | None = None
    """Share of the requests of the last 24 hours that gave no report, 0 to 1; None: there were none."""


Kind = tuple[str, str]
"""Account and kind of job."""


class FleetReport(Struct, frozen=True, kw_only=True):
    """Summary of all accounts at an instant."""

    at: float = 0.0
    """0: the journal has not been read."""
    kinds: Mapping[Kind, KindSummary] = {}
    accounts: Mapping[str, AccountSummary] = {}


class FleetRow(Struct, frozen=True, kw_only=True):
    """One account and kind, with the jobs that are active now."""

    account: str
    kind: str
    active: int
    jobs: KindSummary
    requests: AccountSummary


class _Slots:
    """Successes and failures by slot, and their durations."""

    def __init__(self) -> None:
        self._counts: dict[int, tuple[list[int], Counter[int]]] = {}
        """By slot: numbers of successes and failures, and the durations' sketch."""
        self._newest = 0
        self._merged: dict[tuple[int, int], Counter[int]] = {}
        """Sketches of several slots, all older than the newest, by the first and the last of them."""

    def add(self, at: float, duration: float | None, *, is_success: bool) -> None:
        """Add one at an instant, with its seconds. Old slots are dropped now and then."""
        number = slot_of(at)
        found = self._counts.get(number)
        if found is None:
            found = self._counts[number] = [0, 0], Counter()
            if len(self._counts) > 2 * KEPT_SLOTS:
                self._counts = {each: kept for each, kept in self._counts.items() if each > number - KEPT_SLOTS}
        if number != self._newest:
            self._newest = max(number, self._newest)
            self._merged.clear()
        found[0][not is_success] += 1
        if duration is not None:
            found[1][quantiles.bin_of(duration)] += 1

    def counts(self, first: int, last: int) -> tuple[int, int]:
        """Return the numbers of successes and failures from one slot to another, both included."""
        found = [self._counts[each][0] for each in range(first, last + 1) if each in self._counts]
        return sum(each[0] for each in found), sum(each[1] for each in found)

    def durations(self, first: int, last: int) -> Counter[int]:
        """Return the sketch of the durations from one slot to another, both included."""
        older = self._merge_older(first, min(last, self._newest - 1))
        is_newest_within = first <= self._newest <= last
        return quantiles.merge((older, self._counts[self._newest][1])) if is_newest_within else older

    def _merge_older(self, first: int, last: int) -> Counter[int]:
        """Return the sketch of slots that get no more durations: of a week, it takes a millisecond to make."""
        if (first, last) not in self._merged:
            if len(self._merged) >= MAX_MERGED:  # of times that have passed
                self._merged.clear()
            slots = (self._counts[each] for each in range(first, last + 1) if each in self._counts)
            self._merged[first, last] = quantiles.merge(durations for _, durations in slots)
        return self._merged[first, last]


class _Requests:
    """Requests of one account."""

    def __init__(self) -> None:
        self.slots = _Slots()
        self.recent = deque[float]()
        """Instants of the last minute."""
        self.last: tuple[float, float] | None = None
        """Instant and duration of the last request."""


def slot_of(at: float) -> int:
    """Return the slot of an instant."""
    return math.floor(at / SLOT)


class FleetAggregates:
    """Aggregates of one journal."""

    def __init__(self) -> None:
        self.began_at = math.inf
        """Instant at which the journal begins, which its reader sets: no day before it is usual."""
        self._kinds: dict[Kind, _Slots] = {}
        self._requests: dict[str, _Requests] = {}

    def add_end(self, end: EndedJob) -> None:
        """Add the end of a job."""
        kind = end.account, end.kind
        self._kinds.setdefault(kind, _Slots()).add(end.ended_at, end.duration, is_success=end.is_done)

    def add_request(self, request: SentRequest) -> None:
        """Add a request. A bulk request, which is recorded for each of its jobs in a row, counts once."""
        requests = self._requests.setdefault(request.account, _Requests())
        if requests.last == (request.ended_at, request.duration_ms):
            return
        requests.last = request.ended_at, request.duration_ms
        requests.slots.add(request.ended_at, request.duration_ms / 1000, is_success=not request.is_fault)
        requests.recent.append(request.ended_at)
        while requests.recent[0] <= request.ended_at - MINUTE:
            requests.recent.popleft()

    def report(self, now: float, day_starts: Sequence[float]) -> FleetReport:
        """Return the summary at `now`. `day_starts`: the midnights of today and the seven days before, latest first."""
        return FleetReport(
            at=now,
            kinds={kind: self._kind_summary(slots, now, day_starts) for kind, slots in self._kinds.items()},
            accounts={name: _account_summary(requests, now) for name, requests in self._requests.items()},
        )

    def _kind_summary(self, slots: _Slots, now: float, day_starts: Sequence[float]) -> KindSummary:
        elapsed, this = now - day_starts[0], slot_of(now)
        days = [slots.counts(slot_of(start), slot_of(start + elapsed)) for start in day_starts]
        usual = [day for day, start in zip(days[1:], day_starts[1:], strict=True) if start >= self.began_at]
        day_done, day_failed = slots.counts(this - SLOTS_PER_DAY + 1, this)
        median, p90 = _percentiles(slots, this - SLOTS_PER_WEEK + 1, this)
        median_before, p90_before = _percentiles(slots, this - 2 * SLOTS_PER_WEEK + 1, this - SLOTS_PER_WEEK)
        return KindSummary(
            done_today=days[0][0],
            failed_today=days[0][1],
            usual_done=sum(done for done, _ in usual) / len(usual) if usual else None,
            usual_failed=sum(failed for _, failed in usual) / len(usual) if usual else None,
            done_per_hour=tuple(
                slots.counts(this - SLOTS_PER_HOUR * (ago + 1) + 1, this - SLOTS_PER_HOUR * ago)[0]
                for ago in reversed(range(HOURS_SHOWN))
            ),
            median=median,
            p90=p90,
            median_before=median_before,
            p90_before=p90_before,
            failure_rate=day_failed / (day_done + day_failed) if day_done + day_failed else None,
        )


def _percentiles(slots: _Slots, first: int, last: int) -> tuple[float | None, float | None]:
    """Return the durations that half and nine of ten jobs took at most; None: too few ended."""
    durations = slots.durations(first, last)
    if durations.total() < MIN_DURATIONS:
        return None, None
    return quantiles.quantile(durations, 0.5), quantiles.quantile(durations, 0.9)


def _account_summary(requests: _Requests, now: float) -> AccountSummary:
    this = slot_of(now)
    reports, faults = requests.slots.counts(this - SLOTS_PER_DAY + 1, this)
    hour = requests.slots.durations(this - SLOTS_PER_HOUR + 1, this)
    durations = hour or requests.slots.durations(this - SLOTS_PER_DAY + 1, this)
    return AccountSummary(
        minute_count=sum(now - MINUTE < at <= now for at in requests.recent),
        day_count=reports + faults,
        latency=quantiles.quantile(durations, 0.5),
        fault_rate=faults / (reports + faults) if reports + faults else None,
    )


def active_counts(states: Iterable[JobState]) -> Counter[Kind]:
    """Return the numbers of active jobs by account and kind, without archived ones."""
    return Counter(
        (state.job.account, state.job.kind) for state in states if state.phase in ACTIVE and not state.job.archived
    )


def fleet_rows(report: FleetReport, active: Mapping[Kind, int], impaired: Collection[str]) -> list[FleetRow]:
    """Return the report's accounts and kinds, those with active jobs, and the accounts without any; the worst first.

    `active`: numbers of active jobs. `impaired`: accounts whose requests fail; they come first, then what failed most.
    """
    kinds = {*report.kinds, *active}
    named = {account for account, _ in kinds}
    kinds |= {(account, "") for account in report.accounts if account not in named}
    rows = [
        FleetRow(
            account=account,
            kind=kind,
            active=active.get((account, kind), 0),
            jobs=report.kinds.get((account, kind), KindSummary()),
            requests=report.accounts.get(account, AccountSummary()),
        )
        for account, kind in kinds
    ]
    return sorted(rows, key=lambda row: _badness(row, impaired))


def _badness(row: FleetRow, impaired: Collection[str]) -> tuple[bool, float, float, int, str, str]:
    """Return the key by which the worst row comes first."""
    jobs, requests = row.jobs, row.requests
    failures, faults = jobs.failure_rate or 0.0, requests.fault_rate or 0.0
    return row.account not in impaired, -failures, -faults, -row.active, row.account, row.kind
