"""Fleet aggregates against a recount of the whole history."""

import math
from statistics import mean

from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import few_examples
from tui.domain import fleet, quantiles
from tui.domain.fleet import (
    DAY,
    HOUR,
    MINUTE,
    SLOT,
    AccountSummary,
    EndedJob,
    FleetAggregates,
    FleetReport,
    KindSummary,
    SentRequest,
    fleet_rows,
)
from tui.domain.job_state import JobState
from tui.domain.models import Job, Phase

MIDNIGHT = 1_795_219_200.0
"""2026-11-21T00:00:00Z."""
DAY_STARTS = tuple(MIDNIGHT - DAY * ago for ago in range(8))

ago = st.floats(-HOUR, 30 * DAY)
ends = st.lists(
    st.tuples(
        ago,
        st.sampled_from(["a", "b"]),
        st.sampled_from(["", "dub"]),
        st.booleans(),
        st.none() | st.floats(0.1, 1e5),
    ),
    max_size=120,
)
requests = st.lists(
    st.tuples(ago | st.floats(0, 2 * MINUTE), st.sampled_from(["a", "b"]), st.floats(1, 30_000), st.booleans()),
    max_size=120,
)


def history(now, drawn_ends, drawn_requests):
    """What a journal holds: ends and requests in the order of time."""
    found = [EndedJob(account, kind, done, now - at, took) for at, account, kind, done, took in drawn_ends]
    sent = [SentRequest(account, now - at, took, fault) for at, account, took, fault in drawn_requests]
    return sorted(found, key=lambda each: each.ended_at), sorted(sent, key=lambda each: each[1:3])


def floor_to_slot(at):
    return math.floor(at / SLOT) * SLOT


def within(values, start, end):
    """Of the history, what lies between two instants, in whole slots."""
    return [each for each in values if floor_to_slot(start) <= floor_to_slot(each.ended_at) <= floor_to_slot(end)]


def percentile(values, share):
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if len(values) >= 3 else None


def assert_near(found, expected):
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert abs(found - expected) <= 1.0001 * quantiles.RELATIVE_ERROR * expected


@given(ends, requests, st.floats(0, DAY), st.floats(0, 20 * DAY))
@few_examples
def test_a_report_equals_a_recount_of_the_whole_history(drawn_ends, drawn_requests, elapsed, age):
    now = MIDNIGHT + elapsed
    all_ends, all_requests = history(now, drawn_ends, drawn_requests)
    aggregates = FleetAggregates()
    aggregates.began_at = now - age
    for end in all_ends:
        aggregates.add_end(end)
    for request in all_requests:
        aggregates.add_request(request)
    report = aggregates.report(now, DAY_STARTS)
    assert report.kinds.keys() == {(end.account, end.kind) for end in all_ends}
    for (account, kind), summary in report.kinds.items():
        own = [end for end in all_ends if (end.account, end.kind) == (account, kind)]
        check_kind(summary, own, now, aggregates.began_at)
    assert report.accounts.keys() == {request.account for request in all_requests}
    for account, found in report.accounts.items():
        own = {each[1:3]: each for each in reversed(all_requests) if each.account == account}  # the first of a bulk
        check_account(found, list(own.values()), now)


def check_kind(summary: KindSummary, own, now, began_at):
    today = within(own, MIDNIGHT, now)
    assert summary.done_today == sum(end.is_done for end in today)
    assert summary.failed_today == sum(not end.is_done for end in today)
    usual = [within(own, start, start + now - MIDNIGHT) for start in DAY_STARTS[1:] if start >= began_at]
    if usual:
        assert summary.usual_done == mean(sum(end.is_done for end in day) for day in usual)
        assert summary.usual_failed == mean(sum(not end.is_done for end in day) for day in usual)
    else:
        assert summary.usual_done is summary.usual_failed is None
    this = floor_to_slot(now)
    hours = [within(own, this + SLOT - HOUR * (ago + 1), this - HOUR * ago) for ago in reversed(range(24))]
    assert summary.done_per_hour == tuple(sum(end.is_done for end in hour) for hour in hours)
    day = within(own, this + SLOT - DAY, now)
    assert summary.failure_rate == (mean(not end.is_done for end in day) if day else None)
    week = [end.duration for end in within(own, this + SLOT - 7 * DAY, now) if end.duration is not None]
    assert_near(summary.median, percentile(week, 0.5))
    assert_near(summary.p90, percentile(week, 0.9))
    before = within(own, this + SLOT - 14 * DAY, this - 7 * DAY)
    assert_near(summary.median_before, percentile([each.duration for each in before if each.duration], 0.5))


