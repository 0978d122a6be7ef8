"""Parser of the filter language: any text is a filter, or named problems, or both while it is being typed."""

import re
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from tui.domain import operator_input
from tui.presentation.filters.fields import ALIASES, FIELDS, NumberField, TextField, Unit
from tui.presentation.filters.model import FREE, Filter, Group, Term

Vocabulary = Callable[[str], Collection[str]]
"""Returns the values that jobs have in a field: account, provider, tag, lang or kind."""
KNOWN_VALUES = frozenset({"account", "provider"})
"""Fields with values that are known before any job has them, so that another one is a problem."""
OPEN_VALUES = frozenset({"tag", "lang", "kind", "owner"})
"""Fields with values that only jobs have: one that no job has matches nothing, which may be meant."""
QUOTES = "\"'"
MAX_NAMED = 5
"""Values that a message names if none is near."""
_FIELD = re.compile(r"([A-Za-z_]+)(:|<=|>=|<|>|=)")
_DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{0,3})?")


class Problem(NamedTuple):
    """Problem of a filter's text."""

    text: str
    is_incomplete: bool = False
    """A term that more letters may complete; the filter leaves it out."""


class ParsedFilter(NamedTuple):
    """Filter of a text, without the terms that have a problem."""

    filter: Filter
    problems: tuple[Problem, ...] = ()

    @property
    def error(self) -> str:
        """First problem that more letters do not solve; "": none."""
        return next((problem.text for problem in self.problems if not problem.is_incomplete), "")


class Word(NamedTuple):
    """Part of a term between `|`, without its quotation marks."""

    text: str
    bare_length: int
    """Characters before the first quoted one: only these may be a field and its operator."""
    start: int
    """Position in the filter's text."""


class Clause(NamedTuple):
    """Term as written: words separated by `|`, with `-` in front or without."""

    words: tuple[Word, ...]
    is_positive: bool
    is_closed: bool
    """Every quotation mark has its second one."""


def parse(text: str, vocabulary: Vocabulary | None = None) -> ParsedFilter:
    """Return the filter in a text. With a vocabulary, also accounts and providers are checked."""
    groups: list[Group] = []
    problems: list[Problem] = []
    for clause in split(text):
        if not clause.is_closed:
            problems.append(Problem("no closing quotation mark", is_incomplete=True))
        terms = tuple(_terms(clause, problems, vocabulary))
        if terms:
            groups.append(Group(terms, clause.is_positive))
    return ParsedFilter(Filter(tuple(groups)), tuple(problems))


def split(text: str) -> Iterator[Clause]:
    """Yield the clauses of a text. Blanks around `|` belong to it; a quotation mark counts at a word's beginning."""
    at, end = 0, len(text)
    while True:
        while at < end and text[at].isspace():
            at += 1
        if at == end:
            return
        is_positive = not (text[at] == "-" and at + 1 < end and not text[at + 1].isspace())
        at += not is_positive
        words: list[Word] = []
        is_closed = True
        while True:
            word, at, closed = _word(text, at)
            words.append(word)
            is_closed = is_closed and closed
            after = _skip_blanks(text, at)
            if after == end or text[after] != "|":
                break
            at = _skip_blanks(text, after + 1)
        yield Clause(tuple(words), is_positive, is_closed)


def _skip_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _word(text: str, start: int) -> tuple[Word, int, bool]:
    """Return the word that starts there, the position after it, and whether its quotation marks are closed."""
    letters: list[str] = []
    at, bare_length, quoted = start, -1, ""
    while at < len(text) and (quoted or (not text[at].isspace() and text[at] != "|")):
        letter = text[at]
        if quoted:
            quoted = "" if letter == quoted else quoted
            if quoted:
                letters.append(letter)
        elif letter in QUOTES and (not letters or letters[-1] in ":<>="):
            quoted = letter
            bare_length = len(letters) if bare_length < 0 else bare_length
        else:
            letters.append(letter)
        at += 1
    return Word("".join(letters), len(letters) if bare_length < 0 else bare_length, start), at, not quoted


def field_of(word: Word) -> tuple[str, str, str] | None:
    """Return field, operator and value as written; None: the word is free text."""
    found = _FIELD.match(word.text, 0, word.bare_length)
    if found is None:
        return None
    value = word.text[found.end() :]
    if found[2] == "=" and _field_name(found[1]) is None:
        return None
    return None if found[2] == ":" and value.startswith("//") else (found[1], found[2], value)


def _field_name(written: str) -> str | None:
    name = written.lower()
    name = ALIASES.get(name, name)
    return name if name in FIELDS else None


