"""Findings of `doctor`, and their text and JSON."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from textwrap import wrap
from typing import Literal

from msgspec import Struct

from tui.cli.errors import INTERNAL_ERROR, describe
from tui.presentation.sanitize import clean


class Level(StrEnum):
    """Severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    """It works, with a limitation."""
    ERROR = "error"


NAME_WIDTH = 28
"""Cells of area and name."""
Area = Literal["program", "files", "journal", "accounts", "clock", "network", "terminal", "hooks", "team"]


class Finding(Struct, frozen=True):
    """Result of one check."""

    area: Area
    name: str
    level: Level
    found: str
    remedy: str = ""
    """What to do; empty without need."""
    is_remote: bool = False
    """The finding is about a service, not about this machine."""


def problem(area: Area, name: str, error: Exception) -> Finding:
    """Return the finding about a check that raised an error."""
    text, code = describe(error)
    remedy = "report it with the log" if code == INTERNAL_ERROR else "correct this, then run doctor again"
    return Finding(area, name, Level.ERROR, text, remedy)


def isolated(area: Area, name: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings of a check, and one more if it raises: no check stops another."""
    try:
        yield from findings
    except Exception as error:  # noqa: BLE001 - doctor must survive what it diagnoses
        yield problem(area, name, error)


def format_findings(findings: Iterable[Finding], width: int | None) -> Iterator[str]:
    """Yield a line for each finding and one for its remedy, wrapped at `width` columns; None: not wrapped."""
    for finding in findings:
        heading = f"{finding.level:<8}{clean(f'{finding.area}: {finding.name}'):<{NAME_WIDTH}}  "
        yield from _wrap(heading, clean(finding.found), width)
        if finding.remedy:
            yield from _wrap(f"{'':<8}-> ", clean(finding.remedy), width)


def _wrap(heading: str, text: str, width: int | None) -> Iterator[str]:
    if width is None or len(heading) + len(text) <= width or width < NAME_WIDTH * 2:
        yield heading + text
    else:
        lines = wrap(text, width - len(heading), break_on_hyphens=False)
        yield from (f"{heading if at == 0 else ' ' * len(heading)}{line}" for at, line in enumerate(lines))


def finding_json(finding: Finding) -> dict[str, str | None]:
    """Return a finding as JSON."""
    return {
        "area": finding.area,
        "name": clean(finding.name),
        "level": finding.level,
        "found": clean(finding.found),
        "remedy": clean(finding.remedy) or None,
    }
