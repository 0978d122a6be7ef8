"""Conditions on a response, and rules for statuses that are not one text: a boolean, a number, an absent field.

`[[override]]` of a provider file: all conditions of a rule must hold, and the first rule that holds counts.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, Self, TypeAlias

from msgspec import Struct

from tui.domain.models import Phase
from tui.providers.json_body import as_text
from tui.providers.json_pointer import Item, Json, Pointer

NEVER_REPLACED = frozenset({401, 429})
"""HTTP statuses that concern the account, whatever a file says of a job."""

RuleFault: TypeAlias = Literal["refused", "payment", "limited", "rejected", "server"]


class Scalar(str):
    """Text, number or boolean, as text in lower case: `true`, `3`."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the value as text. Raises ValueError for another type."""
        if not isinstance(value, str | int | float):
            raise ValueError("expected text, a number or a boolean")  # noqa: TRY004 - msgspec turns only a ValueError into its own
        return cls(_text(value))


class HttpStatuses(tuple[int, ...]):
    """HTTP statuses, written as one number or a list."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the statuses. Raises ValueError for one that no rule can replace."""
        found: list[object] = value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
        statuses = [each for each in found if isinstance(each, int) and 100 <= each <= 599]
        if not found or len(statuses) < len(found):
            raise ValueError(f"expected HTTP statuses from 100 to 599, got {value!r}")
        if fixed := sorted(NEVER_REPLACED.intersection(statuses)):
            raise ValueError(f"{fixed[0]} concerns the account, so no rule can replace it")
        return cls(statuses)


_CONDITIONS = ("equals", "not_equals", "any_of", "contains", "exists", "less_than", "at_least")
"""Keys that say what is at the pointer."""


class Condition(Struct, frozen=True, kw_only=True):
    """Conditions on a response, all of which must hold."""

    http_status: HttpStatuses | None = None
    """None: any 2xx."""
    pointer: Pointer | None = None
    equals: Scalar | None = None
    not_equals: Scalar | None = None
    """Needs a value."""
    any_of: tuple[Scalar, ...] | None = None
    contains: Scalar | None = None
    """The value has this text within it."""
    exists: bool | None = None
    """False: no value, or null."""
    less_than: float | None = None
    at_least: float | None = None

    def matches(self, http_status: int, body: Json | Item, headers: Mapping[str, str]) -> bool:
        """Return whether all conditions hold for a response."""
        if self.http_status is None and not 200 <= http_status < 300:
            return False
        if self.http_status is not None and http_status not in self.http_status:
            return False
        values = [value for value in self._values(body, headers) if value is not None]
        texts = [_text(value) for value in values if isinstance(value, str | int | float)]
        numbers = [number for text in texts if (number := _number(text)) is not None]
        conditions: tuple[tuple[object, Callable[[], bool]], ...] = (
            (self.equals, lambda: self.equals in texts),
            (self.not_equals, lambda: bool(texts) and self.not_equals not in texts),
            (self.any_of, lambda: not set(self.any_of or ()).isdisjoint(texts)),
            (self.contains, lambda: any((self.contains or "") in text for text in texts)),
            (self.exists, lambda: bool(values) is self.exists),
            (self.less_than, lambda: any(number < (self.less_than or 0) for number in numbers)),
            (self.at_least, lambda: any(number >= (self.at_least or 0) for number in numbers)),
        )
        return all(holds() for condition, holds in conditions if condition is not None)

    def describe(self, http_status: int, body: Json | Item, headers: Mapping[str, str]) -> str:
        """Return what matched, in place of a status: `HTTP 303`, `completed: true`."""
        if self.pointer is None:
            return f"HTTP {http_status}"
        value = next((value for value in self._values(body, headers) if value is not None), None)
        text = _text(value) if isinstance(value, str | int | float) else "absent" if value is None else "present"
        return f"{self.pointer.rpartition('/')[2] or 'body'}: {text}"

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the combination of keys."""
        given = [name for name in _CONDITIONS if getattr(self, name) is not None]
        if self.pointer is None and given:
            yield f"{given[0]} needs pointer"
        if self.pointer is not None and not given:
            yield f"pointer needs a condition: {', '.join(_CONDITIONS)}"
        if self.pointer is None and self.http_status is None:
            yield "needs pointer or http_status"

    def _values(self, body: Json | Item, headers: Mapping[str, str]) -> Iterator[Json]:
        return iter(self.pointer.evaluate(body, headers) if self.pointer is not None else ())


class OverrideRule(Condition, frozen=True, kw_only=True):
    """Conditions on a response, and the phase or fault that it stands for."""

    phase: Phase | None = None
    fault: RuleFault | None = None

    def explain(self, http_status: int, body: Json | Item, headers: Mapping[str, str]) -> str:
        """Return what the rule reads in a response, whether it holds, and what it then stands for."""
        found = self.describe(http_status, body, headers)
        holds = "holds" if self.matches(http_status, body, headers) else "does not hold"
        return f"{found}: {holds} ({self.phase or self.fault})"

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the combination of keys."""
        if (self.phase is None) == (self.fault is None):
            yield "needs either phase or fault"
        if self.phase is Phase.NEW:
            yield "no value can mean new, the phase before the first poll"
        yield from super().problems()


def _text(value: str | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return (as_text(value) or "").strip().lower()


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
