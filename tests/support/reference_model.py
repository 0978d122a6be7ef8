"""What a table shows, worked out anew from all states: what the board, kept up to date job by job, is held against."""

from collections.abc import Iterable

from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.presentation.queries import SORT_KEYS, Filter, View, views


def view_counts(states: Iterable[JobState], outlook: EvaluationContext) -> dict[View, int]:
    """How many jobs each view shows."""
    found = dict.fromkeys(View, 0)
    for state in states:
        for view in views(state, outlook):
            found[view] += 1
    return found


def expected_rows(
    states: Iterable[JobState],
    outlook: EvaluationContext,
    *,
    view: View = View.ALL,
    wanted: Filter = Filter(),  # noqa: B008  a NamedTuple: immutable
    sort: str = "",
    descending: bool = False,
) -> list[Ref]:
    """The refs of the jobs that a table shows, in order. `states` come in the watchlist's order; ties stay so."""
    shown = [state for state in states if view in views(state, outlook) and wanted.matches(state, outlook)]
    if sort in SORT_KEYS:
        shown.sort(key=lambda state: state.job.ref)
        shown.sort(key=SORT_KEYS[sort], reverse=descending)
    elif descending:
        shown.reverse()
    return [state.job.ref for state in shown]
