import pytest
from hypothesis import given

from tests.support.strategies import NOW, WEEK, event_sequences, few_examples
from tui.domain import evaluation, job_state
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import (
    ClockShifted,
    DownloadsRead,
    ExternalStateRead,
    FaultCleared,
    Flag,
    HistoryBounded,
    JobListed,
    JobState,
    MarkedStale,
    PollFailed,
    PollScheduled,
    PollSkipped,
    ResultReceived,
    StatusReceived,
    reduce,
)
from tui.domain.links import expiry
from tui.domain.models import (
    ENDED,
    DownloadedFile,
    Fault,
    FaultKind,
    Job,
    LinkKind,
    Phase,
    Report,
    ReportedLink,
    Result,
)

JOB = Job(account="a", id="1")
NEW = JobState(job=JOB)
VIDEO = ReportedLink(LinkKind.VIDEO, "https://cdn.test/1", WEEK)


def make_report(phase, **more):
    return Report(phase=phase, raw_status=phase or "odd", **more)


def after(*events, state=NEW):
    for event in events:
        state, _ = reduce(state, event)
    return state


def missed(at, one_shot=False, is_follow_up=False):
    return PollFailed(Fault(FaultKind.MISSING, "not found", 404), at, one_shot, is_follow_up)


def _links_in(event):
    if isinstance(event, StatusReceived):
        return event.report.links
    return event.result.links if isinstance(event, ResultReceived) else ()


@few_examples
@given(event_sequences())
def test_a_valid_link_is_replaced_only_by_another_of_its_kind(events):
    state = NEW
    for at, event in events:
        before, (state, _) = state, reduce(state, event)
        shown = {link.kind for link in state.links if link not in before.links}
        urls = {(link.kind, link.url) for link in state.links}
        sighted = _links_in(event)
        for link in before.links:
            if not expiry.is_expired(link, at) and (link.kind, link.url) not in urls:
                assert link.kind in shown | {reported.kind for reported in sighted}


@few_examples
@given(event_sequences())
def test_an_unchanged_url_keeps_first_seen(events):
    state = NEW
    for _, event in events:
        since = {(link.kind, link.url): link.first_seen for link in state.links}
        state, _ = reduce(state, event)
        for link in state.links:
            assert link.first_seen == since.get((link.kind, link.url), link.first_seen)


@few_examples
@given(event_sequences())
def test_a_phase_change_is_returned_exactly_when_the_phase_differs(events):
    state = NEW
    for at, event in events:
        before, (state, change) = state, reduce(state, event)
        assert (change is not None) is (before.phase is not state.phase)
        if change is not None:
            assert (change.before, change.after, change.seen) == (before.phase, state.phase, at)
            assert change.earliest == before.checked_at
            assert state.phase_since == at


@few_examples
@given(event_sequences())
def test_a_state_survives_encoding_and_decoding(events):
    import msgspec

    state = after(*(event for _, event in events))
    assert msgspec.json.decode(msgspec.json.encode(state), type=JobState) == state


@few_examples
@given(event_sequences())
def test_consecutive_faults_are_counted_until_a_report(events):
    state = NEW
    for _, event in events:
        before, (state, _) = state, reduce(state, event)
        if isinstance(event, PollFailed):
            assert (state.consecutive_faults, state.fault, state.poll_count) == (
                before.consecutive_faults + 1,
                event.fault,
                before.poll_count + 1,
            )
        elif isinstance(event, StatusReceived) and event.is_renewal and before.phase == "done" != event.report.phase:
            assert (state.consecutive_faults, state.poll_count) == (
                before.consecutive_faults + 1,
                before.poll_count + 1,
            )
            assert event.report.raw_status in state.fault.message
        elif isinstance(event, StatusReceived | ResultReceived):
            assert (state.consecutive_faults, state.fault, state.poll_count) == (0, None, before.poll_count + 1)
        else:
            assert state.poll_count == before.poll_count


@pytest.mark.parametrize("kind", sorted(set(FaultKind) - {FaultKind.PAYMENT, FaultKind.MISSING}))
@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.NEW}))
def test_only_payment_and_missing_faults_change_the_phase(kind, phase):
    state = after(StatusReceived(make_report(phase), NOW), PollFailed(Fault(kind, "x"), NOW + 1, one_shot=True))
    assert (state.phase, state.fault.kind) == (phase, kind)


def test_payment_blocks_at_once_and_a_report_unblocks():
    blocked = after(
        StatusReceived(make_report(Phase.RUNNING), NOW), PollFailed(Fault(FaultKind.PAYMENT, "pay", 402), NOW + 1)
    )
    assert blocked.phase is Phase.BLOCKED
    assert after(StatusReceived(make_report(Phase.RUNNING), NOW + 2), state=blocked).phase is Phase.RUNNING


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


