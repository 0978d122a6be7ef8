"""What `doctor` finds, as values, and how they are shown."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from tui.domain.text import clean


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """It works, and could be better."""
    WRONG = "wrong"


Area = Literal["program", "files", "journal", "accounts", "clock", "terminal", "hooks"]


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    area: Area
    name: str
    level: Level
    found: str
    do: str = ""
    """What to do; empty where nothing is to be done."""
    asked: bool = False
    """It is about a service and not about this machine."""


def told(findings: Iterable[Finding]) -> Iterator[str]:
    """A line for each, and one below it for what to do."""
    for finding in findings:
        yield f"{finding.level:<6}{clean(f'{finding.area}: {finding.name}'):<28}  {clean(finding.found)}"
        if finding.do:
            yield f"{'':<6}-> {clean(finding.do)}"


def shape(finding: Finding) -> dict[str, str | None]:
    """A finding as JSON."""
    return {
        "area": finding.area,
        "name": clean(finding.name),
        "level": finding.level,
        "found": clean(finding.found),
        "do": clean(finding.do) or None,
    }
