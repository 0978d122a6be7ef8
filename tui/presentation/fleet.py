"""Cells and JSON of the fleet's rows: one account and kind each. Counting is `domain.fleet`."""

from collections.abc import Callable
from typing import NamedTuple

from tui.domain.fleet import FleetRow
from tui.presentation import formatting
from tui.presentation.columns import EMPTY_CELL, Cell, Tone
from tui.presentation.json_output import JsonObject
from tui.presentation.sanitize import clean

BAR_WIDTH = 5
"""Cells of a limit's bar."""
SAME_WITHIN = 0.05
"""Share within which a duration counts as unchanged: percentiles are exact to 2 %."""
SLOWER_FROM = 0.25
"""Share from which on a longer duration is a warning."""
NEARLY_USED = 0.9
"""Share of a day's limit from which on it is a warning."""
HIGH_RATE = 0.1
"""Share of failed jobs from which on it is marked."""
SHOWN_FAULT_RATE = 0.005
"""Share of failed requests from which on it is shown."""
SAME = "="
"""Text of an unchanged duration."""


class FleetColumn(NamedTuple):
    """Column of the fleet."""

    title: str
    width: int
    """Cells, on a narrow terminal."""
    cell: Callable[[FleetRow, bool], Cell]
    """Makes the cell of a row; with True, of ASCII characters alone."""
    is_right: bool = False
    """Aligned to the right."""


def _name(row: FleetRow, _: bool) -> Cell:
    return Cell(clean(f"{row.account} {row.kind}").rstrip())


def _active(row: FleetRow, _: bool) -> Cell:
    return Cell(str(row.active)) if row.active else Cell(EMPTY_CELL, Tone.QUIET)


def _done(row: FleetRow, _: bool) -> Cell:
    return Cell(_with_usual(row.jobs.done_today, row.jobs.usual_done))


def _failed(row: FleetRow, _: bool) -> Cell:
    jobs = row.jobs
    is_more = jobs.failed_today > (jobs.usual_failed or 0)
    return Cell(_with_usual(jobs.failed_today, jobs.usual_failed), Tone.FAILED if is_more else Tone.PLAIN)


def _with_usual(count: int, usual: float | None) -> str:
    """Return today's count and the usual one: 12/9.3."""
    return f"{count}/{EMPTY_CELL if usual is None else f'{usual:.0f}' if usual >= 10 else f'{usual:.1f}'}"


def _failure_rate(row: FleetRow, _: bool) -> Cell:
    rate = row.jobs.failure_rate
    if rate is None:
        return Cell(EMPTY_CELL, Tone.QUIET)
    return Cell(f"{rate:.0%}", Tone.FAILED if rate >= HIGH_RATE else Tone.PLAIN)


def _per_hour(row: FleetRow, ascii_only: bool) -> Cell:
    return Cell(formatting.count_line(row.jobs.done_per_hour, ascii_only=ascii_only), Tone.RUNNING)


def _median(row: FleetRow, _: bool) -> Cell:
    return _duration(row.jobs.median, row.jobs.median_before)


def _p90(row: FleetRow, _: bool) -> Cell:
    return _duration(row.jobs.p90, row.jobs.p90_before)


def _duration(seconds: float | None, before: float | None) -> Cell:
    """Return a duration with its change: 8m12s +12%; = for about the same."""
    if seconds is None:
        return Cell(EMPTY_CELL, Tone.QUIET)
    if not before:
        return Cell(formatting.span(seconds))
    change = seconds / before - 1
    text = SAME if abs(change) < SAME_WITHIN else f"{min(change, 9.99):+.0%}"
    return Cell(f"{formatting.span(seconds)} {text}", Tone.WARNING if change >= SLOWER_FROM else Tone.PLAIN)


def _minute(row: FleetRow, ascii_only: bool) -> Cell:
    return _used(row.requests.minute_count, row.requests.per_minute, ascii_only)


def _day(row: FleetRow, ascii_only: bool) -> Cell:
    used, limit = row.requests.day_count, row.requests.per_day
    cell = _used(used, limit, ascii_only)
    return Cell(cell.text, Tone.WARNING) if limit and used >= NEARLY_USED * limit else cell


def _used(count: int, limit: float | None, ascii_only: bool) -> Cell:
    """Return the part of a limit that is used as a bar and in numbers, ██··· 12/36; without a limit the number."""
    if not limit:
        return Cell(_short(count)) if count else Cell(EMPTY_CELL, Tone.QUIET)
    bar = formatting.bar(count / limit, BAR_WIDTH, ascii_only=ascii_only)
    return Cell(f"{bar} {_short(count)}/{_short(limit)}")


def _short(number: float) -> str:
    """Return a number in at most four cells: 412, 1.2k, 36k."""
    if number < 1000:
        return f"{number:.3g}"
    return f"{number / 1000:.1f}k" if number < 9950 else f"{number / 1000:.0f}k"


def _latency(row: FleetRow, _: bool) -> Cell:
    latency = row.requests.latency
    return Cell(EMPTY_CELL, Tone.QUIET) if latency is None else Cell(f"{latency * 1000:.0f} ms")


UPPER_COLUMNS = (
    FleetColumn("ACCOUNT", 10, _name),
    FleetColumn("ACTIVE", 6, _active, is_right=True),
    FleetColumn("DONE/USUAL", 10, _done, is_right=True),
    FleetColumn("FAIL/USUAL", 10, _failed, is_right=True),
    FleetColumn("FAIL%", 5, _failure_rate, is_right=True),
    FleetColumn("DONE PER HOUR IN 24 H", 24, _per_hour),
)
"""Columns of the jobs today. On a narrow terminal, the others stand in a line below."""
LOWER_COLUMNS = (
    FleetColumn("P50, WEEK", 11, _median),
    FleetColumn("P90, WEEK", 11, _p90),
    FleetColumn("MINUTE", 11, _minute),
    FleetColumn("DAY", 14, _day),
    FleetColumn("LATENCY", 7, _latency, is_right=True),
)
"""Columns of durations and requests; after them comes the health of the account."""
HEALTH_TITLE = "HEALTH"


def faults_text(row: FleetRow) -> str:
    """Return the share of the account's requests that failed in the last 24 hours, `5% faults`; "": hardly any."""
    rate = row.requests.fault_rate
    return f"{rate:.0%} faults" if rate is not None and rate >= SHOWN_FAULT_RATE else ""


def fleet_row(row: FleetRow, health: str | None) -> JsonObject:
    """Return the row. `health`: of the account, as the console that polls sees it; None: no console polls."""
    jobs, requests = row.jobs, row.requests
    return {
        "account": row.account,
        "kind": row.kind,
        "active": row.active,
        "done_today": jobs.done_today,
        "done_usual": _rounded(jobs.usual_done),
        "failed_today": jobs.failed_today,
        "failed_usual": _rounded(jobs.usual_failed),
        "failure_rate": _rounded(jobs.failure_rate),
        "done_per_hour": jobs.done_per_hour,
        "duration": _percentiles(jobs.median, jobs.p90),
        "duration_week_before": _percentiles(jobs.median_before, jobs.p90_before),
        "requests": {
            "last_minute": requests.minute_count,
            "per_minute": requests.per_minute,
            "last_day": requests.day_count,
            "per_day": requests.per_day,
            "fault_rate": _rounded(requests.fault_rate),
            "latency": _rounded(requests.latency),
        },
        "health": health,
    }


def _percentiles(median: float | None, p90: float | None) -> JsonObject | None:
    return None if median is None or p90 is None else {"p50": round(median, 1), "p90": round(p90, 1)}


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)
