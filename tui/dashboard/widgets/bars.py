"""One-line bars around the table: accounts at the top, views below them, keys at the bottom."""

from collections.abc import Callable, Iterable, Sequence
from datetime import tzinfo

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from tui.commands import Command, key_label
from tui.dashboard.board_model import BoardModel
from tui.dashboard.widgets.badges import account_badge, wait_text
from tui.dashboard.widgets.line_widget import LineWidget
from tui.dashboard.widgets.semantic_styles import tone_style
from tui.engine.api import AccountState, Health
from tui.presentation import formatting
from tui.presentation.cell_width import fit_to_width, text_width
from tui.presentation.columns import EMPTY_CELL
from tui.presentation.queries import View

TonedText = tuple[str, str]
"""Text and its tone."""


class Bar(LineWidget):
    """One line of coloured texts at the left and at the right."""

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self._drawn_texts: tuple[list[TonedText], list[TonedText]] = ([], [])

    def texts(self) -> tuple[list[TonedText], list[TonedText]]:
        """Return the texts at the left and at the right."""
        return [], []

    def tick(self) -> None:
        """Repaint the line if it has changed."""
        if self.texts() != self._drawn_texts:
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return the line; the texts at the left are cut to the room."""
        self._drawn_texts = left, right = self.texts()
        ground = self.rich_style
        between = bool(right)  # at least one blank, even if the left is cut
        room = self.size.width - _width(right) - between
        segments: list[Segment] = []
        for text, tone in left:
            length = text_width(text)
            if length > room:
                segments.append(Segment(fit_to_width(text, max(0, room)), self._style_of(ground, tone)))
                room = 0
                break
            segments.append(Segment(text, self._style_of(ground, tone)))
            room -= length
        segments.append(Segment(" " * (room + between), ground))
        segments.extend(Segment(text, self._style_of(ground, tone)) for text, tone in right)
        return Strip(segments).crop(0, self.size.width)

    def _style_of(self, ground: Style, tone: str) -> Style:
        return ground + tone_style(self, tone)

    def text_at(self, x: int) -> tuple[int, int]:
        """Return which text is drawn at a cell: its index at the left, and at the right; -1: none."""
        left, right = self._drawn_texts
        start_of_right = self.size.width - _width(right)
        if x >= start_of_right:
            return -1, _index_at(right, x - start_of_right)
        return _index_at(left, x), -1


def _width(texts: list[TonedText]) -> int:
    return sum(text_width(text) for text, _ in texts)


def _index_at(texts: list[TonedText], x: int) -> int:
    """Return the index of the text at a cell; -1: none."""
    end = 0
    for index, (text, _) in enumerate(texts):
        end += text_width(text)
        if x < end:
            return index
    return -1


_BADGE_LEVELS = (
    ("   ", frozenset({"done", "quiet", "warning", "failed"})),
    ("  ", frozenset({"quiet", "warning", "failed"})),
    (" ", frozenset({"warning", "failed"})),
    (" ", frozenset({"failed"})),
    (" ", frozenset[str]()),
)
"""Gaps, and the tones of the badges that have a text, from much room to little: problems keep theirs longest."""
_PROBLEM_TONES = frozenset({"warning", "failed"})


_TEXTS_BEFORE_BADGES, _TEXTS_OF_BADGE = 2, 4
"""Texts of the top bar: the program's name and a gap; glyph, name, details and a gap for each account."""


