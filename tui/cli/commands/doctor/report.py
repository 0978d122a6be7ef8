"""What `doctor` finds, as values, and how they are shown."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from textwrap import wrap
from typing import Literal

from msgspec import Struct

from tui.presentation.formatting import clean


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """It works, and could be better."""
    WRONG = "wrong"


NAME = 28
"""Cells of what a finding is about."""
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


def told(findings: Iterable[Finding], room: int | None) -> Iterator[str]:
    """A line for each, and one below it for what to do; broken where a terminal of `room` columns takes no more."""
    for finding in findings:
        heading = f"{finding.level:<6}{clean(f'{finding.area}: {finding.name}'):<{NAME}}  "
        yield from _broken(heading, clean(finding.found), room)
        if finding.do:
            yield from _broken(f"{'':<6}-> ", clean(finding.do), room)


def _broken(heading: str, text: str, room: int | None) -> Iterator[str]:
    if room is None or len(heading) + len(text) <= room or room < NAME * 2:
        yield heading + text
    else:
        lines = wrap(text, room - len(heading), break_on_hyphens=False)
        yield from (f"{heading if at == 0 else ' ' * len(heading)}{line}" for at, line in enumerate(lines))


def shape(finding: Finding) -> dict[str, str | None]:
    """A finding as JSON."""
    return {
        "area": finding.area,
        "name": clean(finding.name),
        "level": finding.level,
        "found": clean(finding.found),
        "do": clean(finding.do) or None,
    }
