"""Filter: groups of terms that a job must match. Its text is read by `grammar`."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.polling import duration_model
from tui.presentation.filters.fields import END, FIELDS, NumberField, TextField, Unit, search_text

FREE = ""
"""Field of free text."""
_ROUNDING = 0.001
"""Seconds after an instant at which a comparison of floats has changed for certain."""


class Searchable(Protocol):
    """Row with a job's state and its search text, which is None until it is needed."""

    state: JobState
    search_text: str | None


Row = TypeVar("Row", bound=Searchable)


class Term(NamedTuple):
    """Term of a filter: free text, `field:text`, `field=text` or a comparison."""

    field: str
    """One of FIELDS, or FREE."""
    operator: str
    """":", "=", "<", "<=", ">" or ">="; ":" for free text."""
    text: str
    """In lower case; of a phase or flag with '_' for a space."""
    number: float = 0.0
    """Of a comparison: seconds, percent or a count."""

    @property
    def needle(self) -> str | None:
        """Text that the search texts of the jobs that match contain, and no others; None: there is none."""
        if self.field == FREE:
            return self.text
        field = FIELDS[self.field]
        mark = field.mark if isinstance(field, TextField) else ""
        if not mark:
            return None
        text = self.text.replace("_", " ") if self.field == "phase" else self.text
        return mark + text + (END if self.operator == "=" else "")

    def matches(self, state: JobState, context: EvaluationContext, text: str | None) -> bool:
        """Return whether the job matches. `text` is its search text; None: not known."""
        if self.field == FREE:
            return self.text in (search_text(state, context) if text is None else text)
        field = FIELDS[self.field]
        if isinstance(field, NumberField):
            number = field.number(state, context)
            return number is not None and _compare(number, self.operator, self.number)
        wanted = self.text
        for each in field.texts(state, context):
            found = each.lower()
            if self.operator == "=":
                if found == wanted:
                    return True
            elif found.startswith(wanted) or (field.is_contained and wanted in found):
                return True
        return False

    def implies(self, other: "Term") -> bool:
        """Return whether every job that matches this term matches the other, as far as their texts tell."""
        if self == other:
            return True
        if (self.field, self.operator) != (other.field, other.operator) or self.operator != ":":
            return False
        field = FIELDS.get(self.field)
        if field is None or (isinstance(field, TextField) and field.is_contained):
            return other.text in self.text
        return self.text.startswith(other.text)

    def next_change_at(self, state: JobState, context: EvaluationContext) -> float:
        """Return the next instant at which time alone may change a comparison; infinity: never.

        Flags are left to `evaluation.next_change_at`.
        """
        field = FIELDS.get(self.field)
        number = field.number(state, context) if isinstance(field, NumberField) else None
        if not isinstance(field, NumberField) or number is None:
            return math.inf
        if field.unit in {Unit.ESTIMATE, Unit.PERCENT}:
            return context.now + _estimate_step(state, context.now)
        ahead = self.number - number if field.unit is Unit.ELAPSED else number - self.number
        return context.now + ahead + _ROUNDING if field.unit is not Unit.COUNT and ahead >= 0 else math.inf


def _compare(number: float, operator: str, bound: float) -> bool:
    match operator:
        case "<":
            return number < bound
        case "<=":
            return number <= bound
        case ">":
            return number > bound
        case ">=":
            return number >= bound
        case _:
            return number == bound


def _estimate_step(state: JobState, now: float) -> float:
    """Return the seconds in which an estimate changes by about 1 %; infinity: there is none."""
    if state.duration_fit is None or state.first_polled_at is None:
        return math.inf
    rest = duration_model.remaining(state.duration_fit, now - state.first_polled_at)
    return 1.0 if rest is None else max(1.0, (now - state.first_polled_at + rest.median) / 100)