class TopBar(Bar):
    """Program name, a badge per account, role of this console, time of day; a click on a badge opens the account."""

    class AccountClicked(Message):
        """A badge was clicked."""

        def __init__(self, account: str) -> None:
            super().__init__()
            self.account = account

    def __init__(self, board: BoardModel, zone: Callable[[], tzinfo], role: str) -> None:
        super().__init__()
        self._board = board
        self._zone = zone
        self._role = role
        self._shown: list[AccountState] = []
        """Accounts that have a badge."""

    def texts(self) -> tuple[list[TonedText], list[TonedText]]:
        """Return badges with name, quota and wait; what does not fit is left out, accounts without a problem first."""
        zone = self._zone()
        name = "UTC" if zone.tzname(None) == "UTC" else ""
        clock = f"{formatting.clock(self._board.now(), zone)} {name}".rstrip()
        is_held_up = self._board.is_paused or self._board.is_cut_off
        following = (self._board.role or self._role, "warning" if is_held_up else "quiet")
        team = [("team · ", "key")] if self._board.shows_team else []
        right = [*team, following, ("   ", "plain"), (f"{clock} ", "plain")]
        room = self.size.width - _width(right)
        self._shown = list(self._board.accounts.values())
        left: list[TonedText] = []
        for gap, tones_with_text in _BADGE_LEVELS:
            left = self._badges(gap, tones_with_text)
            if _width(left) <= room:
                return left, right
        kept_longest = sorted(self._shown, key=self._has_no_problem)
        while kept_longest:
            self._shown.remove(kept_longest.pop())
            hidden = len(self._board.accounts) - len(self._shown)
            left = [*self._badges(" ", frozenset()), (f"+{hidden}", "quiet")]
            if _width(left) < room:
                break
        return left, right

    def on_click(self, event: events.Click) -> None:
        """Open the account whose badge is under the mouse."""
        index = (self.text_at(event.x)[0] - _TEXTS_BEFORE_BADGES) // _TEXTS_OF_BADGE
        if 0 <= index < len(self._shown):
            self.post_message(self.AccountClicked(self._shown[index].name))

    def unchanged_for(self) -> float:
        """Return the seconds for which the line is unchanged: to the next minute, or the next change of a wait."""
        now = self._board.now()
        waiting = (each.waits_until - now for each in self._board.accounts.values() if each.waits_until is not None)
        return min([60 - now % 60, *(formatting.next_change(left, "duration") for left in waiting)])

    def _has_no_problem(self, account: AccountState) -> bool:
        badge = account_badge(account, self._board.now(), ascii_only=self._board.ascii_only)
        return badge.tone not in _PROBLEM_TONES and account.waits_until is None

    def _badges(self, gap: str, tones_with_text: frozenset[str]) -> list[TonedText]:
        """Return the badges of the shown accounts; those of `tones_with_text` with their texts."""
        left: list[TonedText] = [(" babeltop", "strong"), (gap, "plain")]
        now = self._board.now()
        for account in self._shown:
            badge = account_badge(account, now, ascii_only=self._board.ascii_only)
            quota = f"{account.quota[0]}/{account.quota[1]}" if account.quota else ""
            status = badge.text or quota if badge.tone in tones_with_text else ""
            details = ", ".join(filter(None, [status, wait_text(account, now)]))
            left += [
                (f"{badge.glyph} ", badge.tone),
                (account.name, "quiet" if account.health is Health.NO_KEY else "plain"),
                (f" {details}" if details else "", badge.tone if badge.text else "quiet"),
                (gap, "plain"),
            ]
        return left


MIN_FILTER_WIDTH = 12
"""Minimum cells of the filter, even if it covers the last views."""


MAX_NUMBERED_VIEWS = 9
"""Views with a key."""
_VIEW_LEVELS = (("   ", None), ("  ", None), (" ", None), (" ", 6), (" ", 4), (" ", 3), (" ", 2))
"""Gaps, and the letters of each name, from much room to little."""


