"""Texts of the detail's tabs as coloured Content. Loading and scrolling: `detail.py`."""

import math
import re
from collections.abc import Callable, Iterator
from datetime import tzinfo
from enum import StrEnum

import msgspec
from textual.content import Content
from textual.geometry import Size

from tui.dashboard.board_model import CUT_OFF_TEXT, UNPOLLED, BoardModel
from tui.dashboard.widgets.explanations import budget_text
from tui.domain import artifacts, evaluation, job_state
from tui.domain.job_state import JobState
from tui.domain.links import expiry
from tui.domain.links.expiry_source import ExpirySource, expiry_source
from tui.domain.models import ACTIVE, ENDED, PROBLEMS, Link, Phase
from tui.domain.polling import duration_model
from tui.engine.api import DownloadProgress, DownloadStage, Health, JobHistory
from tui.presentation import columns, formatting, queries, sanitize
from tui.presentation.cell_width import text_width
from tui.presentation.descriptions import describe_poll_reason, describe_remedy, one_time_text

QUIET = "$job-quiet"
PAST_PHASES = frozenset({Phase.DONE, Phase.FAILED, Phase.TIMED_OUT})
"""Phases shown as past events; a job stays blocked or missing."""
DIALOG_WIDTH = 68
"""Cells of a line in a dialog, without its scrollbar."""
EXPIRY_SOURCES = {
    ExpirySource.SIGNED: "exact: signed into the URL",
    ExpirySource.SESSION: "signed into the URL; its session may end sooner",
}
"""How far an expiry can be relied on; all others are estimates."""
EXPIRY_NOTES = {
    ExpirySource.UNREADABLE: "; signed expiry damaged",
    ExpirySource.PASSED: "; signed expiry had passed",
}
"""Why a signed URL has no signed expiry."""
LABEL_WIDTH = 12
"""Cells of a label and the gap after it."""
MIN_CHART_SIZE = Size(50, 24)
"""Visible cells of the detail from which on it has charts: more than at 80 × 24."""
MIN_LIST_HEIGHT = 16
"""Lines of the detail from which on each fact has its own."""
HIDDEN_URL = "URL hidden from the role viewer"
HIDDEN_TEXT = "hidden from the role viewer: an editor of the team sees it"
_SPAN_STEPS = ((3600.0, 1.0), (86400.0, 60.0), (math.inf, 3600.0))
"""Seconds below which `formatting.span` changes in steps of so many seconds."""
_URL = r'https?://[^\s"<>]+'


class DetailTab(StrEnum):
    """Tab of the detail."""

    OVERVIEW = "overview"
    TIMELINE = "timeline"
    RESPONSE = "response"
    REQUESTS = "requests"
    RESULT = "result"


