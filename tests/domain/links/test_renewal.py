from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import NOW, WEEK, few_examples
from tui.domain.job_state import JobState, LinkFoundDead, PollFailed, ResultReceived, StatusReceived, reduce
from tui.domain.links import renewal
from tui.domain.models import Fault, FaultKind, Job, LinkKind, Phase, Report, ReportedLink, Result
from tui.domain.polling.schedule import PollingPolicy, next_poll

HOUR, DAY = 3600.0, 86400.0
KEPT = JobState(job=Job(account="a", id="1", keep_link=True))
LOOSE = JobState(job=Job(account="a", id="1"))
VIDEO = PollingPolicy.for_cadence(
    "video", max_interval=60, stall_after=3600, has_result_request=False, renew_before=DAY
)


def done(at, url="https://cdn.test/1", life=WEEK, *, renewal=False):
    links = (ReportedLink(LinkKind.VIDEO, url, life),) if url else ()
    return StatusReceived(
        Report(phase=Phase.DONE, raw_status="done", links=links, is_complete=bool(links)), at, is_renewal=renewal
    )


def after(*events, state=KEPT):
    for event in events:
        state, _ = reduce(state, event)
    return state


def polls(state, reply, until, random):
    """The instants of the job's scheduled polls. `reply` makes each response."""
    found, now = [], NOW
    while (due := next_poll(state, VIDEO, now, random)) is not None and due.at < until:
        now = due.at
        found.append(now)
        state = after(reply(now), state=state)
    return found, state


@few_examples
@given(st.integers())
def test_a_kept_link_is_renewed_in_the_first_quarter_of_its_last_day(seed):
    at = next_poll(after(done(NOW)), VIDEO, NOW + HOUR, Random(seed)).at
    assert NOW + 6 * DAY <= at <= NOW + 6 * DAY + 6 * HOUR


def test_a_link_that_is_not_kept_is_not_renewed():
    assert next_poll(after(done(NOW), state=LOOSE), VIDEO, NOW + 7 * DAY, Random(0)) is None


@few_examples
@given(st.integers())
def test_a_service_with_a_new_link_per_request_is_polled_once_per_lifetime(seed):
    found, state = polls(
        after(done(NOW)), lambda at: done(at, f"https://{at}", renewal=True), NOW + 60 * DAY, Random(seed)
    )
    assert all(6 * DAY <= gap <= 6.25 * DAY for gap in (later - earlier for earlier, later in pairwise([NOW, *found])))
    assert state.failed_renewals == 0


@few_examples
@given(st.integers())
def test_renewals_that_return_the_same_link_get_rarer_and_end(seed):
    found, state = polls(after(done(NOW)), lambda at: done(at, renewal=True), NOW + 400 * DAY, Random(seed))
    expires_at = NOW + WEEK
    assert len(found) <= 8 + 12 + 8
    assert expires_at + renewal.GIVE_UP_AFTER < found[-1] < expires_at + renewal.GIVE_UP_AFTER + 1.1 * DAY
    assert next_poll(state, VIDEO, found[-1] + DAY, Random(seed)) is None
    alive = [at for at in found if at < expires_at]
    assert all(later - earlier >= 1.6 * before for (_, before), (earlier, later) in _grown(alive))
    assert min(later - earlier for earlier, later in pairwise(alive)) >= 0.9 * renewal.RETRY_INTERVALS[0]
    assert 1 <= sum(expires_at < at <= expires_at + renewal.EXPIRED_RETRY_SECONDS for at in found) <= 2


def test_a_late_new_link_is_found_within_the_time_it_is_late():
    state = after(done(NOW))
    for late in (1.0, 100.0, 3600.0, 30000.0):
        fresh = NOW + WEEK + late
        reply = lambda at, fresh=fresh: done(at, "https://new" if at >= fresh else "https://cdn.test/1", renewal=True)  # noqa: E731
        found, _ = polls(state, reply, NOW + 2 * WEEK - 2 * DAY, Random(1))
        assert min(at for at in found if at >= fresh) <= fresh + 1.2 * max(renewal.EXPIRED_RETRY_SECONDS, late)


def _grown(times):
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return zip(enumerate(gaps), list(pairwise(times))[1:], strict=False)


