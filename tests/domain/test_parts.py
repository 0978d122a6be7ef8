"""Phase changes of a job's parts, such as its target languages."""

from msgspec.structs import replace

from tui.domain.job_state import HistoryBounded, JobState, StatusReceived, reduce
from tui.domain.models import Job, JobPart, PartChange, Phase, Report
from tui.domain.parts import MAX_CHANGES

AT = 1.8e9


def report(phase: Phase, *parts: tuple[str | None, Phase | None]) -> Report:
    found = tuple(JobPart(phase=each, language=language) for language, each in parts)
    return Report(phase=phase, raw_status=phase, parts=found)


def after(*reports: Report) -> JobState:
    state = JobState(job=Job(account="a", id="1"))
    for minute, each in enumerate(reports):
        state, _ = reduce(state, StatusReceived(each, AT + 60 * minute))
    return state


def test_each_change_of_a_part_is_kept_once_with_its_first_report():
    running, done = Phase.RUNNING, Phase.DONE
    state = after(
        report(running, ("de", Phase.QUEUED), ("fr", running)),
        report(running, ("de", running), ("fr", running)),
        report(running, ("de", None), ("fr", done)),
        report(Phase.DONE, ("de", Phase.FAILED), ("fr", done)),
    )
    assert state.part_changes == (
        PartChange("de", Phase.QUEUED, AT),
        PartChange("fr", running, AT),
        PartChange("de", running, AT + 60),
        PartChange("fr", done, AT + 120),
        PartChange("de", Phase.FAILED, AT + 180),
    )


def test_parts_without_a_name_and_with_the_same_one_have_a_number():
    parts = ((None, Phase.DONE), ("de", Phase.DONE), ("de", Phase.RUNNING))
    state = after(*[report(Phase.RUNNING, *parts)] * 3)
    assert [change.part for change in state.part_changes] == ["1", "de", "de 2"]


def test_a_job_that_runs_again_begins_with_no_changes_and_a_long_one_keeps_the_last():
    ends = [report(Phase.DONE, ("de", Phase.DONE)), report(Phase.RUNNING, ("de", Phase.RUNNING))]
    assert [change.after for change in after(*ends).part_changes] == [Phase.RUNNING]
    parts = [report(Phase.RUNNING, ("de", phase)) for phase in (Phase.RUNNING, Phase.QUEUED)]
    assert len(after(*parts * MAX_CHANGES).part_changes) == MAX_CHANGES


def test_no_part_has_changed_after_now():
    state = after(report(Phase.RUNNING, ("de", Phase.RUNNING)))
    bounded, _ = reduce(replace(state, checked_at=AT), HistoryBounded(AT - 5))
    assert bounded.part_changes == (PartChange("de", Phase.RUNNING, AT - 5),)
