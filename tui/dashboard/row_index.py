"""Row index: the jobs of the table's rows in their order, updated job by job. The rules: `presentation.queries`.

To evaluate 10,000 jobs takes a tenth of a second, one takes microseconds. So a job is evaluated when its state or time
alone changes its views, the order is computed when a job's place in it changes, and a filter searches a text that is
kept with the row; while it only grows, in the rows that matched before. Of 100,000 jobs each pass takes milliseconds,
most of them for memory that is in no cache: so a key has as few passes as possible, and none over the refs.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tui.domain import evaluation
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.presentation import queries
from tui.presentation.queries import View

if TYPE_CHECKING:
    from tui.presentation.filters.model import Filter

LOOK_AHEAD = 60.0
"""Seconds for which the rows that time alone changes are found at once: to find them at each change is a pass each."""


class Row(Struct, gc=False, eq=False):
    """Evaluation of one job; the same row as long as the job is on the watchlist."""

    ref: Ref
    """Kept, since `Job.ref` makes another one each time."""
    state: JobState
    views: frozenset[str] = frozenset()
    matched_by: int = 0
    """Number of the last query that it matched; of the present one, if the table shows it."""
    sort_key: Any = None
    """Key in the current sort."""
    next_change_at: float = inf
    """Instant at which time alone changes the evaluation."""
    search_text: str | None = None
    """Text that a filter searches; None: not needed yet."""


class RowIndex:
    """Jobs of the table, in the order `rows`.

    `set_query`, `rebuild`, `update`, `advance_time`, `on_zone_change` and `on_providers_change` change it.
    """

    def __init__(self, saved_views: "Mapping[str, Filter] | None" = None) -> None:
        """`saved_views`: the filters of further views, by name."""
        self._saved_views = saved_views or {}
        self._is_saved_timed = any(each.is_timed for each in self._saved_views.values())
        self._view_sets: dict[frozenset[str], frozenset[str]] = {}
        """One object for each set of views that jobs have: they are compared by identity, and take no memory."""
        self.counts: dict[str, int] = self._no_counts()
        """Jobs per view."""
        self._rows: dict[Ref, Row] = {}
        self._by_ref: list[Row] = []
        """All rows by ref; empty until it is needed."""
        self._ordered: list[Row] | None = None
        """All rows in the current sort; None until it is needed."""
        self._visible: list[Row] | None = None
        """Rows of view and filter in the current sort; None until they are needed."""
        self._next_change_at = -inf
        """Instant until which time alone changes nothing."""
        self._look_ahead_end = -inf
        self._changing_soon: list[Row] = []
        """Rows that time alone changes before `_look_ahead_end`."""
        self._query = 1
        """Number of the present view and filter."""
        self._view: str = View.ALL
        self._filter: Filter | None = None
        self._sort = queries.WATCHLIST
        self._descending = False

    def set_query(
        self, context: EvaluationContext, view: str, query_filter: "Filter | None", sort: str, descending: bool
    ) -> None:
        """Set view, filter and sort; only what differs is computed."""
        self.advance_time(context)
        if sort != self._sort:
            self._sort = sort
            self._set_sort_keys(context)
            shows_all = self._visible is not None and len(self._visible) == len(self._rows)
            self._ordered = self._visible = None
            if shows_all and descending == self._descending:
                self._visible = self._in_order()  # without a look at each row
        if descending != self._descending:
            self._descending = descending
            before, self._ordered = self._ordered, None if self._ordered is None else self._reversed(self._ordered)
            if self._visible is not None:
                self._visible = self._ordered if self._visible is before else self._reversed(self._visible)
        if (view, query_filter) != (self._view, self._filter):
            self._select(view, query_filter, context)

    def _set_sort_keys(self, context: EvaluationContext) -> None:
        key = queries.SORTS[self._sort].key
        if key is None:
            for row in self._rows.values():
                row.sort_key = None
        else:
            for row in self._rows.values():
                row.sort_key = key(row.state, context)

    def _select(self, view: str, query_filter: "Filter | None", context: EvaluationContext) -> None:
        """Set view and filter. A filter that only grows searches the rows that matched before."""
        before = self._filter
        grows = view is self._view and query_filter is not None and (before is None or query_filter.narrows(before))
        self._view, self._filter = view, query_filter
        narrowed = self._visible if grows else None
        found = narrowed if narrowed is not None else self._in_view()
        if query_filter is not None:
            found = query_filter.select(found, context, before if narrowed is not None else None)
            if query_filter.is_timed:
                for row in self._rows.values():
                    row.next_change_at = self._row_change_at(row.state, context)
                self._forget_changes()
        if narrowed is not None and len(found) == len(narrowed):
            return
        self._query += 1
        for row in found:
            row.matched_by = self._query
        self._visible = found

    def _in_view(self) -> list[Row]:
        view = self._view
        return [row for row in self._in_order() if view in row.views]

    def rebuild(self, states: Mapping[Ref, JobState], context: EvaluationContext) -> None:
        """Hold these jobs, in the watchlist's order, and evaluate those whose state is another one."""
        before = self._rows
        self._rows = {ref: before.get(ref) or Row(ref, state) for ref, state in states.items()}
        for ref in before.keys() - states.keys():
            before[ref].matched_by = 0
        for ref, row in self._rows.items():
            row.ref = ref  # the engine's, so that there is one of each job
            if row.state is not states[ref] or ref not in before:
                self._evaluate(row, states[ref], context)
        self._on_rows_changed()

    def _evaluate_all(self, context: EvaluationContext) -> None:
        for row in self._rows.values():
            self._evaluate(row, row.state, context)
        self._on_rows_changed()

    def _on_rows_changed(self) -> None:
        self.counts = self._no_counts()
        for row in self._rows.values():
            self._add_to_counts(row.views, 1)
        self._by_ref, self._ordered, self._visible = [], None, None
        self._forget_changes()

    def _forget_changes(self) -> None:
        """Have the rows that time alone changes found again."""
        self._next_change_at, self._look_ahead_end, self._changing_soon = -inf, -inf, []

    def update(self, states: Iterable[JobState], context: EvaluationContext) -> None:
        """Evaluate the jobs whose states changed."""
        for state in states:
            row = self._rows.get(state.job.ref)
            is_new = row is None
            if row is None:
                row = self._rows[state.job.ref] = Row(state.job.ref, state)
                self._by_ref, self._ordered = [], None
            views, matched_by, sort_key = row.views, row.matched_by, row.sort_key
            is_found = row.next_change_at < self._look_ahead_end
            self._evaluate(row, state, context)
            if row.next_change_at < self._look_ahead_end and not is_found:
                self._changing_soon.append(row)
            self._next_change_at = min(self._next_change_at, row.next_change_at)
            if row.views is not views:
                self._add_to_counts(views, -1)
                self._add_to_counts(row.views, 1)
            has_moved = is_new or row.sort_key != sort_key
            if has_moved:
                self._ordered = None
            is_visible = row.matched_by == self._query
            if is_visible is not (matched_by == self._query) or (has_moved and is_visible):
                self._visible = None

    def advance_time(self, context: EvaluationContext) -> None:
        """Evaluate the jobs that time alone has changed."""
        if self._next_change_at > context.now:
            return
        if self._look_ahead_end <= context.now:
            self._look_ahead_end = context.now + LOOK_AHEAD
            end = self._look_ahead_end
            self._changing_soon = [row for row in self._rows.values() if row.next_change_at < end]
        self.update([row.state for row in self._changing_soon if row.next_change_at <= context.now], context)
        end = self._look_ahead_end
        self._changing_soon = [row for row in self._changing_soon if row.next_change_at < end]
        self._next_change_at = min((row.next_change_at for row in self._changing_soon), default=end)

    def on_zone_change(self, context: EvaluationContext) -> None:
        """Evaluate all jobs again if a filter names a day, which begins at another instant in another zone."""
        filters = [*self._saved_views.values(), *([self._filter] if self._filter is not None else [])]
        if any(each.names_day for each in filters):
            self._evaluate_all(context)

    def prepare_search(self, context: EvaluationContext, most: int) -> bool:
        """Give so many rows their search text; return whether all have one. Between keys, it makes the first faster."""
        from tui.presentation.filters.fields import search_text

        missing = list(islice((row for row in self._rows.values() if row.search_text is None), most))
        for row in missing:
            row.search_text = search_text(row.state, context)
        return len(missing) < most

    def on_providers_change(self, context: EvaluationContext) -> None:
        """Discard the search texts, which have the providers' names, and what filters found in them."""
        for row in self._rows.values():
            row.search_text = None
        if self._saved_views or self._filter is not None:
            self._evaluate_all(context)

    @property
    def rows(self) -> list[Row]:
        """The visible jobs in order; the same list until it changes."""
        if self._visible is None:
            query = self._query
            self._visible = [row for row in self._in_order() if row.matched_by == query]
        return self._visible

    def _in_order(self) -> list[Row]:
        """Return all rows in the current sort. Ties are in the order of the refs, or of the watchlist."""
        if self._ordered is None:
            sort = queries.SORTS[self._sort]
            if sort.key is None:
                self._ordered = list(self._rows.values())
                if self._descending:
                    self._ordered.reverse()
                return self._ordered
            if not sort.is_stable and not self._by_ref:
                self._by_ref = sorted(self._rows.values(), key=attrgetter("ref"))
            self._ordered = self._sorted(self._rows.values() if sort.is_stable else self._by_ref)
        return self._ordered

    def _sorted(self, rows: Iterable[Row]) -> list[Row]:
        """Return the rows by their sort keys. Those with the same key stay as they are."""
        return sorted(rows, key=attrgetter("sort_key"), reverse=self._descending)

    def _reversed(self, rows: list[Row]) -> list[Row]:
        """Return rows in the current sort, of which only the direction has changed: a tenth of the time."""
        return rows[::-1] if queries.SORTS[self._sort].key is None else self._sorted(rows)

    def is_visible(self, ref: Ref) -> bool:
        """Return whether the table shows the job."""
        row = self._rows.get(ref)
        return row is not None and row.matched_by == self._query

    def first_visible(self, rows: Iterable[Row]) -> Row | None:
        """Return the first of these rows that the table shows; None: it shows none."""
        query = self._query  # not `is_visible`: a hundred thousand rows may come before the first
        return next((row for row in rows if row.matched_by == query), None)

    def _evaluate(self, row: Row, state: JobState, context: EvaluationContext) -> None:
        if row.state is not state:
            row.state, row.search_text = state, None
        views = queries.views(state, context)
        row.views = self._with_saved_views(row, views, context) if self._saved_views else views
        row.sort_key = self._sort_key(state, context)
        row.next_change_at = self._row_change_at(state, context)
        matches = self._view in row.views and (self._filter is None or _matches(self._filter, row, context))
        row.matched_by = self._query if matches else 0

    def _with_saved_views(self, row: Row, views: frozenset[View], context: EvaluationContext) -> frozenset[str]:
        """Return the views with the saved ones that show the job: none of an archived one."""
        if View.ARCHIVE in views:
            return views
        found = views.union(name for name, each in self._saved_views.items() if _matches(each, row, context))
        return self._view_sets.setdefault(found, found)

    def _sort_key(self, state: JobState, context: EvaluationContext) -> Any:
        key = queries.SORTS[self._sort].key
        return key(state, context) if key is not None else None

    def _row_change_at(self, state: JobState, context: EvaluationContext) -> float:
        change_at = evaluation.next_change_at(state, context)
        if self._filter is not None and self._filter.is_timed:
            change_at = min(change_at, self._filter.next_change_at(state, context))
        if self._is_saved_timed:
            change_at = min(change_at, *(each.next_change_at(state, context) for each in self._saved_views.values()))
        return change_at

    def _add_to_counts(self, views: frozenset[str], change: int) -> None:
        for view in views:
            self.counts[view] += change

    def _no_counts(self) -> dict[str, int]:
        return dict.fromkeys([*View, *self._saved_views], 0)


def _matches(wanted: "Filter", row: Row, context: EvaluationContext) -> bool:
    return bool(wanted.select((row,), context))