def test_anything_between_two_404s_restarts_their_count():
    between = PollFailed(Fault(FaultKind.SERVER, "x", 500), NOW + 50)
    state = after(missed(NOW), missed(NOW + 30), between, missed(NOW + 60), missed(NOW + 90))
    assert (state.phase, state.consecutive_404s) == (Phase.NEW, 2)


def test_one_404_is_enough_for_a_one_shot_poll():
    assert after(missed(NOW, one_shot=True)).phase is Phase.MISSING


@pytest.mark.parametrize("fault", [FaultKind.MISSING, FaultKind.PAYMENT])
def test_no_fault_of_a_follow_up_request_changes_the_phase(fault):
    done = after(StatusReceived(make_report(Phase.DONE, result_id="7"), NOW))
    later = [PollFailed(Fault(fault, "x"), NOW + 40 * n, True, is_follow_up=True) for n in range(5)]
    state = after(*later, state=done)
    assert (state.phase, state.fault.kind, state.consecutive_404s) == (Phase.DONE, fault, 0)


@pytest.mark.parametrize(
    ("before", "becomes"),
    [
        (Phase.NEW, Phase.RUNNING),
        (Phase.QUEUED, Phase.RUNNING),
        (Phase.RUNNING, Phase.RUNNING),
        (Phase.MISSING, Phase.RUNNING),
        *((end, end) for end in sorted(ENDED - {Phase.MISSING})),
    ],
)
def test_an_unknown_status_neither_ends_nor_restarts_a_job(before, becomes):
    state = JobState(job=JOB, phase=before, phase_since=NOW)
    state = after(StatusReceived(make_report(None), NOW + 1), state=state)
    assert state.phase is becomes
    assert Flag.UNKNOWN in evaluation.flags(state, EvaluationContext(now=NOW + 1, stall_after=60, warn_before=60))


def test_title_and_language_reported_once_are_kept():
    first = StatusReceived(make_report(Phase.RUNNING, title="Spring", language="fr"), NOW)
    state = after(first, StatusReceived(make_report(Phase.DONE), NOW + 1))
    assert (state.report.title, state.report.language) == ("Spring", "fr")


def test_another_result_id_discards_the_old_result():
    state = after(StatusReceived(make_report(Phase.DONE, result_id="1"), NOW), ResultReceived(Result("one"), NOW + 1))
    assert (state.result, state.result_fetched_at) == ("one", NOW + 1)
    state = after(StatusReceived(make_report(Phase.DONE, result_id="2"), NOW + 2), state=state)
    assert (state.result, state.result_fetched_at) == (None, None)


def test_a_skipped_poll_is_not_counted():
    state = after(PollSkipped(Fault(FaultKind.REFUSED, "no key")))
    assert (state.poll_count, state.consecutive_faults, state.fault.message) == (0, 0, "no key")


def test_incomplete_reports_are_counted_until_the_link_is_there():
    state = after(*(StatusReceived(make_report(Phase.DONE, is_complete=False), NOW + n) for n in range(3)))
    assert state.incomplete_polls == 3
    assert after(StatusReceived(make_report(Phase.DONE, links=(VIDEO,)), NOW + 9), state=state).incomplete_polls == 0


def test_flags_by_the_clock():
    state = after(
        StatusReceived(make_report(Phase.RUNNING), NOW),
        PollScheduled(NOW + 15, None, NOW + 75),
        JobListed(JOB),
        StatusReceived(make_report(None), NOW + 1),
    )

    def flags(seconds, of=state):
        return set(evaluation.flags(of, EvaluationContext(now=NOW + seconds, stall_after=3600, warn_before=86400)))

    assert flags(60) == {Flag.UNKNOWN}
    assert flags(76) == {Flag.UNKNOWN, Flag.STALE}
    assert flags(3601) == {Flag.UNKNOWN, Flag.STALE, Flag.STALLED}
    done = after(StatusReceived(make_report(Phase.DONE, links=(VIDEO,)), NOW))
    assert flags(WEEK - 86401, done) == set()
    assert flags(WEEK - 86400, done) == {Flag.EXPIRING}
    assert flags(WEEK, done) == {Flag.EXPIRED}


