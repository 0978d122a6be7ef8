"""What the detail says of a job, tab by tab: harmless text with its colours. It fetches nothing and scrolls nothing."""

import math
import re
from collections.abc import Callable, Iterator
from datetime import tzinfo
from enum import StrEnum

import msgspec
from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size

from tui.dashboard.board_model import BoardModel
from tui.dashboard.widgets.timeline import timeline_lines
from tui.domain import artifacts
from tui.domain import job_state as reducer
from tui.domain.job_state import JobState
from tui.domain.links import expiry, signed_urls
from tui.domain.models import PROBLEMS, Link, Phase
from tui.domain.polling import duration_model
from tui.engine.api import DownloadProgress, DownloadStage, JobHistory
from tui.presentation import columns, formatting, queries

QUIET = "$job-quiet"
PAST_PHASES = frozenset({Phase.DONE, Phase.FAILED, Phase.TIMED_OUT})
"""Phases that are events of the past; a job stays blocked or missing."""
SPARKLINE_WIDTH = 40
"""Asks whose times are drawn, one a cell."""
DIALOG_WIDTH = 68
"""Cells of a line in a dialog, beside its scrollbar: none is wider, however wide the screen is."""
LABEL_WIDTH = 12
"""Cells of a label and the gap behind it."""
MIN_LIST_HEIGHT = 16
"""Lines from which on there is one for each fact."""
_SPAN_STEPS = ((3600.0, 1.0), (86400.0, 60.0), (math.inf, 3600.0))
"""Below so many seconds, `text.span` counts in steps of so many."""
_URL = r'https?://[^\s"<>]+'


class DetailTab(StrEnum):
    """What there is to see of a job."""

    OVERVIEW = "overview"
    TIMELINE = "timeline"
    RESPONSE = "response"
    REQUESTS = "requests"
    RESULT = "result"