@few_examples
@given(st.integers(), st.sampled_from(sorted(renewal.DEFINITIVE_FAULTS)))
def test_a_definitive_fault_counts_like_the_same_link(seed, kind):
    found, state = polls(
        after(done(NOW)), lambda at: PollFailed(Fault(kind, "x"), at, is_follow_up=True), NOW + 400 * DAY, Random(seed)
    )
    assert len(found) <= 8 + 12 + 8
    assert found[-1] < NOW + WEEK + renewal.GIVE_UP_AFTER + 1.1 * DAY
    assert state.phase is Phase.DONE
    assert state.links[0].url == "https://cdn.test/1"


@few_examples
@given(st.integers())
def test_an_outage_is_retried_hourly_without_end(seed):
    found, state = polls(
        after(done(NOW)),
        lambda at: PollFailed(Fault(FaultKind.OFFLINE, "x"), at, is_follow_up=True),
        NOW + 9 * DAY,
        Random(seed),
    )
    assert found[-1] > NOW + 8.9 * DAY
    assert len(found) < 10 + 3 * 24 / 0.9
    fresh = after(done(found[-1], "https://new", renewal=True), state=state)
    assert next_poll(fresh, VIDEO, found[-1], Random(seed)).at > found[-1] + 6 * DAY


def test_short_lifetimes_are_renewed_at_half_and_those_of_minutes_never():
    assert NOW + HOUR <= next_poll(after(done(NOW, life=2 * HOUR)), VIDEO, NOW, Random(0)).at <= NOW + 1.25 * HOUR
    assert next_poll(after(done(NOW, life=60.0)), VIDEO, NOW, Random(0)) is None


@few_examples
@given(st.lists(st.floats(0, 0.999), min_size=200, max_size=200))
def test_renewals_of_links_of_the_same_minute_are_spread_over_hours(drawn):
    state, late = after(done(NOW)), NOW + WEEK - 4 * HOUR
    times = [next_poll(state, VIDEO, late, Random(seed)).at for seed in drawn]
    assert late <= min(times)
    assert max(times) <= late + HOUR


def test_a_renewal_that_reports_another_phase_is_a_fault_and_keeps_the_link():
    state = after(done(NOW))
    for phase, word in ((Phase.RUNNING, "running"), (Phase.FAILED, "failed"), (None, "lip_syncing")):
        later = after(StatusReceived(Report(phase=phase, raw_status=word), NOW + DAY, is_renewal=True), state=state)
        assert (later.phase, later.links, later.checked_at) == (Phase.DONE, state.links, NOW)
        assert word in later.fault.message


def test_a_poll_that_is_no_renewal_shows_that_the_job_runs_again():
    assert (
        after(done(NOW), StatusReceived(Report(phase=Phase.RUNNING, raw_status="x"), NOW + DAY)).phase is Phase.RUNNING
    )


def test_a_result_without_a_later_link_counts_as_a_failed_renewal():
    before = after(done(NOW))
    same = Result(links=(ReportedLink(LinkKind.VIDEO, "https://cdn.test/1", WEEK),))
    other = Result(links=(ReportedLink(LinkKind.VIDEO, "https://cdn.test/2", WEEK),))
    assert after(ResultReceived(same, NOW + DAY, is_renewal=True), state=before).failed_renewals == 1
    assert after(ResultReceived(other, NOW + DAY, is_renewal=True), state=before).failed_renewals == 0


def test_a_failure_is_reported_from_the_second_time_and_until_it_ends():
    start = NOW + 6 * DAY
    once = after(done(NOW), done(start, renewal=True))
    twice = after(done(start + HOUR, renewal=True), state=once)
    assert renewal.failure(once) is None
    assert renewal.failure(twice) == (2, None)
    assert renewal.failure(after(done(start + 2 * HOUR, "https://new", renewal=True), state=twice)) is None
    offline = [PollFailed(Fault(FaultKind.OFFLINE, "no network"), start, is_follow_up=True)] * 3
    assert renewal.failure(after(*offline, state=after(done(NOW)))) == (3, offline[0].fault)


def test_a_kept_link_that_was_rejected_is_renewed_at_once():
    state = after(done(NOW), LinkFoundDead("https://cdn.test/1", NOW + 60))
    assert state.links[0].is_dead
    assert NOW + 60 <= next_poll(state, VIDEO, NOW + 60, Random(0)).at <= NOW + 60 + renewal.RETRY_INTERVALS[0]
