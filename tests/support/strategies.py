"""Hypothesis strategies for values of the domain."""

from hypothesis import settings
from hypothesis import strategies as st

from tui.domain.job_state import (
    ClockShifted,
    FaultCleared,
    HistoryBounded,
    JobListed,
    LinkFoundDead,
    MarkedStale,
    PollFailed,
    PollScheduled,
    PollSkipped,
    ResultReceived,
    StatusReceived,
)
from tui.domain.models import (
    DownloadedFile,
    Fault,
    FaultKind,
    Job,
    LinkKind,
    Phase,
    PollReason,
    Report,
    ReportedLink,
    Result,
)
from tui.domain.polling.duration_model import SIGMA_BOUNDS, LogNormalFit

NOW = 1_800_000_000.0
WEEK = 7 * 86400.0

few_examples = settings(max_examples=settings().max_examples // 2)
"""For properties over event sequences, each of which is many cases."""

reported_links = st.builds(
    ReportedLink,
    st.sampled_from(LinkKind),
    st.sampled_from([f"https://cdn.test/{number}" for number in range(4)]),
    st.sampled_from([None, 60.0, WEEK]),
)
reports = st.builds(
    Report,
    phase=st.none() | st.sampled_from(Phase).filter(lambda phase: phase is not Phase.NEW),
    raw_status=st.sampled_from(["running", "lip_syncing"]),
    title=st.none() | st.text(max_size=30),
    language=st.none() | st.sampled_from(["Urdu (Pakistan)", "fr", "中文（简体）中文（简体）", "x" * 60]),
    progress=st.none() | st.floats(0, 1),
    progress_is_stage=st.booleans(),
    result_id=st.none() | st.sampled_from(["1", "2"]),
    links=st.lists(reported_links, max_size=3).map(tuple),
    is_complete=st.booleans(),
    retry_after=st.none() | st.floats(0, 1e10),
)
faults = st.builds(
    Fault,
    st.sampled_from(FaultKind),
    st.just("what happened"),
    st.none() | st.sampled_from([401, 403, 429, 500]),
    st.none() | st.floats(NOW - 1e6, NOW + 1e10),
)

fits = st.builds(LogNormalFit, st.floats(-2, 14), st.floats(*SIGMA_BOUNDS), st.integers(3, 200))


pauses = st.floats(0, 1e5)
"""Seconds between the events of a job."""
event_makers = st.one_of(
    reports.map(lambda report: lambda at: StatusReceived(report, at)),
    st.builds(Result, st.none() | st.text(), st.lists(reported_links).map(tuple)).map(
        lambda result: lambda at: ResultReceived(result, at)
    ),
    st.tuples(faults, st.booleans(), st.booleans()).map(
        lambda each: lambda at: PollFailed(each[0], at, each[1], each[2])
    ),
    faults.map(lambda fault: lambda _: PollSkipped(fault)),
    st.just(lambda _: FaultCleared()),
    st.sampled_from([MarkedStale, HistoryBounded]),
    st.floats(-1e5, 1e5).map(lambda seconds: lambda _: ClockShifted(seconds)),
    st.sampled_from(["video", "captions"]).map(lambda kind: lambda at: DownloadedFile(kind, "/d/a", 1, at)),
    st.sampled_from([f"https://cdn.test/{number}" for number in range(4)]).map(
        lambda url: lambda at: LinkFoundDead(url, at)
    ),
    st.builds(JobListed, st.builds(Job, account=st.just("a"), id=st.just("1"), archived=st.booleans())).map(
        lambda listed: lambda _: listed
    ),
    st.tuples(st.none() | pauses, st.booleans(), st.none() | fits).map(
        lambda each: (
            lambda at: PollScheduled(
                None if each[0] is None else at + each[0], PollReason.REGULAR, at + 100 if each[1] else None, each[2]
            )
        )
    ),
)
"""Functions from an instant to an event. Strategies that depend on it would be built for every draw."""


@st.composite
def event_sequences(draw, max_size=6):
    """Return instants and events in order."""
    at, found = NOW, []
    for pause, happening in draw(st.lists(st.tuples(pauses, event_makers), max_size=max_size)):
        at += pause
        found.append((at, happening(at)))
    return found