class DetailPages:
    """Texts of the tabs, over one board."""

    def __init__(self, board: BoardModel, zone: Callable[[], tzinfo]) -> None:
        self._board = board
        self._zone = zone

    def page(self, tab: DetailTab, state: JobState, history: JobHistory | None, room: Size) -> list[Content]:
        """Return the text of a tab, in contents of one line or more.

        `history`: the journal's data of the job, None until it is loaded. `room`: the visible cells.
        """
        match tab:
            case DetailTab.OVERVIEW:
                lines = self._overview(state, history, room)
            case DetailTab.TIMELINE:
                from tui.dashboard.widgets.timeline import timeline_lines  # not for the first frame

                changes = history.phase_changes if history is not None else ()
                lines = timeline_lines(self._board, self._zone(), state, changes, room.width)
            case DetailTab.RESPONSE:
                lines = self._response(history)
            case DetailTab.REQUESTS:
                lines = self._requests(history)
            case DetailTab.RESULT:
                lines = self._result(state)
        return list(lines)

    def unchanged_for(self, tab: DetailTab, state: JobState) -> float:
        """Return the seconds for which the tab is unchanged if the job is."""
        now = self._board.now()
        midnight = formatting.next_midnight(self._zone(), now) - now
        if tab in {DetailTab.RESPONSE, DetailTab.REQUESTS, DetailTab.RESULT}:
            return midnight
        passed = now - state.phase_since if state.phase_since is not None else math.inf
        step = next((step for below, step in _SPAN_STEPS if passed < below), math.inf)
        changes = [
            step - passed % step if step < math.inf else math.inf,
            columns.unchanged_for(state, self._board.render_options),
        ]
        if state.checked_at is not None:
            changes.append(formatting.next_change(now - state.checked_at, "age"))
        changes.append(midnight)
        lifetimes = [link.expires_at - now for link in state.links if link.expires_at is not None]
        changes += [formatting.next_change(abs(left), "duration" if left > 0 else "age") for left in lifetimes]
        return min(changes)

    # Overview.

    def _overview(self, state: JobState, history: JobHistory | None, room: Size) -> Iterator[Content]:
        job, now, options = state.job, self._board.now(), self._board.render_options
        status = columns.status_cell(state, options)
        yield Content.assemble(
            (queries.display_name(state), "bold"),
            (f"   {job.account} · {job.id}   ", QUIET),
            (status.text, f"$job-{status.tone}"),
        )
        for line in (self._phase_text(state, now), self._polls_text(state, now)):
            yield Content(line.replace(columns.UNICODE.range_dash, options.glyphs.range_dash))
        yield from self._fault_lines(state, room)
        yield from self._download_lines(state, room)
        is_downloaded = bool(state.downloads) and not artifacts.undownloaded(state)
        for link in state.links:
            yield self._link_content(link, now, room, is_downloaded=is_downloaded)
        if state.failed_renewals:
            count = f"{state.failed_renewals} renewals" if state.failed_renewals > 1 else "1 renewal"
            yield Content.styled(f"{count} failed: the service returned the same link", "$job-warning")
        has_raw_status_only = state.report is not None and state.phase in PROBLEMS and state.fault is None
        message = state.report and (state.report.message or (state.report.raw_status if has_raw_status_only else ""))
        if message:
            yield _labelled("message", message, room)
        yield from self._fact_lines(state, room)
        if has_chart_room(room):
            from tui.dashboard.widgets import detail_charts  # a first frame needs no charts

            yield from detail_charts.chart_lines(self._board, self._zone(), state, history, room)

    def _fact_lines(self, state: JobState, room: Size) -> Iterator[Content]:
        """Yield the job's other facts: one line each if there is room, else side by side."""
        job, now = state.job, self._board.now()
        options = {"keep link": job.keep_link, "download": job.download, "muted": job.muted, "archived": job.archived}
        facts = {
            "language": (state.report and state.report.language) or "",
            "kind": job.kind,
            "added": formatting.instant(job.added, self._zone(), now) if job.added is not None else "",
            "tags": " ".join(job.tags),
            "note": job.note,
            "options": ", ".join(name for name, is_on in options.items() if is_on),
        }
        present = [(name, value) for name, value in facts.items() if value]
        if room.height >= MIN_LIST_HEIGHT:
            for name, value in present:
                yield _labelled(name, value, room)
            return
        line, width = list[tuple[str, str] | str](), 0
        for name, value in present:
            length = text_width(f"{name} {value}   ")
            if line and width + length > room.width:  # a value stays with its label
                yield Content.assemble(*line)
                line, width = [], 0
            line += [(f"{name} ", QUIET), f"{value}   "]
            width += length
        yield Content.assemble(*line)

    def _phase_text(self, state: JobState, now: float) -> str:
        """Return the phase, the time in it, and the time that similar jobs take."""
        phase = state.phase.replace("_", " ")
        if state.phase_since is not None:
            elapsed = formatting.span(now - state.phase_since)
            phase += f" {elapsed} ago" if state.phase in PAST_PHASES else f" for {elapsed}"
        if state.phase is Phase.BLOCKED:
            return f"{phase}: payment or permission missing{self._hint('. Resolve it, then r: refresh')}"
        left = evaluation.remaining(state, self._board.context)
        if left is None or state.duration_fit is None:
            return phase
        typical = duration_model.typical_range(state.duration_fit)
        durations = formatting.duration_range(typical.low, typical.high)
        return f"{phase}; similar jobs take {durations}, about {formatting.duration_range(left.low, left.high)} left"

    def _polls_text(self, state: JobState, now: float) -> str:
        """Return the number of polls, the age of the last response, and the next poll with its reason."""
        count = state.poll_count
        polls = formatting.count_of(count, "poll") if count else "not polled yet"
        if state.checked_at is not None:
            polls += f", last {formatting.age(now - state.checked_at)} ago"
        at = columns.next_poll_at(state, self._board.render_options)
        if at is None:
            return f"{polls}; {self._why_no_poll(state)}"
        return f"{polls}; next {self._next_poll(state, at - now)}"

    def _why_no_poll(self, state: JobState) -> str:
        """Return why no poll is scheduled, and what changes that."""
        account = self._board.accounts.get(state.job.account)
        if self._board.is_paused and state.next_poll_at is not None:
            return "polling paused"
        if state.job.archived:
            return f"no more: archived{self._hint('; x: unarchive')}"
        if account is not None and account.health is Health.UNKNOWN and state.next_poll_at is not None:
            return "next poll not known"
        if account is not None and account.health in UNPOLLED and state.phase in ACTIVE:
            return "no more until the account has a key"
        return f"{'no more: ended' if state.phase in ENDED else 'none scheduled'}{self._hint('; r: refresh')}"

    def _hint(self, text: str) -> str:
        """Return the hint to a key; "" for a viewer of a team, which no command of such a key is for."""
        return "" if self._board.is_viewer else text

    def _next_poll(self, state: JobState, seconds: float) -> str:
        """Return when the next poll is sent, and what it waits for: the account, or the job's own schedule."""
        account, own = self._board.accounts.get(state.job.account), state.next_poll_at or 0.0
        if seconds <= 0:
            spaced = account is not None and account.is_spaced
            return f"{'as the rate limit allows' if spaced else 'now'} ({describe_poll_reason(state)})"
        blocked = account is not None and account.waits_until is not None and account.waits_until > own
        reason = account.message if account is not None and blocked else describe_poll_reason(state)
        return f"in {formatting.duration(seconds)} ({reason})"

    def _fault_lines(self, state: JobState, room: Size) -> Iterator[Content]:
        """Yield the last fault with its remedy, and what the account says and may send."""
        if state.fault is not None:
            fault = state.fault
            request = f" (request {fault.request_id})" if fault.request_id else ""
            yield Content.assemble((f"{fault.kind.replace('_', ' ')}: ", "$job-failed"), f"{fault.message}{request}")
            yield _labelled("do", describe_remedy(fault.kind), room)
        account = self._board.accounts.get(state.job.account)
        if account is None:
            return
        is_news = bool(account.message) and (state.fault is None or state.fault.message != account.message)
        message = account.message if is_news else ""
        budget = budget_text(account) if state.next_poll_at is not None and not state.job.archived else ""
        if message or budget:
            text = "; ".join(filter(None, (message, budget, "w: why")))
            yield Content.assemble((f"{account.name}: ", "$job-warning" if message else QUIET), text)

    def _download_lines(self, state: JobState, room: Size) -> Iterator[Content]:
        """Yield the running or failed download, and the downloaded files."""
        progress = self._board.downloads.get(state.job.ref)
        if progress is not None and progress.stage is DownloadStage.FAILED:
            yield _labelled("not saved", f"{progress.message}; D: retry", room, colour="$job-failed")
        elif progress is not None:
            label = f"{'download':<{LABEL_WIDTH}}"
            yield Content.assemble((label, QUIET), self._progress_text(progress), ("   D: cancel", QUIET))
        for file in job_state.current_downloads(state):
            label = f"{'saved':<{LABEL_WIDTH}}{formatting.size(file.size)}   "
            yield Content.assemble((label, QUIET), (file.path, "$job-done"))

    def _progress_text(self, progress: DownloadProgress) -> str:
        if not progress.file_name:
            return "queued"
        parts = [formatting.size(progress.received_bytes)]
        if progress.total_bytes and progress.fraction is not None:
            bar = formatting.bar(progress.fraction, 16, ascii_only=self._board.ascii_only)
            parts = [bar, f"{progress.fraction:.0%} of {formatting.size(progress.total_bytes)}"]
        if progress.bytes_per_second:
            parts.append(f"{formatting.size(int(progress.bytes_per_second))}/s")
        if progress.seconds_left is not None:
            parts.append(f"{formatting.duration(progress.seconds_left)} left")
        return "  ".join([*parts, progress.file_name])

    def _link_content(self, link: Link, now: float, room: Size, *, is_downloaded: bool) -> Content:
        """Return the link's expiry with its source, and below it the URL."""
        url, width = HIDDEN_URL if link.is_hidden else display_url(link.url), room.width - LABEL_WIDTH
        expires = self._expiry_text(link, now) + "; download requires the API key" * link.needs_key
        expires += f"; {one_time_text(link)}" * link.one_time
        expires += "; downloaded" * is_downloaded
        if has_chart_room(room):
            from tui.dashboard.widgets import detail_charts

            expires = detail_charts.life_bar(link, now, ascii_only=self._board.ascii_only) + expires
        indent = LABEL_WIDTH if text_width(url) <= width else 0  # a URL stays in one piece, to be selected whole
        return Content.assemble(
            (f"{link.kind:<{LABEL_WIDTH}}", QUIET),
            f"{wrap_hanging(expires, width, LABEL_WIDTH)}\n{' ' * indent}",
            (url, QUIET if link.is_hidden else "$job-running"),
        )

    def _expiry_text(self, link: Link, now: float) -> str:
        left, source = expiry.remaining(link, now), expiry_source(link)
        if left is None:
            return f"no expiry known{EXPIRY_NOTES.get(source, '')}"
        estimate = "" if link.expiry_is_exact else "~"
        if expiry.is_expired(link, now):
            return f"expired {estimate}{formatting.age(-left)} ago{self._hint('; L: renew')}"
        explained = f"{EXPIRY_SOURCES.get(source, 'estimated from first seen')}{EXPIRY_NOTES.get(source, '')}"
        at = formatting.instant(now + left, self._zone(), now)
        is_expiring = expiry.is_expiring(link, now, self._board.context.warn_before)
        remedy = self._hint("; L: renew") if is_expiring else ""
        return f"expires in {estimate}{formatting.duration(left)}, {at} ({explained}){remedy}"

    # The other tabs.

    def _response(self, history: JobHistory | None) -> Iterator[Content]:
        """Yield the last raw body, formatted if it is JSON, with the signatures of links masked."""
        if history is None or history.body is None:
            yield self._absent(history, "no response yet")
            return
        if history.body_received_at is not None:
            received = formatting.instant(history.body_received_at, self._zone(), self._board.now())
            yield Content.styled(f"received {received}", QUIET)
        yield format_body(history.body)

    def _requests(self, history: JobHistory | None) -> Iterator[Content]:
        """Yield one line per request, newest first: instant, HTTP status, duration, outcome, request id."""
        if history is None or not history.requests:
            yield self._absent(history, "no requests in the journal")
            return
        from tui.dashboard.widgets import detail_charts

        yield detail_charts.requests_line(history, label_width=15, ascii_only=self._board.ascii_only)
        for request in history.requests:
            outcome = request.fault.replace("_", " ") if request.fault is not None else "report"
            yield Content.assemble(
                (formatting.instant(request.ended_at, self._zone(), self._board.now()).rjust(13), QUIET),
                f"  {request.http_status or columns.EMPTY_CELL:>3}  {request.duration_ms:>6.0f} ms  ",
                (f"{outcome:<10}", "$job-failed" if request.fault is not None else "$job-done"),
                (f"  {request.request_id}" if request.request_id else "", QUIET),
            )

    def _absent(self, history: JobHistory | None, text: str) -> Content:
        """Return why the journal's data are not there; `text`: if it has none."""
        if self._board.is_viewer:
            return Content.styled(HIDDEN_TEXT, QUIET)
        return Content.styled(CUT_OFF_TEXT if history is None and self._board.is_cut_off else text, QUIET)

    def _result(self, state: JobState) -> Iterator[Content]:
        """Yield the job's text result."""
        if state.result:
            yield Content(state.result)
        elif self._board.is_viewer and state.result is not None:
            yield Content.styled(HIDDEN_TEXT, QUIET)
        elif state.links:
            yield Content.styled("no text result; see the link in Overview", QUIET)
        elif state.phase in PROBLEMS:
            yield Content.styled(f"no result (job {state.phase.replace('_', ' ')})", QUIET)
        else:
            yield Content.styled("no result yet", QUIET)


