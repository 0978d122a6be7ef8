import pytest
from hypothesis import given

from tests.support.strategies import NOW, WEEK, few, stories
from tui.domain import job_state
from tui.domain.job_state import Faulted, Flag, JobState, Listed, Planned, Reported, Resulted, Unasked, reduce
from tui.domain.links import expiry
from tui.domain.models import ENDS, Fault, FaultKind, Job, LinkKind, Phase, Report, Result, Sighting

JOB = Job(account="a", id="1")
NEW = JobState(job=JOB)
VIDEO = Sighting(LinkKind.VIDEO, "https://cdn.test/1", WEEK)


def said(phase, **more):
    return Report(phase=phase, word=phase or "odd", **more)


def after(*events, state=NEW):
    for event in events:
        state, _ = reduce(state, event)
    return state


def missed(at, person=False, second=False):
    return Faulted(Fault(FaultKind.MISSING, "not found", 404), at, person, second)


@few
@given(stories())
def test_a_link_that_lives_is_lost_only_to_another_of_its_kind(story):
    state = NEW
    for at, event in story:
        before, (state, _) = state, reduce(state, event)
        shown = {link.kind for link in state.links if link not in before.links}
        urls = {(link.kind, link.url) for link in state.links}
        sighted = event[0].links if isinstance(event, Reported | Resulted) else ()
        for link in before.links:
            if not expiry.expired(link, at) and (link.kind, link.url) not in urls:
                assert link.kind in shown | {sighting.kind for sighting in sighted}


@few
@given(stories())
def test_an_unchanged_url_keeps_its_first_sight(story):
    state = NEW
    for _, event in story:
        since = {(link.kind, link.url): link.first_seen for link in state.links}
        state, _ = reduce(state, event)
        for link in state.links:
            assert link.first_seen == since.get((link.kind, link.url), link.first_seen)


@few
@given(stories())
def test_a_change_is_told_exactly_when_the_phase_is_another(story):
    state = NEW
    for at, event in story:
        before, (state, change) = state, reduce(state, event)
        assert (change is not None) is (before.phase is not state.phase)
        if change is not None:
            assert (change.before, change.after, change.seen) == (before.phase, state.phase, at)
            assert change.earliest == before.checked_at
            assert state.since == at


@few
@given(stories())
def test_a_state_survives_being_written_and_read(story):
    import msgspec

    state = after(*(event for _, event in story))
    assert msgspec.json.decode(msgspec.json.encode(state), type=JobState) == state


@few
@given(stories())
def test_faults_in_a_row_are_counted_and_a_report_ends_them(story):
    state = NEW
    for _, event in story:
        before, (state, _) = state, reduce(state, event)
        if isinstance(event, Faulted):
            assert (state.faults, state.fault, state.asks) == (before.faults + 1, event.fault, before.asks + 1)
        elif isinstance(event, Reported) and event.renewal and before.phase == "done" != event.report.phase:
            assert (state.faults, state.asks) == (before.faults + 1, before.asks + 1)
            assert event.report.word in state.fault.message
        elif isinstance(event, Reported | Resulted):
            assert (state.faults, state.fault, state.asks) == (0, None, before.asks + 1)
        else:
            assert state.asks == before.asks


@pytest.mark.parametrize("kind", sorted(set(FaultKind) - {FaultKind.PAYMENT, FaultKind.MISSING}))
@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.NEW}))
def test_no_fault_but_payment_and_missing_moves_a_phase(kind, phase):
    state = after(Reported(said(phase), NOW), Faulted(Fault(kind, "x"), NOW + 1, person=True))
    assert (state.phase, state.fault.kind) == (phase, kind)


def test_payment_blocks_at_once_and_a_report_frees():
    blocked = after(Reported(said(Phase.RUNNING), NOW), Faulted(Fault(FaultKind.PAYMENT, "pay", 402), NOW + 1))
    assert blocked.phase is Phase.BLOCKED
    assert after(Reported(said(Phase.RUNNING), NOW + 2), state=blocked).phase is Phase.RUNNING


@pytest.mark.parametrize(
    ("at", "phase"),
    [
        ([0, 60], Phase.NEW),
        ([0, 20, 40], Phase.NEW),
        ([0, 30, 60], Phase.MISSING),
        ([0, 20, 40, 59.9], Phase.NEW),
        ([0, 20, 40, 61], Phase.MISSING),
    ],
)
def test_an_id_is_missing_after_three_404s_over_a_minute(at, phase):
    assert after(*(missed(NOW + seconds) for seconds in at)).phase is phase


