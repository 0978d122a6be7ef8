"""Which jobs the table shows and in which order, kept up to date job by job. What it says is what `domain.rows` says.

Judging 10,000 jobs takes a tenth of a second, and one takes microseconds: so each is judged when its state changes or
when time alone changes what it is, and the order is made anew only when a job's place in it changed.
"""

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any, NamedTuple

from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.presentation import queries
from tui.presentation.queries import EvaluationContext, Filter, View


class Judged(NamedTuple):
    """What was made of one job."""

    views: frozenset[View]
    shown: bool
    key: Any
    """Its place in the chosen sort."""
    turn: float
    """Instant from which this no longer holds."""


class Arrangement:
    """The refs of a table. `put`, `chosen` and `pass_time` tell it what is new; `refs` gives the order."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(View, 0)
        """How many jobs each view shows."""
        self._judged: dict[Ref, Judged] = {}
        self._by_ref: list[Ref] = []
        self._refs: list[Ref] = []
        self._arranged = True
        self._turn = inf
        self._view = View.ALL
        self._filter = Filter()
        self._sort = ""
        self._descending = False

    def chosen(
        self,
        states: Mapping[Ref, JobState],
        outlook: EvaluationContext,
        view: View,
        wanted: Filter,
        sort: str,
        descending: bool,
    ) -> None:
        """The operator chose what is shown, and how."""
        self._view, self._filter, self._sort, self._descending = view, wanted, sort, descending
        self.listed(states, outlook)

    def listed(self, states: Mapping[Ref, JobState], outlook: EvaluationContext) -> None:
        """These are all jobs there are, in the watchlist's order."""
        self._judged = {ref: self._judge(state, outlook) for ref, state in states.items()}
        self.counts = dict.fromkeys(View, 0)
        for judged in self._judged.values():
            self._count(judged, 1)
        self._by_ref = []
        self._turn = min((judged.turn for judged in self._judged.values()), default=inf)
        self._arranged = False

    def put(self, states: Iterable[JobState], outlook: EvaluationContext) -> None:
        """These jobs' states are new."""
        for state in states:
            ref = state.job.ref
            judged, before = self._judge(state, outlook), self._judged.get(ref)
            if judged == before:
                continue
            if before is not None:
                self._count(before, -1)
            else:
                self._by_ref = []
            self._count(judged, 1)
            self._turn = min(self._turn, judged.turn)
            self._judged[ref] = judged
            if before is None or judged.shown is not before.shown or (judged.shown and judged.key != before.key):
                self._arranged = False

    def pass_time(self, states: Mapping[Ref, JobState], outlook: EvaluationContext) -> None:
        """It is later: jobs that are something else by now are judged again."""
        if self._turn > outlook.now:
            return
        due = [states[ref] for ref, judged in self._judged.items() if judged.turn <= outlook.now]
        self._turn = min((judged.turn for judged in self._judged.values() if judged.turn > outlook.now), default=inf)
        self.put(due, outlook)

    @property
    def refs(self) -> list[Ref]:
        """The jobs that are shown, in order. The same list until that changes."""
        if not self._arranged:
            self._arranged = True
            self._refs = self._in_order()
        return self._refs

    def _in_order(self) -> list[Ref]:
        judged = self._judged
        if self._sort not in queries.SORT_KEYS:
            shown = [ref for ref, each in judged.items() if each.shown]
            return shown[::-1] if self._descending else shown
        if not self._by_ref:
            self._by_ref = sorted(judged)
        keys = {ref: each.key for ref, each in judged.items() if each.shown}
        shown = [ref for ref in self._by_ref if ref in keys]
        shown.sort(key=keys.__getitem__, reverse=self._descending)
        return shown

    def _judge(self, state: JobState, outlook: EvaluationContext) -> Judged:
        views = queries.views(state, outlook)
        shown = self._view in views and self._filter.matches(state, outlook)
        key = queries.SORT_KEYS[self._sort](state) if self._sort in queries.SORT_KEYS else None
        return Judged(views, shown, key, queries.next_change_at(state, outlook))

    def _count(self, judged: Judged, by: int) -> None:
        for view in judged.views:
            self.counts[view] += by
