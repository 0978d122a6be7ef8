"""Completion of the filter language: what the word at the end of a text may become."""

from collections.abc import Iterable
from typing import NamedTuple

from tui.presentation.filters import grammar
from tui.presentation.filters.fields import ALIASES, FIELDS, TextField
from tui.presentation.filters.grammar import KNOWN_VALUES, OPEN_VALUES, QUOTES, Vocabulary

MAX_CANDIDATES = 50
"""Candidates that are returned at most."""


class Candidate(NamedTuple):
    """One way to complete a text."""

    label: str
    """The field with its operator, or the value."""
    text: str
    """The whole text with it."""


def complete(text: str, vocabulary: Vocabulary) -> list[Candidate]:
    """Return how the last word of a text may go on; none after a blank."""
    if not text or text[-1].isspace():
        return []
    *_, clause = grammar.split(text)
    word = clause.words[-1]
    if not word.text and len(clause.words) == 1:
        return []
    written = grammar.field_of(word)
    if written is not None:
        name, operator, value = written
        values = _values(name.lower(), operator, vocabulary)
        return _candidates(text, word.start + len(name) + len(operator), value, values)
    if word.bare_length < len(word.text):  # quoted
        return []
    inherited = next((found for each in reversed(clause.words[:-1]) if (found := grammar.field_of(each))), None)
    if inherited is not None and inherited[1] == ":":
        return _candidates(text, word.start, word.text, _values(inherited[0].lower(), ":", vocabulary))
    prefix = word.text.lower()
    fields = (f"{name}{':' if isinstance(field, TextField) else '>'}" for name, field in FIELDS.items())
    return [
        Candidate(field, text[: word.start] + word.text + field[len(prefix) :])
        for field in fields
        if prefix and field.startswith(prefix)
    ]


def _values(name: str, operator: str, vocabulary: Vocabulary) -> Iterable[str]:
    name = ALIASES.get(name, name)
    field = FIELDS.get(name)
    if not isinstance(field, TextField) or operator not in {":", "="}:
        return ()
    if field.choices:
        return field.choices
    return sorted(vocabulary(name), key=str.lower) if name in KNOWN_VALUES | OPEN_VALUES else ()


def _candidates(text: str, start: int, value: str, values: Iterable[str]) -> list[Candidate]:
    """Return the values that begin like the one that starts there, quoted if they need it."""
    begun = text[start:]
    found: list[Candidate] = []
    for each in values:
        if each and each.lower().startswith(value.lower()) and len(found) < MAX_CANDIDATES:
            quote = begun[0] if begun[:1] and begun[0] in QUOTES else needed_quote(each)
            rest = each[len(value) :] + quote
            is_quoted = begun[:1] == quote or not quote
            found.append(Candidate(each, text + rest if is_quoted else f"{text[:start]}{quote}{each}{quote}"))
    return found


def needed_quote(value: str) -> str:
    """Return the quotation mark around a value that has blanks or signs of the grammar; "": it needs none."""
    if not any(letter.isspace() or letter in "|\"'" for letter in value) and not value.startswith("-"):
        return ""
    return "'" if '"' in value else '"'
