"""Strategies of the domain's values, for properties."""

from hypothesis import settings
from hypothesis import strategies as st

from tui.domain.job_state import Died, Faulted, Listed, Planned, Reported, Resulted, Unasked
from tui.domain.models import Fault, FaultKind, Job, LinkKind, Phase, Report, Result, Saved, Sighting
from tui.domain.polling.duration_model import SIGMAS, Fit

NOW = 1_800_000_000.0
WEEK = 7 * 86400.0

few = settings(max_examples=50)
"""For properties over whole stories, each of which is many cases."""

sightings = st.builds(
    Sighting,
    st.sampled_from(LinkKind),
    st.sampled_from([f"https://cdn.test/{number}" for number in range(4)]),
    st.sampled_from([None, 60.0, WEEK]),
)
reports = st.builds(
    Report,
    phase=st.none() | st.sampled_from(Phase).filter(lambda phase: phase is not Phase.NEW),
    word=st.sampled_from(["running", "lip_syncing"]),
    title=st.none() | st.text(max_size=30),
    language=st.none() | st.sampled_from(["Urdu (Pakistan)", "fr", "中文（简体）中文（简体）", "x" * 60]),
    progress=st.none() | st.floats(0, 1),
    staged=st.booleans(),
    run=st.none() | st.sampled_from(["1", "2"]),
    links=st.lists(sightings, max_size=3).map(tuple),
    whole=st.booleans(),
    retry_after=st.none() | st.floats(0, 1e10),
)
faults = st.builds(
    Fault,
    st.sampled_from(FaultKind),
    st.just("what happened"),
    st.none() | st.sampled_from([401, 403, 429, 500]),
    st.none() | st.floats(NOW - 1e6, NOW + 1e10),
)

fits = st.builds(Fit, st.floats(-2, 14), st.floats(*SIGMAS), st.integers(3, 200))


pauses = st.floats(0, 1e5)
"""Seconds between what happens to a job."""
happenings = st.one_of(
    reports.map(lambda report: lambda at: Reported(report, at)),
    st.builds(Result, st.none() | st.text(), st.lists(sightings).map(tuple)).map(
        lambda result: lambda at: Resulted(result, at)
    ),
    st.tuples(faults, st.booleans(), st.booleans()).map(lambda each: lambda at: Faulted(each[0], at, each[1], each[2])),
    faults.map(lambda fault: lambda _: Unasked(fault)),
    st.sampled_from(["video", "captions"]).map(lambda kind: lambda at: Saved(kind, "/d/a", 1, at)),
    st.sampled_from([f"https://cdn.test/{number}" for number in range(4)]).map(lambda url: lambda at: Died(url, at)),
    st.builds(Listed, st.builds(Job, account=st.just("a"), id=st.just("1"), archived=st.booleans())).map(
        lambda listed: lambda _: listed
    ),
    st.tuples(st.none() | pauses, st.booleans(), st.none() | fits).map(
        lambda each: (
            lambda at: Planned(None if each[0] is None else at + each[0], "why", at + 100 if each[1] else None, each[2])
        )
    ),
)
"""What can happen to a job, each made of the instant. Strategies that were made of it would be built for every draw."""


@st.composite
def stories(draw, most=6):
    """Events with the seconds that pass before each."""
    at, found = NOW, []
    for pause, happening in draw(st.lists(st.tuples(pauses, happenings), max_size=most)):
        at += pause
        found.append((at, happening(at)))
    return found