class ViewBar(Bar):
    """Views with their counts, and the filter with its matches; a click selects a view."""

    class ViewClicked(Message):
        """A view was clicked."""

        def __init__(self, view: str) -> None:
            super().__init__()
            self.view = view

    def __init__(self, board: BoardModel, match_count: Callable[[], int]) -> None:
        super().__init__()
        self._board = board
        self._match_count = match_count

    def texts(self) -> tuple[list[TonedText], list[TonedText]]:
        """Return views and filter: ` 1 All 340   2 Active 41`."""
        counts = self._board.view_counts()
        left = self._views()
        right: list[TonedText] = []
        if self._board.marks:
            hidden = self._board.hidden_marks()
            not_shown = f", {hidden} not shown" if hidden else ""
            right.append((f"{len(self._board.marks)} marked{not_shown}  ", "warning"))
        if self._board.filter_text:
            matches = f"  {self._match_count()} of {counts[self._board.view]} "
            room = self.size.width - _width([*left, *right]) - text_width(matches)
            filter_text = f"/ {self._board.filter_text}"
            width = min(text_width(filter_text), max(MIN_FILTER_WIDTH, room))
            right += [(fit_to_width(filter_text, width), "key"), (matches, "plain")]
        return left, right

    def _views(self) -> list[TonedText]:
        """Return a blank, then each view and the gap after it. If they do not fit, the others' names are shortened."""
        left: list[TonedText] = []
        for gap, length in _VIEW_LEVELS if self.size.width >= 100 else _VIEW_LEVELS[1:]:
            left = [(" ", "plain")]
            for number, view in enumerate(self._board.all_views, 1):
                is_chosen = view == self._board.view
                count = EMPTY_CELL if self._board.is_partial else self._board.view_counts()[view]
                name = view.capitalize() if isinstance(view, View) else view
                shown = name if is_chosen or length is None else name[:length]
                key = f"{number} " if number <= MAX_NUMBERED_VIEWS else ""
                left += [(f"{key}{shown} {count}", "chosen" if is_chosen else "quiet"), (gap, "plain")]
            left.pop()
            if _width(left) < self.size.width:
                break
        return [*left, (" ", "plain")]

    def on_click(self, event: events.Click) -> None:
        """Select the view under the mouse."""
        index = (self.text_at(event.x)[0] - 1) // 2
        if 0 <= index < len(self._board.all_views):
            self.post_message(self.ViewClicked(self._board.all_views[index]))


class FooterBar(Bar):
    """Keys of the commands with a footer priority, as many as fit; while an input is open, its hint.

    A click runs the command.
    """

    class CommandClicked(Message):
        """A command was clicked."""

        def __init__(self, command_id: str) -> None:
            super().__init__()
            self.command_id = command_id

    def __init__(self, commands: Callable[[], Iterable[Command]]) -> None:
        """`commands` returns those that the operator can run."""
        super().__init__()
        self.hint: list[TonedText] = []
        """Shown instead of the keys."""
        self._find_commands = commands
        self._commands: Sequence[Command] = ()
        """Commands of the line as last drawn, by priority."""

    def texts(self) -> tuple[list[TonedText], list[TonedText]]:
        """Return the keys: ` ? help   / filter   …   ^q quit`."""
        if self.hint:
            return self.hint, []
        self._commands = sorted(
            (command for command in self._find_commands() if command.footer_priority),
            key=lambda each: each.footer_priority,
        )
        *others, last = self._commands
        right: list[TonedText] = [(key_label(last.keys[0]), "key"), (f" {last.title} ", "quiet")]
        room = self.size.width - _width(right) - 1
        left: list[TonedText] = [(" ", "plain")]
        for command in others:
            key, title = key_label(command.keys[0]), f" {command.title}   "
            room -= text_width(key) + text_width(title)
            if room < 0:
                break
            left += [(key, "key"), (title, "quiet")]
        return left, right

    def on_click(self, event: events.Click) -> None:
        """Run the command whose hint is under the mouse."""
        left, right = self.text_at(event.x)
        if right >= 0:
            self.post_message(self.CommandClicked(self._commands[-1].id))
        elif left > 0 and not self.hint and (left - 1) // 2 < len(self._commands) - 1:
            self.post_message(self.CommandClicked(self._commands[(left - 1) // 2].id))
