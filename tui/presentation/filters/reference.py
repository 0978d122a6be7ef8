"""Grammar of the filter language as a table: the help and README show it."""

from typing import NamedTuple

from tui.presentation.filters.fields import FIELDS, NumberField


class Rule(NamedTuple):
    """Form of a term, and what it matches."""

    form: str
    meaning: str


GRAMMAR = (
    Rule("text", "any column contains it, shown or hidden: name, id, status, account, language, tags, note, message"),
    Rule("field:text", "the field begins with it; name, note and message contain it"),
    Rule("field=text", "the field is exactly it"),
    Rule("age>2h", "comparison, with <, <=, > or >=; a time such as 90s, 30m, 2h, 7d or 1d12h"),
    Rule("a|b", "either matches; tag:a|b: either tag"),
    Rule("-term", "excludes what the term matches"),
    Rule("term term", "both match"),
    Rule('"a b"', "quotation marks keep blanks and signs"),
)
"""Forms of a term."""


def field_rules() -> tuple[Rule, ...]:
    """Return every field as it is written, with its meaning."""
    return tuple(
        Rule(f"{name}{'>' if isinstance(field, NumberField) else ':'}", field.meaning) for name, field in FIELDS.items()
    )