def test_the_primary_link_is_captions_only_if_there_is_no_other():
    captions = ReportedLink(LinkKind.CAPTIONS, "https://cdn.test/c")
    both = after(StatusReceived(make_report(Phase.DONE, links=(captions, VIDEO)), NOW))
    assert job_state.primary_link(both).kind is LinkKind.VIDEO
    assert (
        job_state.primary_link(after(StatusReceived(make_report(Phase.DONE, links=(captions,)), NOW))).kind
        is LinkKind.CAPTIONS
    )
    assert job_state.primary_link(NEW) is None


def test_a_phase_change_is_recent_for_some_seconds():
    state = after(StatusReceived(make_report(Phase.RUNNING), NOW))
    assert [job_state.recently_changed(state, NOW + seconds) for seconds in (-1, 0, 7.9, 8)] == [
        False,
        True,
        True,
        False,
    ]
    assert not job_state.recently_changed(NEW, NOW)


FAULTY = after(*(PollFailed(Fault(kind, "x"), NOW) for kind in (FaultKind.SERVER, FaultKind.MISSING)))


def test_a_cleared_fault_starts_a_new_series():
    state = after(FaultCleared(), state=FAULTY)
    assert (state.fault, state.consecutive_faults, state.consecutive_404s, state.first_404_at) == (None, 0, 0, None)
    assert state.poll_count == FAULTY.poll_count


def test_another_kind_of_the_job_clears_its_fault_and_another_label_does_not():
    assert after(JobListed(Job(account="a", id="1", kind="text")), state=FAULTY).fault is None
    assert after(JobListed(Job(account="a", id="1", label="x")), state=FAULTY).fault == FAULTY.fault


def test_an_active_report_is_marked_stale_but_never_fresher():
    running = after(StatusReceived(make_report(Phase.RUNNING), NOW), PollScheduled(NOW + 15, None, NOW + 75))
    marked = after(MarkedStale(NOW + 20), state=running)
    assert job_state.is_stale(marked, NOW + 21)
    assert after(MarkedStale(NOW + 50), state=marked) == marked
    assert after(MarkedStale(NOW + 20)) == NEW
    done = after(StatusReceived(make_report(Phase.DONE), NOW))
    assert after(MarkedStale(NOW + 20), state=done) == done


def test_a_clock_shift_moves_the_next_poll_and_makes_no_report_fresher():
    planned = after(PollScheduled(NOW + 15, None, NOW + 75))
    ahead, back = after(ClockShifted(1000), state=planned), after(ClockShifted(-1000), state=planned)
    assert (ahead.next_poll_at, ahead.stale_after) == (NOW + 1015, NOW + 75)
    assert (back.next_poll_at, back.stale_after) == (NOW - 985, NOW - 925)
    assert after(ClockShifted(1000)) == NEW


def test_a_clock_shift_moves_the_time_that_a_service_named():
    limited = after(PollFailed(Fault(FaultKind.LIMITED, "x", 429, NOW + 60), NOW))
    assert after(ClockShifted(-1000), state=limited).fault.retry_at == NOW - 940


def test_nothing_has_happened_after_now():
    ahead = after(
        StatusReceived(make_report(Phase.RUNNING), NOW),
        StatusReceived(make_report(Phase.DONE), NOW + 60),
        DownloadedFile("video", "/d/a", 1, NOW + 90),
    )
    bounded = after(HistoryBounded(NOW + 30), state=ahead)
    assert (bounded.first_polled_at, bounded.checked_at, bounded.phase_since) == (NOW, NOW + 30, NOW + 30)
    assert bounded.downloads[0].downloaded_at == NOW + 30
    assert bounded.phase is Phase.DONE
    assert after(HistoryBounded(NOW + 90), state=ahead) == ahead


def test_an_external_state_replaces_all_but_the_job_and_reports_a_phase_change():
    mine = after(StatusReceived(make_report(Phase.RUNNING), NOW), JobListed(Job(account="a", id="1", label="mine")))
    external = after(
        StatusReceived(make_report(Phase.RUNNING), NOW), StatusReceived(make_report(Phase.DONE, message="ok"), NOW + 60)
    )
    state, change = reduce(mine, ExternalStateRead(external, NOW + 90))
    assert (state.phase, state.job.label, state.poll_count) == (Phase.DONE, "mine", 2)
    assert change == (JOB.ref, Phase.RUNNING, Phase.DONE, NOW, NOW + 60, "ok")
    assert reduce(state, ExternalStateRead(external, NOW + 90)) == (state, None)


def test_downloads_read_from_the_journal_replace_those_of_the_state():
    file = DownloadedFile("video", "/d/a", 1, NOW)
    state = after(DownloadsRead((file,)))
    assert state.downloads == (file,)
    assert after(DownloadsRead(()), state=state) == NEW
