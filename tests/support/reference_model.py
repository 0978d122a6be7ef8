"""Reference model of the job table: computed from all states at once, to check the incremental row index."""

from collections.abc import Iterable

from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.presentation.filters.model import Filter
from tui.presentation.queries import SORTS, WATCHLIST, View, views


def view_counts(states: Iterable[JobState], context: EvaluationContext) -> dict[View, int]:
    """Return the number of jobs in each view."""
    found = dict.fromkeys(View, 0)
    for state in states:
        for view in views(state, context):
            found[view] += 1
    return found


def expected_rows(
    states: Iterable[JobState],
    context: EvaluationContext,
    *,
    view: View = View.ALL,
    wanted: Filter = Filter(),  # noqa: B008  a NamedTuple: immutable
    sort: str = WATCHLIST,
    descending: bool = False,
) -> list[Ref]:
    """Return the refs that the table shows, in order. `states` are in the watchlist's order, which breaks ties."""
    shown = [state for state in states if view in views(state, context) and wanted.matches(state, context)]
    key = SORTS[sort].key
    if key is not None:
        if not SORTS[sort].is_stable:
            shown.sort(key=lambda state: state.job.ref)
        shown.sort(key=lambda state: key(state, context), reverse=descending)
    elif descending:
        shown.reverse()
    return [state.job.ref for state in shown]
