"""Row index: the refs of the table's rows in their order, updated job by job. The rules: `presentation.queries`.

To evaluate 10,000 jobs takes a tenth of a second, one takes microseconds. So a job is evaluated when its state or time
alone changes its views, and the order is computed when a job's place in it changes.
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
    """Evaluation of one job."""

    views: frozenset[View]
    is_visible: bool
    sort_key: Any
    """Key in the current sort."""
    next_change_at: float
    """Instant at which time alone changes the evaluation."""


class RowIndex:
    """Refs of the table's rows. `set_query`, `rebuild`, `update` and `advance_time` change it; `refs` is the order."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(View, 0)
        """Jobs per view."""
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
        """Set view, filter and sort."""
        self._view, self._filter, self._sort, self._descending = view, query_filter, sort, descending
        self.rebuild(states, context)

    def rebuild(self, states: Mapping[Ref, JobState], context: EvaluationContext) -> None:
        """Evaluate all jobs; `states` is in the watchlist's order."""
        self._rows = {ref: self._evaluate(state, context) for ref, state in states.items()}
        self.counts = dict.fromkeys(View, 0)
        for row in self._rows.values():
            self._add_to_counts(row, 1)
        self._by_ref = []
        self._next_change_at = min((row.next_change_at for row in self._rows.values()), default=inf)
        self._is_sorted = False

    def update(self, states: Iterable[JobState], context: EvaluationContext) -> None:
        """Evaluate the jobs whose states changed."""
        for state in states:
            ref = state.job.ref
            row, before = self._evaluate(state, context), self._rows.get(ref)
            if row == before:
                continue
            if before is not None:
                self._add_to_counts(before, -1)
            else:
                self._by_ref = []
            self._add_to_counts(row, 1)
            self._next_change_at = min(self._next_change_at, row.next_change_at)
            self._rows[ref] = row
            has_moved = before is None or row.is_visible is not before.is_visible
            if has_moved or (row.is_visible and before is not None and row.sort_key != before.sort_key):
                self._is_sorted = False

    def advance_time(self, states: Mapping[Ref, JobState], context: EvaluationContext) -> None:
        """Evaluate the jobs that time alone has changed."""
        if self._next_change_at > context.now:
            return
        due = [states[ref] for ref, row in self._rows.items() if row.next_change_at <= context.now]
        later = (row.next_change_at for row in self._rows.values() if row.next_change_at > context.now)
        self._next_change_at = min(later, default=inf)
        self.update(due, context)

    @property
    def refs(self) -> list[Ref]:
        """The visible jobs in order; the same list until it changes."""
        if not self._is_sorted:
            self._is_sorted = True
            self._refs = self._sorted_refs()
        return self._refs

    def _sorted_refs(self) -> list[Ref]:
        if self._sort not in queries.SORT_KEYS:
            refs = [ref for ref, row in self._rows.items() if row.is_visible]
            return refs[::-1] if self._descending else refs
        if not self._by_ref:
            self._by_ref = sorted(self._rows)
        keys = {ref: row.sort_key for ref, row in self._rows.items() if row.is_visible}
        refs = [ref for ref in self._by_ref if ref in keys]
        refs.sort(key=keys.__getitem__, reverse=self._descending)
        return refs

    def _evaluate(self, state: JobState, context: EvaluationContext) -> RowInfo:
        views = queries.views(state, context)
        shown = self._view in views and self._filter.matches(state, context)
        key = queries.SORT_KEYS[self._sort](state) if self._sort in queries.SORT_KEYS else None
        return RowInfo(views, shown, key, evaluation.next_change_at(state, context))

    def _add_to_counts(self, row: RowInfo, change: int) -> None:
        for view in row.views:
            self.counts[view] += change
