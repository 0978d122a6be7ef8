"""Report as one HTML page: fleet, expiring links and jobs. It needs no other file, and no script.

All text is escaped. A policy in the page forbids every request.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from html import escape

from msgspec import Struct

from tui.domain import evaluation, job_state
from tui.domain.fleet import FleetRow
from tui.domain.job_state import JobState
from tui.domain.links.calendar import CalendarDay
from tui.domain.models import Link
from tui.presentation import columns, fleet, formatting, queries
from tui.presentation.columns import EMPTY_CELL, Cell, RenderOptions, Tone
from tui.presentation.queries import View
from tui.presentation.table_layout import Column

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Content-Security-Policy of the page."""
JOB_COLUMNS = ("status", "account", "name", "lang", "time", "link")
JOB_TITLES = ("Status", "Account", "Name", "Language", "Time in phase", "Link expires", "Message")
CHART_HEIGHT, BAR_STEP, BAR_WIDTH = 20, 10, 8
"""Units of a chart: its height, and the distance and width of its bars."""


class ReportData(Struct, frozen=True, kw_only=True):
    """What a report shows, at one instant."""

    at: float
    """Instant."""
    zone: tzinfo
    """Zone of its days and times."""
    fleet: Sequence[FleetRow]
    healths: Mapping[str, str]
    """Health of each account, as the console that polls sees it; empty: no console polls."""
    days: Sequence[CalendarDay]
    states: Sequence[JobState]
    """Jobs in the order of the table."""
    options: RenderOptions
    has_links: bool = False
    """With the links of the jobs: most work without a key."""


def html_report(data: ReportData, style: str) -> str:
    """Return the page. `style`: its CSS."""
    at = formatting.date_and_time(data.at, data.zone)
    body = "\n".join((*_head(data, at), *_fleet_section(data), *_calendar_section(data), *_jobs_section(data)))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>babeltop report, {at}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _head(data: ReportData, at: str) -> Iterator[str]:
    counts = {view: 0 for view in View if view is not View.ARCHIVE}
    for state in data.states:
        for view in queries.views(state, data.options.context) & counts.keys():
            counts[view] += 1
    zone = formatting.zone_name(data.at, data.zone)
    yield f'<h1>babeltop report</h1>\n<p>{at} {escape(zone)}</p>\n<ul class="counts">'
    yield from (f"<li><b>{count}</b> {view}</li>" for view, count in counts.items())
    yield "</ul>"


# Fleet.


def _fleet_section(data: ReportData) -> Iterator[str]:
    shown = (*fleet.UPPER_COLUMNS, *fleet.LOWER_COLUMNS)
    titles = [(column.title.capitalize(), column.is_right) for column in shown]
    yield '<section aria-labelledby="fleet">\n<h2 id="fleet">Accounts today, the worst first</h2>'
    yield "<p>Usual: mean of the seven days before, each up to this time of day. =: within 5 % of the week before.</p>"
    yield from _table_head("fleet", [*titles, ("Health", False)])
    for row in data.fleet:
        name, *cells = [(column, column.cell(row, False)) for column in shown]
        yield f'<tr><th scope="row">{escape(name[1].text)}</th>'
        for column, cell in cells:
            title = column.title.capitalize()
            if column is fleet.UPPER_COLUMNS[-1]:
                hours = row.jobs.done_per_hour
                label = f"{sum(hours)} done in 24 hours, at most {max(hours)} in one"
                yield _td(title, _chart(hours, max(hours), label), "running")
            else:
                yield _cell(title, cell, is_number=column.is_right, css="short")
        health = data.healths.get(row.account, "not polled now")
        faults = fleet.faults_text(row)
        tone = Tone.WARNING if faults else Tone.QUIET if row.account not in data.healths else Tone.PLAIN
        yield _cell("Health", Cell(", ".join(filter(None, (health, faults))), tone)) + "</tr>"
    yield "</tbody></table></section>"


# Calendar.