def _terms(clause: Clause, problems: list[Problem], vocabulary: Vocabulary | None) -> Iterator[Term]:
    """Yield the terms of a clause, and add its problems. A word without a field has that of the word before it."""
    inherited = ""
    first, *_ = clause.words
    for word in clause.words:
        if word is not first and word.text.startswith("-") and word.bare_length:
            problems.append(Problem(f"“-” excludes a whole term: write it first, -{first.text}|…"))
            continue
        written = field_of(word)
        if written is None and inherited and word.text:
            written = (inherited, ":", word.text)
        if written is not None and _is_ref(written, vocabulary):
            written = None
        if not word.text:
            if len(clause.words) > 1:
                problems.append(Problem("expected a term on both sides of “|”", is_incomplete=True))
            elif word.bare_length == 0 and clause.is_closed:
                problems.append(Problem("expected text in the quotation marks", is_incomplete=True))
        elif written is None:
            yield Term(FREE, ":", word.text.lower())
        else:
            inherited = written[0] if written[1] == ":" else ""
            term = _field_term(*written, vocabulary)
            if isinstance(term, Term):
                yield term
            else:
                problems.append(term)


def _is_ref(written: tuple[str, str, str], vocabulary: Vocabulary | None) -> bool:
    """Return whether it is `account:id`."""
    name, operator, _ = written
    return operator == ":" and vocabulary is not None and _field_name(name) is None and name in vocabulary("account")


def _field_term(written: str, operator: str, value: str, vocabulary: Vocabulary | None) -> Term | Problem:
    name = _field_name(written)
    if name is None:
        return Problem(f"no field {written}{_did_you_mean(written, [*FIELDS, *ALIASES])}")
    field = FIELDS[name]
    if isinstance(field, NumberField):
        return _comparison(name, field, operator, value)
    if operator not in {":", "="}:
        return Problem(f"{name} has no order: {name}:{value or 'text'}")
    if not value:
        return Problem(f"{name}{operator} needs a value", is_incomplete=True)
    text = value.lower()
    if field.choices:
        text = re.sub("[ -]", "_", text)
    known = _known_values(name, field, vocabulary)
    is_known = text in known if operator == "=" else any(each.startswith(text) for each in known)
    if known and not is_known:
        return Problem(f"no {name} {value}{_did_you_mean(text, known)}")
    return Term(name, operator, text)


def _known_values(name: str, field: TextField, vocabulary: Vocabulary | None) -> Collection[str]:
    if field.choices or vocabulary is None or name not in KNOWN_VALUES:
        return field.choices
    return sorted(each.lower() for each in vocabulary(name))


def _comparison(name: str, field: NumberField, operator: str, value: str) -> Term | Problem:
    example = {Unit.PERCENT: "50", Unit.COUNT: "3"}.get(field.unit, "2h")
    is_time = field.unit not in {Unit.PERCENT, Unit.COUNT}
    if operator == ":" or (operator == "=" and is_time):
        return Problem(f"{name} is compared: {name}>{example} or {name}<{example}", is_incomplete=not value)
    if not value:
        return Problem(f"{name}{operator} needs a value, such as {example}", is_incomplete=True)
    if is_time:
        seconds = parse_duration(value)
        if seconds is None and value.isdigit():
            return Problem(f"{name}{operator}{value} needs a unit: s, m, h or d", is_incomplete=True)
        if seconds is None:
            return Problem(f"{value} is not a duration: use {operator_input.DURATION_EXAMPLES}")
        return Term(name, operator, value.lower(), seconds)
    number = value.removesuffix("%") if field.unit is Unit.PERCENT else value
    if not _NUMBER.fullmatch(number):
        return Problem(f"{value} is not a number: {name}{operator}{example}")
    return Term(name, operator, value.lower(), float(number))


def parse_duration(text: str) -> float | None:
    """Return the seconds in `90s`, `2h` or `1d12h`; None: the text is no duration."""
    found = _DURATION.fullmatch(text.lower()) if text else None
    if found is None:
        return None
    return sum(int(count or 0) * size for count, size in zip(found.groups(), (86400, 3600, 60, 1), strict=True))


def unused_values(wanted: Filter, vocabulary: Vocabulary) -> Iterator[str]:
    """Yield a message for each value that no job has, such as a tag."""
    for group in wanted.groups:
        for term in group.terms if group.is_positive else ():
            if term.field in OPEN_VALUES:
                known = [value.lower() for value in vocabulary(term.field)]
                if not any(value.startswith(term.text) for value in known):
                    near = operator_input.nearest(term.text, sorted(known))
                    yield f"no job has {term.field} {term.text}" + (f"; did you mean {near}?" if near else "")


def _did_you_mean(word: str, words: Collection[str]) -> str:
    """Return `; did you mean flag?` with the nearest word, else one with the same first letter, else some words."""
    lower, ordered = word.lower(), list(words)
    near = operator_input.nearest(lower, ordered) or next((each for each in ordered if each[:1] == lower[:1]), None)
    if near:
        return f"; did you mean {near}?"
    return f"; use {', '.join(ordered[:MAX_NAMED])}{', …' * (len(ordered) > MAX_NAMED)}" if ordered else ""