def check_account(summary: AccountSummary, own, now):
    day = within(own, floor_to_slot(now) + SLOT - DAY, now)
    assert summary.day_count == len(day)
    assert summary.fault_rate == (mean(request.is_fault for request in day) if day else None)
    is_ahead = any(request.ended_at > now for request in own)  # of a clock that was set back
    if not is_ahead:
        assert summary.minute_count == sum(now - MINUTE < request.ended_at <= now for request in own)
    hour = within(own, floor_to_slot(now) + SLOT - HOUR, now)
    assert_near(summary.latency, middle([request.duration_ms / 1000 for request in hour or day]))


def middle(values):
    return sorted(values)[math.ceil(len(values) / 2) - 1] if values else None


def test_a_bulk_request_counts_once():
    aggregates = FleetAggregates()
    for _ in range(50):
        aggregates.add_request(SentRequest("a", MIDNIGHT, 120.0, is_fault=False))
    aggregates.add_request(SentRequest("a", MIDNIGHT + 1, 120.0, is_fault=False))
    found = aggregates.report(MIDNIGHT + 2, DAY_STARTS).accounts["a"]
    assert (found.minute_count, found.day_count) == (2, 2)


def test_old_slots_are_dropped():
    aggregates = FleetAggregates()
    for number in range(5 * fleet.KEPT_SLOTS):
        aggregates.add_end(EndedJob("a", "", True, MIDNIGHT + number * SLOT, 60.0))
    assert len(aggregates._kinds["a", ""]._counts) <= 2 * fleet.KEPT_SLOTS
    now = MIDNIGHT + 5 * fleet.KEPT_SLOTS * SLOT - 1
    assert sum(aggregates.report(now, (now,)).kinds["a", ""].done_per_hour) == fleet.SLOTS_PER_DAY


def test_the_worst_comes_first_and_an_account_without_jobs_is_listed():
    kinds = {
        ("fine", ""): KindSummary(failure_rate=0.0),
        ("bad", "dub"): KindSummary(failure_rate=0.5),
        ("bad", ""): KindSummary(failure_rate=0.2),
    }
    accounts = {"idle": AccountSummary(), "faulty": AccountSummary(fault_rate=0.1)}
    report = FleetReport(kinds=kinds, accounts=accounts)
    rows = fleet_rows(report, {("fine", ""): 3, ("refused", ""): 1}, {"refused"})
    found = [(row.account, row.kind, row.active) for row in rows]
    assert found == [
        ("refused", "", 1),
        ("bad", "dub", 0),
        ("bad", "", 0),
        ("faulty", "", 0),
        ("fine", "", 3),
        ("idle", "", 0),
    ]


def test_active_jobs_are_counted_by_account_and_kind_without_archived_ones():
    jobs = [Job(account="a", id="1"), Job(account="a", id="2"), Job(account="a", id="3", kind="dub")]
    states = [JobState(job=job, phase=Phase.RUNNING) for job in jobs]
    archived = JobState(job=Job(account="a", id="4", archived=True), phase=Phase.QUEUED)
    ended = JobState(job=Job(account="a", id="5"), phase=Phase.DONE)
    assert fleet.active_counts([*states, archived, ended]) == {("a", ""): 2, ("a", "dub"): 1}