def _calendar_section(data: ReportData) -> Iterator[str]:
    most = max((count for day in data.days for count in (*day.kept, *day.unkept)), default=0)
    count = sum(len(day.refs) for day in data.days)
    yield '<section aria-labelledby="calendar">\n<h2 id="calendar">Expiring links</h2>'
    yield f"<p>{formatting.count_of(count, 'link')} in {len(data.days)} days. Kept: renewed before the expiry.</p>"
    titles = ("Day", "Not kept", "Not kept, by hour", "Kept", "Kept, by hour", "Downloaded")
    yield from _table_head("calendar", [(title, title in {"Not kept", "Kept", "Downloaded"}) for title in titles])
    for day in data.days:
        is_soon = day.starts_at - data.at < data.options.context.warn_before
        yield "<tr>" if day.refs else '<tr class="empty">'
        yield f'<th scope="row" class="short">{formatting.day(day.starts_at, data.zone)}</th>'
        for name, hours, tone in (
            ("Not kept", day.unkept, Tone.WARNING if is_soon else Tone.RUNNING),
            ("Kept", day.kept, Tone.DONE),
        ):
            total = sum(hours)
            yield _cell(name, Cell(str(total)) if total else Cell(EMPTY_CELL, Tone.QUIET), is_number=True)
            label = "; ".join(f"{hour}:00: {number}" for hour, number in enumerate(hours) if number) or "none"
            yield _td(f"{name}, by hour", _chart(hours, most, label), tone if total else "quiet")
        yield _cell("Downloaded", Cell(str(day.saved)) if day.saved else Cell(EMPTY_CELL, Tone.QUIET), is_number=True)
        yield "</tr>"
    yield "</tbody></table></section>"


# Jobs.


def _jobs_section(data: ReportData) -> Iterator[str]:
    shown = tuple(Column(column, "", 0) for column in JOB_COLUMNS)
    yield '<section aria-labelledby="jobs">\n<h2 id="jobs">Jobs</h2>'
    yield f"<p>{formatting.count_of(len(data.states), 'job')}; archived ones are left out.</p>"
    yield from _table_head("jobs", [(title, title in {"Time in phase", "Link expires"}) for title in JOB_TITLES])
    for state in data.states:
        cells = dict(zip(JOB_COLUMNS, columns.row_cells(state, shown, data.options), strict=True))
        yield f"<tr>{_cell('Status', cells['status'], css='short')}{_cell('Account', cells['account'])}"
        yield f'<th scope="row"><bdi>{escape(queries.display_name(state))}</bdi></th>'
        yield _cell("Language", cells["lang"]) + _cell("Time in phase", cells["time"], is_number=True)
        link = job_state.primary_link(state)
        if data.has_links and link is not None:
            yield _link_cell(link, cells["link"])
        else:
            yield _cell("Link expires", cells["link"], is_number=True)
        message = "; ".join(filter(None, (*evaluation.flags(state, data.options.context), queries.message(state))))
        yield _cell("Message", Cell(message or EMPTY_CELL, Tone.PLAIN if message else Tone.QUIET)) + "</tr>"
    yield "</tbody></table></section>"


def _link_cell(link: Link, cell: Cell) -> str:
    """Return the cell of a job's link, which the page itself never requests. The parser lets only http(s) pass."""
    anchor = f'<a href="{escape(link.url)}" rel="noreferrer noopener">{link.kind}</a>' if link.url else link.kind
    anchor += f" {escape(cell.text)}"
    return _td("Link expires", anchor, f"number {cell.tone}")


# Parts.


def _table_head(name: str, titles: Iterable[tuple[str, bool]]) -> Iterator[str]:
    """Yield the beginning of a table up to its body. `titles`: with whether the column is of numbers."""
    yield f'<table class="{name}" aria-labelledby="{name}"><thead><tr>'
    for title, is_number in titles:
        yield f'<th scope="col"{" class=number" if is_number else ""}>{escape(title)}</th>'
    yield "</tr></thead><tbody>"


def _cell(title: str, cell: Cell, *, is_number: bool = False, css: str = "") -> str:
    classes = [str(cell.tone), *(["number"] if is_number else []), *([css] if css else [])]
    classes += ["empty"] if cell.text == EMPTY_CELL else []
    return _td(title, escape(cell.text), " ".join(classes))


def _td(title: str, content: str, classes: str) -> str:
    return f'<td data-label="{escape(title)}" class="{classes}"><span>{content}</span></td>'


def _chart(counts: Sequence[int], most: int, label: str) -> str:
    """Return a bar chart; `label` states it in words."""
    width = BAR_STEP * len(counts)
    bars = "".join(
        f'<rect x="{BAR_STEP * number}" y="{CHART_HEIGHT - height}" width="{BAR_WIDTH}" height="{height}"/>'
        for number, count in enumerate(counts)
        if count and (height := max(2, round(CHART_HEIGHT * count / max(1, most))))
    )
    ground = f'<rect class="ground" y="{CHART_HEIGHT}" width="{width}" height="1"/>'
    box = f'viewBox="0 0 {width} {CHART_HEIGHT + 1}" preserveAspectRatio="none"'
    return f'<svg {box} role="img" aria-label="{escape(label)}">{ground}{bars}</svg>'
