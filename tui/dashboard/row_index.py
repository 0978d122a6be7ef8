"""Which jobs the table shows and in which order, kept up to date job by job. What it says is what `domain.rows` says.

Judging 10,000 jobs takes a tenth of a second, and one takes microseconds: so each is judged when its state changes or
when time alone changes what it is, and the order is made anew only when a job's place in it changed.
"""

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any, NamedTuple

from tui.domain import evaluation
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.presentation import queries
from tui.presentation.queries import Filter, View


class RowInfo(NamedTuple):
    """What was made of one job."""

    views: frozenset[View]
    is_visible: bool
    sort_key: Any
    """Its place in the chosen sort."""
    next_change_at: float
    """Instant from which this no longer holds."""


class RowIndex:
    """The refs of a table. `put`, `chosen` and `pass_time` tell it what is new; `refs` gives the order."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(View, 0)
        """How many jobs each view shows."""
        self._rows: dict[Ref, RowInfo] = {}
        self._by_ref: list[Ref] = []
        self._refs: list[Ref] = []
        self._is_sorted = True
        self._next_change_at = inf
        self._view = View.ALL
        self._filter = Filter()
        self._sort = ""
        self._descending = False

    def set_query(
        self,
        states: Mapping[Ref, JobState],
        context: EvaluationContext,
        view: View,
        query_filter: Filter,
        sort: str,
        descending: bool,
    ) -> None:
        """The operator chose what is shown, and how."""
        self._view, self._filter, self._sort, self._descending = view, query_filter, sort, descending
        self.rebuild(states, context)

    def rebuild(self, states: Mapping[Ref, JobState], context: EvaluationContext) -> None:
        """These are all jobs there are, in the watchlist's order."""
        self._rows = {ref: self._evaluate(state, context) for ref, state in states.items()}
        self.counts = dict.fromkeys(View, 0)
        for judged in self._rows.values():
            self._add_to_counts(judged, 1)
        self._by_ref = []
        self._next_change_at = min((judged.next_change_at for judged in self._rows.values()), default=inf)
        self._is_sorted = False

    def update(self, states: Iterable[JobState], context: EvaluationContext) -> None:
        """These jobs' states are new."""
        for state in states:
            ref = state.job.ref
            judged, before = self._evaluate(state, context), self._rows.get(ref)
            if judged == before:
                continue
            if before is not None:
                self._add_to_counts(before, -1)
            else:
                self._by_ref = []
            self._add_to_counts(judged, 1)
            self._next_change_at = min(self._next_change_at, judged.next_change_at)
            self._rows[ref] = judged
            if (
                before is None
                or judged.is_visible is not before.is_visible
                or (judged.is_visible and judged.sort_key != before.sort_key)
            ):
                self._is_sorted = False

    def advance_time(self, states: Mapping[Ref, JobState], context: EvaluationContext) -> None:
        """It is later: jobs that are something else by now are judged again."""
        if self._next_change_at > context.now:
            return
        due = [states[ref] for ref, judged in self._rows.items() if judged.next_change_at <= context.now]
        self._next_change_at = min(
            (judged.next_change_at for judged in self._rows.values() if judged.next_change_at > context.now),
            default=inf,
        )
        self.update(due, context)

    @property
    def refs(self) -> list[Ref]:
        """The jobs that are shown, in order. The same list until that changes."""
        if not self._is_sorted:
            self._is_sorted = True
            self._refs = self._sorted_refs()
        return self._refs

    def _sorted_refs(self) -> list[Ref]:
        judged = self._rows
        if self._sort not in queries.SORT_KEYS:
            shown = [ref for ref, each in judged.items() if each.is_visible]
            return shown[::-1] if self._descending else shown
        if not self._by_ref:
            self._by_ref = sorted(judged)
        keys = {ref: each.sort_key for ref, each in judged.items() if each.is_visible}
        shown = [ref for ref in self._by_ref if ref in keys]
        shown.sort(key=keys.__getitem__, reverse=self._descending)
        return shown

    def _evaluate(self, state: JobState, context: EvaluationContext) -> RowInfo:
        views = queries.views(state, context)
        shown = self._view in views and self._filter.matches(state, context)
        key = queries.SORT_KEYS[self._sort](state) if self._sort in queries.SORT_KEYS else None
        return RowInfo(views, shown, key, evaluation.next_change_at(state, context))

    def _add_to_counts(self, row: RowInfo, change: int) -> None:
        for view in row.views:
            self.counts[view] += change
