"""The detail of one job, in tabs. It follows the cursor; what it shows is plain, selectable text."""

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import tzinfo
from enum import StrEnum
from itertools import pairwise

import msgspec
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.highlight import highlight
from textual.message import Message
from textual.widgets import Static

from tui.domain import cells, expiry, rows, text
from tui.domain.board import JobState
from tui.domain.jobs import Link, Ref
from tui.engine.feed import Detail as Looked
from tui.engine.feed import Feed
from tui.widgets.bars import Bar, Piece
from tui.widgets.board import Board

QUIET = "$job-quiet"
_URL = re.compile(r'https?://[^\s"<>]+')


class Tab(StrEnum):
    """What there is to see of a job."""

    OVERVIEW = "overview"
    TIMELINE = "timeline"
    RESPONSE = "response"
    RESULT = "result"


class DetailTabs(Bar):
    """The names of the tabs. A click chooses."""

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, tab: Tab) -> None:
            super().__init__()
            self.tab = tab

    tab = Tab.OVERVIEW

    def pieces(self) -> tuple[list[Piece], list[Piece]]:
        """See SCREENS: ` Overview   Timeline   Response`."""
        left: list[Piece] = [(" ", "bar--plain")]
        for tab in Tab:
            left += [(tab.capitalize(), "bar--chosen" if tab is self.tab else "bar--quiet"), ("   ", "bar--plain")]
        return left, []

    def on_click(self, event: events.Click) -> None:
        """Chooses the tab under the mouse."""
        end = 1
        for tab in Tab:
            end += len(tab) + 3
            if event.x < end:
                self.post_message(self.Chosen(tab))
                return


