"""Expiry calendar against a recount of the jobs of each day and hour."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import few_examples
from tui.domain.job_state import JobState
from tui.domain.links.calendar import expiry_calendar
from tui.domain.models import DownloadedFile, Job, Link, LinkKind, Phase

MIDNIGHT = 1_795_219_200.0
"""2026-11-21T00:00:00Z."""
DAY, HOUR = 86400.0, 3600.0


def job(number, expires_at, *, keep=False, phase=Phase.DONE, saved=False):
    link = Link(LinkKind.VIDEO, "https://cdn.test/v", MIDNIGHT - DAY, expires_at, expiry_is_exact=True)
    return JobState(
        job=Job(account="a", id=str(number), keep_link=keep),
        phase=phase,
        links=(link,),
        downloads=(DownloadedFile("video", "/d/v", 1, MIDNIGHT),) if saved else (),
    )


drawn = st.lists(
    st.tuples(
        st.none() | st.floats(-2 * DAY, 20 * DAY),
        st.booleans(),
        st.sampled_from([Phase.DONE, Phase.DONE, Phase.FAILED]),
        st.booleans(),
    ),
    max_size=60,
)
lengths = st.lists(st.sampled_from([23 * HOUR, DAY, 25 * HOUR]), min_size=1, max_size=14)


@given(drawn, lengths, st.floats(0, DAY))
@few_examples
def test_each_day_has_the_links_that_expire_on_it_and_no_others(drawn, lengths, elapsed):
    midnights = [MIDNIGHT + sum(lengths[:number]) for number in range(len(lengths) + 1)]
    now = MIDNIGHT + elapsed
    states = [
        job(number, None if at is None else MIDNIGHT + at, keep=keep, phase=phase, saved=saved)
        for number, (at, keep, phase, saved) in enumerate(drawn)
    ]
    days = expiry_calendar(states, now, midnights)
    assert [day.starts_at for day in days] == midnights[:-1]
    for day, (start, end) in zip(days, pairwise(midnights), strict=True):
        due = [
            state
            for state in states
            if state.phase is Phase.DONE and (at := state.links[0].expires_at) and at > now and start <= at < end
        ]
        assert day.refs == [state.job.ref for state in due]
        assert day.saved == sum(bool(state.downloads) for state in due)
        for hours, keep in ((day.kept, True), (day.unkept, False)):
            expected = [0] * 24
            for state in due:
                if state.job.keep_link is keep:
                    expected[min(23, math.floor((state.links[0].expires_at - start) / HOUR))] += 1
            assert hours == expected
