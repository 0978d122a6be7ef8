"""Progress of a job or a part of it, as a fraction from 0 to 1. A value out of range is ignored, never interpreted."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from tui.providers.json_pointer import Item, Json, Pointer

ProgressUnit: TypeAlias = Literal["fraction", "percent", "stage"]
"""fraction: 0 to 1; percent: 0 to 100; stage: a fraction that stands for a status and measures nothing."""

MAX_NUMBER = 1e18
"""A larger number is no count, and might not fit a float; NaN is none either."""

_NUMBER = re.compile(r"\s*([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*(%?)\s*")


class PartOfTotal(Struct, frozen=True, kw_only=True):
    """Two counts: the sum of what `part` finds, of what `total` finds."""

    part: Annotated[tuple[Pointer, ...], Meta(min_length=1)]
    total: Pointer


ProgressSource: TypeAlias = Pointer | PartOfTotal


def parse_progress(
    sources: Sequence[ProgressSource], unit: ProgressUnit, body: Json | Item, headers: Mapping[str, str]
) -> float | None:
    """Return the progress that the first source finds; None: no source does."""
    for source in sources:
        if isinstance(source, PartOfTotal):
            share = _share(source, body, headers)
            if share is not None:
                return share
            continue
        for value in source.evaluate(body, headers):
            number = _fraction(value, unit)
            if number is not None:
                return number
    return None


def parse_count(pointers: Sequence[Pointer], body: Json | Item, headers: Mapping[str, str]) -> float | None:
    """Return the sum of the numbers that the pointers find; None: they find none."""
    numbers = [
        number
        for pointer in pointers
        for value in pointer.evaluate(body, headers)
        if (number := _number(value)[0]) is not None
    ]
    return sum(numbers) if numbers else None


def _share(source: PartOfTotal, body: Json | Item, headers: Mapping[str, str]) -> float | None:
    part, total = parse_count(source.part, body, headers), parse_count((source.total,), body, headers)
    return part / total if part is not None and total and part <= total else None


def _fraction(value: Json, unit: ProgressUnit) -> float | None:
    number, is_percent = _number(value)
    whole = 100 if is_percent or unit == "percent" else 1
    return number / whole if number is not None and 0 <= number <= whole else None


def _number(value: Json) -> tuple[float | None, bool]:
    """Return a number, or a number as text, and whether it has a `%`."""
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value)
        return (float(match[1]), bool(match[2])) if match else (None, False)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -MAX_NUMBER < value < MAX_NUMBER:
        return None, False
    return value, False