class DetailPane(Vertical):
    """One job's tabs and the text of the chosen one."""

    def __init__(self, board: Board, feed: Feed, zone: Callable[[], tzinfo]) -> None:
        super().__init__(id="detail")
        self._board = board
        self._feed = feed
        self._zone = zone
        self._ref: Ref | None = None
        self._looked: Looked | None = None
        self._looked_asks = -1
        self._tab = Tab.OVERVIEW
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        """The tabs above the text."""
        yield DetailTabs()
        with VerticalScroll(id="detail-scroll"):
            yield Static(id="detail-text", markup=False)

    def show(self, ref: Ref | None) -> None:
        """Turns to another job."""
        if ref != self._ref:
            self._ref, self._looked, self._looked_asks = ref, None, -1
            self.query_one(VerticalScroll).scroll_home(animate=False)
        self.tick()

    def choose(self, tab: Tab) -> None:
        """Turns to another tab."""
        self._tab = tab
        tabs = self.query_one(DetailTabs)
        tabs.tab = tab
        tabs.refresh()
        self.query_one(VerticalScroll).scroll_home(animate=False)
        self.tick()

    def step(self, by: int) -> None:
        """Turns to the next tab, or to one before."""
        order = list(Tab)
        self.choose(order[(order.index(self._tab) + by) % len(order)])

    def tick(self) -> None:
        """Draws the text anew if it says something else now; asks the journal if the job was asked since."""
        if not self.display:
            return
        state = self._board.states.get(self._ref) if self._ref is not None else None
        if state is not None and self._tab in {Tab.TIMELINE, Tab.RESPONSE} and self._looked_asks != state.asks:
            self._looked_asks = state.asks
            self.run_worker(self._look(state.job.ref), exclusive=True, group="look")
        drawn = Content("\n").join(self._lines(state)) if state is not None else Content("")
        if drawn != self._drawn:
            self._drawn = drawn
            self.query_one("#detail-text", Static).update(drawn)

    async def _look(self, ref: Ref) -> None:
        looked = await asyncio.wrap_future(self._feed.look(ref))
        if ref == self._ref:
            self._looked = looked
            self.tick()

    def _lines(self, state: JobState) -> Iterator[Content]:
        match self._tab:
            case Tab.OVERVIEW:
                return self._overview(state)
            case Tab.TIMELINE:
                return self._timeline(state)
            case Tab.RESPONSE:
                return self._response()
            case Tab.RESULT:
                return self._result(state)

    # Overview.

    def _overview(self, state: JobState) -> Iterator[Content]:
        job, now = state.job, self._board.now()
        face = self._board.face
        shown = cells.status(state, face)
        yield Content.assemble(
            (rows.name(state), "bold"), (f"   {job.account} · {job.id}   ", QUIET), (shown.text, f"$job-{shown.tone}")
        )
        yield Content(self._so_far(state, now))
        yield from self._trouble(state)
        for link in state.links:
            yield self._link(link, now)
        said = state.report.message if state.report else None
        if said:
            yield Content.assemble(("it says     ", QUIET), said)
        facts = {
            "language": (state.report and state.report.language) or "",
            "kind": job.kind,
            "added": text.instant(job.added, self._zone(), now) if job.added is not None else "",
            "tags": " ".join(job.tags),
            "note": job.note,
            "options": ", ".join(self._options(state)),
        }
        parts: list[tuple[str, str] | str] = []
        for name, value in facts.items():
            if value:
                parts += [(f"{name} ", QUIET), f"{value}   "]
        yield Content.assemble(*parts)

    def _options(self, state: JobState) -> Iterator[str]:
        job = state.job
        wanted = {"keep link": job.keep_link, "download": job.download, "muted": job.muted, "archived": job.archived}
        return (name for name, on in wanted.items() if on)

    def _so_far(self, state: JobState, now: float) -> str:
        """How long it is in its phase, how often it was asked, and when it is asked next."""
        phase = state.phase.replace("_", " ")
        since = phase if state.since is None else f"{phase} for {text.span(now - state.since)}"
        asked = f"asked {state.asks} time{'s' if state.asks != 1 else ''}" if state.asks else "not asked yet"
        at = cells.next_ask(state, self._board.face)
        if at is None:
            following = ""
        elif at <= now:
            following = f"; next now: {state.reason}"
        else:
            following = f"; next in {text.duration(at - now)}: {state.reason}"
        old = f"; last heard of {text.age(now - state.checked_at)} ago" if state.checked_at is not None else ""
        return f"{since}; {asked}{old}{following}"

    def _trouble(self, state: JobState) -> Iterator[Content]:
        if state.fault is not None:
            fault = state.fault
            request = f" (request {fault.request_id})" if fault.request_id else ""
            yield Content.assemble((f"{fault.kind.replace('_', ' ')}: ", "$job-failed"), f"{fault.message}{request}")
        account = self._board.accounts.get(state.job.account)
        if account is not None and account.message and (state.fault is None or state.fault.message != account.message):
            yield Content.assemble((f"{account.name}: ", "$job-warning"), account.message)

    def _link(self, link: Link, now: float) -> Content:
        """Until when it lives, how that is known, and the link: whole, unless its query is a signature."""
        left = expiry.left(link, now)
        if left is None:
            life = "no expiry is known"
        elif expiry.expired(link, now):
            life = "expired; asking again gives a fresh one"
        else:
            known = "signed into it" if link.exact else "estimated from when it was first seen"
            at = text.instant(now + left, self._zone(), now)
            life = f"lives {'' if link.exact else 'about '}{text.duration(left)} more, until {at} ({known})"
        if link.key:
            life += "; fetching it takes the key"
        return Content.assemble(
            (f"{link.kind:<12}", QUIET), f"{life}\n            ", (shown_url(link.url), "$job-running")
        )

    # The other tabs.

    def _timeline(self, state: JobState) -> Iterator[Content]:
        """The phases with their times and lengths, drawn to scale."""
        zone, now = self._zone(), self._board.now()
        if state.job.added is not None:
            yield Content.assemble((text.instant(state.job.added, zone, now).rjust(13), QUIET), "  added")
        changes = self._looked.changes if self._looked is not None else ()
        starts = [change.seen for change in changes] + [now]
        lengths = [end - start for start, end in pairwise(starts)]
        longest = max(lengths, default=0.0) or 1.0
        for change, length in zip(changes, lengths, strict=True):
            bar = text.bar(length / longest, 24, ascii_only=self._board.face.glyphs.ascii_only).rstrip("·.")
            tone = cells.tone(change.after)
            yield Content.assemble(
                (text.instant(change.seen, zone, now).rjust(13), QUIET),
                f"  {change.after.replace('_', ' '):<10}",
                f"{text.span(length):>7}  ",
                (bar, f"$job-{tone}"),
                (f"  {change.message}" if change.message else "", QUIET),
            )
        if not changes:
            yield Content.styled("nothing has happened to it yet", QUIET)

    def _response(self) -> Iterator[Content]:
        """The last raw body, laid out as JSON where it is JSON. Signatures of links are masked."""
        looked = self._looked
        if looked is None or looked.body is None:
            yield Content.styled("no reply yet", QUIET)
            return
        if looked.body_at is not None:
            yield Content.styled(f"came {text.instant(looked.body_at, self._zone(), self._board.now())}", QUIET)
        yield response(looked.body)

    def _result(self, state: JobState) -> Iterator[Content]:
        """The text that the job brought."""
        if state.result:
            yield Content(state.result)
        else:
            yield Content.styled("no text; the result is behind its link" if state.links else "no result yet", QUIET)


def shown_url(url: str) -> str:
    """A link as it may stand on a screen: without its query where that is a signature."""
    return text.mask_url(url) if expiry.signed(url) is not None else url


def response(body: bytes) -> Content:
    """A raw body for reading: harmless text, and coloured where it is JSON."""
    try:
        pretty = msgspec.json.format(body, indent=2)
    except (msgspec.DecodeError, RecursionError):
        return Content(_readable(body.decode("utf-8", "replace")))
    return highlight(_readable(pretty.decode("utf-8", "replace")), language="json")


def _readable(raw: str) -> str:
    return _URL.sub(lambda found: shown_url(found[0]), text.clean(raw, 128 * 1024, lines=True))