def has_chart_room(room: Size) -> bool:
    """Return whether the first tab has charts in the visible cells."""
    return room.width >= MIN_CHART_SIZE.width and room.height >= MIN_CHART_SIZE.height


def _labelled(label: str, value: str, room: Size, *, colour: str = QUIET) -> Content:
    """Return the value after its label, wrapped to the width."""
    text = wrap_hanging(value, room.width - LABEL_WIDTH, LABEL_WIDTH)
    return Content.assemble((f"{label:<{LABEL_WIDTH}}", colour), text)


def wrap_hanging(value: str, width: int, indent: int) -> str:
    """Return the text in lines of at most `width` cells, all but the first indented. Long words stay whole."""
    lines = [""]
    for word in value.split():
        if lines[-1] and text_width(f"{lines[-1]} {word}") > width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return f"\n{' ' * indent}".join(lines)


def display_url(url: str) -> str:
    """Return the URL without its query if that is a signature."""
    from tui.domain.links import signed_urls  # 2 ms at the start, and the first job may have no link

    return sanitize.mask_url(url) if signed_urls.signed_expiry(url) is not None else url


def format_body(body: bytes) -> Content:
    """Return a raw body as sanitised text, highlighted if it is JSON."""
    try:
        pretty = msgspec.json.format(body, indent=2)
    except (msgspec.DecodeError, RecursionError):
        return Content(_sanitize_body(body.decode("utf-8", "replace")))
    from textual.highlight import highlight  # it imports pygments: not before the first frame

    return highlight(_sanitize_body(pretty.decode("utf-8", "replace")), language="json")


def _sanitize_body(raw: str) -> str:
    return re.sub(_URL, lambda url: display_url(url[0]), sanitize.clean(raw, 128 * 1024, keep_lines=True))