class DetailPages:
    """The tabs' texts, over one board."""

    def __init__(self, board: BoardModel, zone: Callable[[], tzinfo]) -> None:
        self._board = board
        self._zone = zone

    def page(self, tab: DetailTab, state: JobState, history: JobHistory | None, room: Size) -> list[Content]:
        """The text of a tab, in pieces of one line or more.

        `looked`: what the journal holds of the job, if it has answered by now. `room`: the cells that can be seen at
        once.
        """
        match tab:
            case DetailTab.OVERVIEW:
                lines = self._overview(state, room)
            case DetailTab.TIMELINE:
                lines = timeline_lines(
                    self._board, self._zone(), state, history.phase_changes if history is not None else ()
                )
            case DetailTab.RESPONSE:
                lines = self._response(history)
            case DetailTab.REQUESTS:
                lines = self._requests(history)
            case DetailTab.RESULT:
                lines = self._result(state)
        return list(lines)

    def unchanged_for(self, tab: DetailTab, state: JobState) -> float:
        """For how many seconds the tab says the same, if nothing happens to the job."""
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
        lives = [link.expires_at - now for link in state.links if link.expires_at is not None]
        changes += [formatting.next_change(abs(left), "duration" if left > 0 else "age") for left in lives]
        return min(changes)

    # Overview.

    def _overview(self, state: JobState, room: Size) -> Iterator[Content]:
        job, now = state.job, self._board.now()
        face = self._board.render_options
        shown = columns.status_cell(state, face)
        yield Content.assemble(
            (queries.display_name(state), "bold"),
            (f"   {job.account} · {job.id}   ", QUIET),
            (shown.text, f"$job-{shown.tone}"),
        )
        for line in (self._phase_text(state, now), self._polls_text(state, now)):
            yield Content(line.replace(columns.UNICODE.range_dash, face.glyphs.range_dash))
        yield from self._fault_lines(state)
        yield from self._download_lines(state, room)
        saved = bool(state.downloads) and not artifacts.undownloaded(state)
        for link in state.links:
            yield self._link_content(link, now, room, is_downloaded=saved)
        if state.failed_renewals:
            times = f"{state.failed_renewals} times" if state.failed_renewals > 1 else "once"
            yield Content.styled(f"asked {times} for a fresh link: the service gives the same one", "$job-warning")
        wordless = state.report is not None and state.phase in PROBLEMS and state.fault is None
        said = state.report and (state.report.message or (state.report.raw_status if wordless else ""))
        if said:
            yield Content.assemble(
                (f"{'it says':<{LABEL_WIDTH}}", QUIET), wrap_hanging(said, room.width - LABEL_WIDTH, LABEL_WIDTH)
            )
        yield from self._fact_lines(state, room)

    def _fact_lines(self, state: JobState, room: Size) -> Iterator[Content]:
        """What is known of it besides: a line each, their values in one column, or side by side where lines are few."""
        job, now = state.job, self._board.now()
        facts = {
            "language": (state.report and state.report.language) or "",
            "kind": job.kind,
            "added": formatting.instant(job.added, self._zone(), now) if job.added is not None else "",
            "tags": " ".join(job.tags),
            "note": job.note,
            "options": ", ".join(self._option_names(state)),
        }
        told = [(name, value) for name, value in facts.items() if value]
        if room.height >= MIN_LIST_HEIGHT:
            for name, value in told:
                yield Content.assemble(
                    (f"{name:<{LABEL_WIDTH}}", QUIET), wrap_hanging(value, room.width - LABEL_WIDTH, LABEL_WIDTH)
                )
            return
        line, taken = list[tuple[str, str] | str](), 0
        for name, value in told:
            length = cell_len(f"{name} {value}   ")
            if line and taken + length > room.width:  # a value stays with its label
                yield Content.assemble(*line)
                line, taken = [], 0
            line += [(f"{name} ", QUIET), f"{value}   "]
            taken += length
        yield Content.assemble(*line)

    def _option_names(self, state: JobState) -> Iterator[str]:
        job = state.job
        wanted = {"keep link": job.keep_link, "download": job.download, "muted": job.muted, "archived": job.archived}
        return (name for name, on in wanted.items() if on)

    def _phase_text(self, state: JobState, now: float) -> str:
        """How long it is in its phase, and what jobs like it say of how long it takes yet."""
        since = state.phase.replace("_", " ")
        if state.phase_since is not None:
            passed = formatting.span(now - state.phase_since)
            since += f" {passed} ago" if state.phase in PAST_PHASES else f" for {passed}"
        if state.phase is Phase.BLOCKED:
            return f"{since}: payment or permission is missing. Once somebody has seen to that, r asks again"
        rest = queries.remaining(state, self._board.context)
        if rest is None or state.duration_fit is None:
            return since
        usual = duration_model.typical_range(state.duration_fit)
        ends = formatting.duration_range(usual.low, usual.high)
        return f"{since}; most like it end at {ends}: about {formatting.duration_range(rest.low, rest.high)} left"

    def _polls_text(self, state: JobState, now: float) -> str:
        """How often it was asked, and when it is asked next."""
        asked = (
            f"asked {state.poll_count} time{'s' if state.poll_count != 1 else ''}"
            if state.poll_count
            else "not asked yet"
        )
        at = columns.next_poll_at(state, self._board.render_options)
        if at is None:
            following = "; asking is paused" if self._board.is_paused and state.next_poll_at is not None else ""
        elif at <= now:
            following = f"; next now: {state.next_poll_reason}"
        else:
            following = f"; next in {formatting.duration(at - now)}: {state.next_poll_reason}"
        old = f"; last heard of {formatting.age(now - state.checked_at)} ago" if state.checked_at is not None else ""
        return f"{asked}{old}{following}"

    def _fault_lines(self, state: JobState) -> Iterator[Content]:
        if state.fault is not None:
            fault = state.fault
            request = f" (request {fault.request_id})" if fault.request_id else ""
            yield Content.assemble((f"{fault.kind.replace('_', ' ')}: ", "$job-failed"), f"{fault.message}{request}")
        account = self._board.accounts.get(state.job.account)
        if account is not None and account.message and (state.fault is None or state.fault.message != account.message):
            yield Content.assemble((f"{account.name}: ", "$job-warning"), account.message)

    def _download_lines(self, state: JobState, room: Size) -> Iterator[Content]:
        """What is being downloaded, was, or could not be."""
        told = self._board.downloads.get(state.job.ref)
        if told is not None and told.stage is DownloadStage.FAILED:
            why = wrap_hanging(f"{told.message}; D tries again", room.width - LABEL_WIDTH, LABEL_WIDTH)
            yield Content.assemble((f"{'not saved':<{LABEL_WIDTH}}", "$job-failed"), why)
        elif told is not None:
            yield Content.assemble(("downloads   ", QUIET), self._progress_text(told), ("   D calls it off", QUIET))
        for saved in reducer.current_downloads(state):
            label = f"{'saved':<{LABEL_WIDTH}}{formatting.size(saved.size)}   "
            yield Content.assemble((label, QUIET), (saved.path, "$job-done"))

    def _progress_text(self, progress: DownloadProgress) -> str:
        if not progress.file_name:
            return "waits for its turn"
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
        """Until when it lives, how that is known, and the link: whole, unless its query is a signature."""
        left = expiry.remaining(link, now)
        if left is None:
            life = "no expiry is known"
        else:
            known = "signed into it" if link.expiry_is_exact else "estimated from when it was first seen"
            sign, at = "" if link.expiry_is_exact else "~", formatting.instant(now + left, self._zone(), now)
            if expiry.is_expired(link, now):
                life = f"expired {sign}{formatting.age(-left)} ago; L asks for a fresh one"
            else:
                life = f"lives {sign}{formatting.duration(left)} more, until {at} ({known})"
        if link.needs_key:
            life += "; fetching it takes the key"
        if is_downloaded and left is not None:
            life += "; saved, so it may expire"
        url, wide = display_url(link.url), room.width - LABEL_WIDTH
        indent = LABEL_WIDTH if cell_len(url) <= wide else 0  # it stays in one piece, so that it can be selected whole
        return Content.assemble(
            (f"{link.kind:<{LABEL_WIDTH}}", QUIET),
            f"{wrap_hanging(life, wide, LABEL_WIDTH)}\n{' ' * indent}",
            (url, "$job-running"),
        )

    # The other tabs.

    def _response(self, history: JobHistory | None) -> Iterator[Content]:
        """The last raw body, laid out as JSON where it is JSON. Signatures of links are masked."""
        if history is None or history.body is None:
            yield Content.styled("no reply yet", QUIET)
            return
        if history.body_received_at is not None:
            yield Content.styled(
                f"came {formatting.instant(history.body_received_at, self._zone(), self._board.now())}", QUIET
            )
        yield format_body(history.body)

    def _requests(self, history: JobHistory | None) -> Iterator[Content]:
        """The last asks, newest first: when, what came, how long it took."""
        asks = history.requests if history is not None else ()
        if not asks:
            yield Content.styled("not asked yet, or too long ago", QUIET)
            return
        times = [ask.duration_ms for ask in reversed(asks)]
        yield Content.assemble(
            (f"{'asks':>13}  ", QUIET),
            (
                formatting.sparkline(times[-SPARKLINE_WIDTH:], ascii_only=self._board.render_options.glyphs.ascii_only),
                "$job-running",
            ),
            (f"  {min(times):.0f} to {max(times):.0f} ms", QUIET),
        )
        for ask in asks:
            fault = f"{ask.fault.replace('_', ' ')}" if ask.fault is not None else "report"
            yield Content.assemble(
                (formatting.instant(ask.ended_at, self._zone(), self._board.now()).rjust(13), QUIET),
                f"  {ask.http_status or '·':>3}  {ask.duration_ms:>6.0f} ms  ",
                (f"{fault:<10}", "$job-failed" if ask.fault is not None else "$job-done"),
                (f"  {ask.request_id}" if ask.request_id else "", QUIET),
            )

    def _result(self, state: JobState) -> Iterator[Content]:
        """The text that the job brought."""
        if state.result:
            yield Content(state.result)
        else:
            yield Content.styled("no text; the result is behind its link" if state.links else "no result yet", QUIET)


def wrap_hanging(value: str, width: int, indent: int) -> str:
    """The text in lines of at most `width` cells, each but the first behind `left` blanks. A long word stays whole."""
    lines = [""]
    for word in value.split():
        if lines[-1] and cell_len(f"{lines[-1]} {word}") > width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return f"\n{' ' * indent}".join(lines)


def display_url(url: str) -> str:
    """A link as it may stand on a screen: without its query where that is a signature."""
    return formatting.mask_url(url) if signed_urls.signed_expiry(url) is not None else url


def format_body(body: bytes) -> Content:
    """A raw body for reading: harmless text, and coloured where it is JSON."""
    try:
        pretty = msgspec.json.format(body, indent=2)
    except (msgspec.DecodeError, RecursionError):
        return Content(_sanitize_body(body.decode("utf-8", "replace")))
    from textual.highlight import highlight  # pygments comes with it: not before the first frame

    return highlight(_sanitize_body(pretty.decode("utf-8", "replace")), language="json")


def _sanitize_body(raw: str) -> str:
    return re.sub(_URL, lambda found: display_url(found[0]), formatting.clean(raw, 128 * 1024, keep_lines=True))