class Group(NamedTuple):
    """Alternatives of which a job must match one, or, if not `is_positive`, none."""

    terms: tuple[Term, ...]
    is_positive: bool = True

    def matches(self, state: JobState, context: EvaluationContext, text: str | None) -> bool:
        """Return whether the job matches."""
        for term in self.terms:  # `any` and a generator would take twice the time
            if term.matches(state, context, text):
                return self.is_positive
        return not self.is_positive

    def select(self, rows: Sequence[Row], context: EvaluationContext) -> list[Row]:
        """Return the rows that match, in order, and give each its search text if it is needed."""
        needles = [term.needle for term in self.terms]
        known = [needle for needle in needles if needle is not None]
        if len(known) == len(needles):
            try:
                return self._search(rows, known)
            except TypeError:  # some have none yet: to look first would take as long as the search
                _prepare(rows, context)
                return self._search(rows, known)
        if known:
            _prepare(rows, context)
        return [row for row in rows if self.matches(row.state, context, row.search_text)]

    def _search(self, rows: Sequence[Row], needles: Sequence[str]) -> list[Row]:
        """Return the rows with one of the needles in their search text. Raises TypeError if one has no text."""
        if len(needles) > 1:
            wanted = self.is_positive
            return [row for row in rows if any(each in row.search_text for each in needles) is wanted]  # type: ignore[operator]  # pyright: ignore
        needle = needles[0]
        if self.is_positive:
            return [row for row in rows if needle in row.search_text]  # type: ignore[operator]  # pyright: ignore
        return [row for row in rows if needle not in row.search_text]  # type: ignore[operator]  # pyright: ignore

    def implies(self, other: "Group") -> bool:
        """Return whether every job of this group is one of the other, as far as their texts tell."""
        if self == other:
            return True
        if not (self.is_positive and other.is_positive):
            return False
        return all(any(term.implies(each) for each in other.terms) for term in self.terms)


def _prepare(rows: Sequence[Searchable], context: EvaluationContext) -> None:
    for row in rows:
        if row.search_text is None:
            row.search_text = search_text(row.state, context)


class Filter(NamedTuple):
    """Filter of jobs that match every group."""

    groups: tuple[Group, ...] = ()

    def matches(self, state: JobState, context: EvaluationContext, text: str | None = None) -> bool:
        """Return whether the job matches every group. `text` is its search text, if it is known."""
        for group in self.groups:  # noqa: SIM110  `all` and a generator would take twice the time
            if not group.matches(state, context, text):
                return False
        return True

    def select(self, rows: Sequence[Row], context: EvaluationContext, matched: "Filter | None" = None) -> list[Row]:
        """Return the rows that match, in order, and give each its search text if it is needed.

        `matched`: a filter that all these rows match.
        """
        found = rows
        for group in self.groups:
            if matched is None or group not in matched.groups:
                found = group.select(found, context)
        return list(found)

    def narrows(self, other: "Filter") -> bool:
        """Return whether every job of this filter is one of the other, as far as their texts tell."""
        return all(any(group.implies(each) for group in self.groups) for each in other.groups)

    def next_change_at(self, state: JobState, context: EvaluationContext) -> float:
        """Return the next instant at which time alone may change a comparison; infinity: never."""
        return min((term.next_change_at(state, context) for term in self._terms), default=math.inf)

    @property
    def _terms(self) -> Iterable[Term]:
        return (term for group in self.groups for term in group.terms)

    @property
    def is_timed(self) -> bool:
        """Whether time alone may change a comparison."""
        return any(isinstance(FIELDS.get(term.field), NumberField) for term in self._terms)

    @property
    def names_day(self) -> bool:
        """Whether a term names a day, so that the time zone may change what matches."""
        return any(term.field == "expiry" for term in self._terms)

    def highlights(self) -> Mapping[str, re.Pattern[str]]:
        """Return what matches in each column, by its id; "": in every column."""
        texts: dict[str, set[str]] = {}
        for group in self.groups:
            for term in group.terms if group.is_positive else ():
                field = FIELDS.get(term.field)
                if term.field == FREE or (isinstance(field, TextField) and field.column):
                    column = field.column if isinstance(field, TextField) else ""
                    texts.setdefault(column, set()).add(
                        term.text.replace("_", " ") if column == "status" else term.text
                    )
        return {column: _any_of(words | texts.get("", set())) for column, words in texts.items()}


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
