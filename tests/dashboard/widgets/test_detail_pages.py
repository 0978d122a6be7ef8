"""Detail pages are unchanged until their next tick. Estimates, absent here, may lag."""

from datetime import UTC

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from textual.content import Content
from textual.geometry import Size

from tests.support.strategies import event_sequences, few_examples, fits
from tui.dashboard.board_model import BoardModel
from tui.dashboard.widgets.detail_pages import DetailPages, DetailTab
from tui.domain import evaluation
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState, PhaseChange, reduce
from tui.domain.models import Job, Link, LinkKind, Phase, PollReason, Report, RequestRecord
from tui.domain.polling.duration_model import LogNormalFit
from tui.engine.api import JobHistory

ROOM = Size(120, 14)
DRAWN = dict.fromkeys(map(ord, "█▉▊▋▌▍▎▏"))
"""What a bar is made of."""
BORN = 1_800_000_000.0
RUNS = JobState(
    job=Job(account="heygen", id="a"),
    phase=Phase.RUNNING,
    phase_since=BORN + 2,
    first_polled_at=BORN,
    report=Report(phase=Phase.RUNNING, raw_status="running"),
    checked_at=BORN + 12.5,
    poll_count=3,
    next_poll_at=BORN + 700.25,
    next_poll_reason=PollReason.REGULAR,
    stale_after=BORN + 1000,
)
ENDED = JobState(
    job=Job(account="heygen", id="a"),
    phase=Phase.DONE,
    phase_since=BORN + 2,
    report=Report(phase=Phase.DONE, raw_status="success"),
    checked_at=BORN + 12.5,
    links=(
        Link(LinkKind.VIDEO, "https://cdn.test/1", BORN + 2, BORN + 900.5, expiry_is_exact=True),
        Link(LinkKind.AUDIO, "https://cdn.test/2", BORN + 2, BORN + 9000.0, expiry_is_exact=False),
    ),
)


CHANGES = [BORN + 700.25, BORN + 900.5, BORN + 1000, BORN + 9000, BORN + 20_000]
"""Instants at which RUNS or ENDED changes, and the end; none of the three seconds before each is skipped."""


def plain(text: list[Content]) -> str:
    return "\n".join(piece.plain for piece in text)


@pytest.mark.parametrize("tab", [DetailTab.OVERVIEW, DetailTab.TIMELINE])
@pytest.mark.parametrize("state", [RUNS, ENDED], ids=["runs", "ended"])
def test_the_detail_is_unchanged_until_its_next_tick(state: JobState, tab: DetailTab):
    now, steps = BORN + 20.0, 0
    board = BoardModel(EvaluationContext(now=now), lambda: now)
    pages = DetailPages(board, lambda: UTC)
    while now < CHANGES[-1]:
        text, still = plain(pages.page(tab, state, None, ROOM)), pages.unchanged_for(tab, state)
        assert still > 0
        began = now
        for share in (0.5, 0.999) if still > 0.01 else ():  # an instant has no finer parts than that
            now = began + share * min(still, 40_000.0)
            assert plain(pages.page(tab, state, None, ROOM)) == text
        now, steps = began + max(1.0, min(still, 40_000.0)) + 0.01, steps + 1
        if steps % 5 == 0:  # skips most seconds: a countdown changes in each, for hours
            now = max(now, min(now + 101.0, next(each for each in CHANGES if each > began) - 3.0))
    assert steps > 100


@few_examples
@example([], LogNormalFit(0.0, 0.25, 3), 0.0, 1.0, DetailTab.OVERVIEW)  # the estimate ends within the second
@given(event_sequences(), st.none() | fits, st.floats(0, 1e6), st.floats(0, 1), st.sampled_from(DetailTab))
def test_the_screen_matches_the_board_after_random_events(story, fit, later, share, tab):
    state, now, changes, requests = RUNS, BORN + 1 + later, list[PhaseChange](), list[RequestRecord]()
    for at, event in story:
        (state, change), now = reduce(state, event), at + later
        changes += [change] if change is not None else []
        requests.append(RequestRecord(at, 200, 90.0, None, None))
    state = replace(state, duration_fit=fit)
    looked = JobHistory(
        ref=state.job.ref, phase_changes=tuple(changes), requests=tuple(requests), body=b"{}", body_received_at=now
    )
    board = BoardModel(EvaluationContext(now=now), lambda: now)
    pages = DetailPages(board, lambda: UTC)
    text, still = plain(pages.page(tab, state, looked, ROOM)), min(pages.unchanged_for(tab, state), 1e7)
    estimated = evaluation.remaining(state, board.context) is not None
    now += max(0.0, still - 1e-3) * share
    again = plain(pages.page(tab, state, looked, ROOM))
    lag = estimated and still <= 1.0  # the end of an estimate may be shown a second late
    if evaluation.remaining(state, board.context) is None and not lag:  # an estimate and a bar may lag a little
        assert again.translate(DRAWN) == text.translate(DRAWN)