def test_anything_between_two_404s_begins_the_row_anew():
    between = Faulted(Fault(FaultKind.SERVER, "x", 500), NOW + 50)
    state = after(missed(NOW), missed(NOW + 30), between, missed(NOW + 60), missed(NOW + 90))
    assert (state.phase, state.misses) == (Phase.NEW, 2)


def test_one_404_is_enough_for_a_person():
    assert after(missed(NOW, person=True)).phase is Phase.MISSING


@pytest.mark.parametrize("fault", [FaultKind.MISSING, FaultKind.PAYMENT])
def test_no_failure_of_a_result_moves_a_job_that_is_done(fault):
    done = after(Reported(said(Phase.DONE, run="7"), NOW))
    later = [Faulted(Fault(fault, "x"), NOW + 40 * n, True, second=True) for n in range(5)]
    state = after(*later, state=done)
    assert (state.phase, state.fault.kind, state.misses) == (Phase.DONE, fault, 0)


@pytest.mark.parametrize(
    ("before", "becomes"),
    [
        (Phase.NEW, Phase.RUNNING),
        (Phase.QUEUED, Phase.RUNNING),
        (Phase.RUNNING, Phase.RUNNING),
        (Phase.MISSING, Phase.RUNNING),
        *((end, end) for end in sorted(ENDS - {Phase.MISSING})),
    ],
)
def test_an_unknown_word_ends_nothing_and_un_ends_nothing(before, becomes):
    state = JobState(job=JOB, phase=before, since=NOW)
    state = after(Reported(said(None), NOW + 1), state=state)
    assert state.phase is becomes
    assert Flag.UNKNOWN in job_state.flags(state, NOW + 1, stall_after=60, warn_before=60)


def test_title_and_language_that_are_said_once_stay():
    first = Reported(said(Phase.RUNNING, title="Spring", language="fr"), NOW)
    state = after(first, Reported(said(Phase.DONE), NOW + 1))
    assert (state.report.title, state.report.language) == ("Spring", "fr")


def test_another_run_has_another_result():
    state = after(Reported(said(Phase.DONE, run="1"), NOW), Resulted(Result("one"), NOW + 1))
    assert (state.result, state.result_at) == ("one", NOW + 1)
    state = after(Reported(said(Phase.DONE, run="2"), NOW + 2), state=state)
    assert (state.result, state.result_at) == (None, None)


def test_an_ask_that_was_not_sent_is_not_counted():
    state = after(Unasked(Fault(FaultKind.REFUSED, "no key")))
    assert (state.asks, state.faults, state.fault.message) == (0, 0, "no key")


def test_a_job_is_asked_for_its_link_until_the_report_is_whole():
    state = after(*(Reported(said(Phase.DONE, whole=False), NOW + n) for n in range(3)))
    assert state.unwhole == 3
    assert after(Reported(said(Phase.DONE, links=(VIDEO,)), NOW + 9), state=state).unwhole == 0


def test_flags_by_the_clock():
    state = after(
        Reported(said(Phase.RUNNING), NOW), Planned(NOW + 15, "", NOW + 75), Listed(JOB), Reported(said(None), NOW + 1)
    )

    def flags(seconds, of=state):
        return set(job_state.flags(of, NOW + seconds, stall_after=3600, warn_before=86400))

    assert flags(60) == {Flag.UNKNOWN}
    assert flags(76) == {Flag.UNKNOWN, Flag.STALE}
    assert flags(3601) == {Flag.UNKNOWN, Flag.STALE, Flag.STALLED}
    done = after(Reported(said(Phase.DONE, links=(VIDEO,)), NOW))
    assert flags(WEEK - 86401, done) == set()
    assert flags(WEEK - 86400, done) == {Flag.EXPIRING}
    assert flags(WEEK, done) == {Flag.EXPIRED}


def test_captions_count_for_a_row_only_where_there_is_nothing_else():
    captions = Sighting(LinkKind.CAPTIONS, "https://cdn.test/c")
    both = after(Reported(said(Phase.DONE, links=(captions, VIDEO)), NOW))
    assert job_state.soonest(both).kind is LinkKind.VIDEO
    assert job_state.soonest(after(Reported(said(Phase.DONE, links=(captions,)), NOW))).kind is LinkKind.CAPTIONS
    assert job_state.soonest(NEW) is None


def test_a_row_is_marked_for_some_seconds_after_its_phase_changed():
    state = after(Reported(said(Phase.RUNNING), NOW))
    assert [job_state.changed(state, NOW + seconds) for seconds in (-1, 0, 7.9, 8)] == [False, True, True, False]
    assert not job_state.changed(NEW, NOW)
