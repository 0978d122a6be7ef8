"""Why dialog: what the account of a job is doing, why nothing is sent yet, and what the operator can do."""

from collections.abc import Callable, Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.dashboard.board_model import BoardModel
from tui.dashboard.dialogs.dialog import REFRESH_INTERVAL, TextDialog
from tui.dashboard.widgets.badges import account_badge, sunset_text
from tui.dashboard.widgets.detail_pages import DIALOG_WIDTH, LABEL_WIDTH, wrap_hanging
from tui.dashboard.widgets.explanations import budget_text, fault_texts, jobs_text, next_poll_text, obstacles
from tui.engine.api import AccountState
from tui.presentation.columns import UNICODE

MAX_FAULTS = 5
"""Kinds of faults that are listed; more are counted."""


class WhyScreen(TextDialog):
    """Dialog of one account. `retry` is called with its name."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,w,enter", "dismiss", show=False),
        Binding("r", "retry", show=False),
    ]

    def __init__(
        self, board: BoardModel, account: str, retry: Callable[[str], None], silent_for: Callable[[], float]
    ) -> None:
        """`silent_for` returns the seconds for which the engine has not responded, 0 while it does."""
        super().__init__()
        self._board = board
        self._account = account
        self._retry = retry
        self._silent_for = silent_for
        self._drawn = Content("")

    def compose(self) -> ComposeResult:
        """Yield the text."""
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = Content(f"Why: {self._account}")
            yield Static(id="why-text", markup=False)
            retry = "" if self._board.is_viewer else "r: retry, reloading the key · "
            yield Static(f"{retry}Esc: close", classes="keys", markup=False)

    def on_mount(self) -> None:
        """Show the text, and keep it up to date."""
        self._update_text()
        self.set_interval(REFRESH_INTERVAL, self._update_text)

    def _update_text(self) -> None:
        text = Content("\n").join(self._lines())
        if text.plain != self._drawn.plain:
            self._drawn = text
            self.query_one("#why-text", Static).update(text)

    def _lines(self) -> Iterator[Content]:
        account = self._board.accounts.get(self._account)
        if account is None:
            yield _line("account", "not in the configuration", "$job-failed")
            yield _line("do", "add it to config.toml, or e: edit the job's account in the watchlist")
            return
        badge = account_badge(account, self._board.now(), ascii_only=self._board.ascii_only)
        yield Content.assemble((f"{badge.glyph} ", f"$job-{badge.tone}"), (account.title, "bold"))
        found = list(obstacles(self._board, account, silent_for=self._silent_for()))
        if not found:
            yield _line("why", "nothing holds its polls back", "$job-done")
        for obstacle in found:
            yield _line("why", obstacle.reason, "$job-warning")
            yield _line("do", obstacle.remedy or "nothing: it goes on by itself")
        yield _line("jobs", jobs_text(self._board, self._account))
        if next_poll := next_poll_text(self._board, self._account):
            dash = self._board.render_options.glyphs.range_dash
            yield _line("next poll", next_poll.replace(UNICODE.range_dash, dash))
        yield from self._budget_lines(account)
        yield from self._fault_lines()

    def _budget_lines(self, account: AccountState) -> Iterator[Content]:
        if budget := budget_text(account):
            yield _line("budget", budget)
        sent = f"{account.request_count} since the start, {account.fault_count} with a fault"
        yield _line("requests", sent)
        if sunset := sunset_text(account, self._board.now()):
            yield _line("API", sunset, "$job-warning")

    def _fault_lines(self) -> Iterator[Content]:
        faults = list(fault_texts(self._board, self._account))
        for text, remedy in faults[:MAX_FAULTS]:
            yield _line("fault", text, "$job-failed")
            if remedy:
                yield _line("do", remedy.removeprefix("w, then "))  # this is the dialog
        if len(faults) > MAX_FAULTS:
            yield _line("", f"and {len(faults) - MAX_FAULTS} other faults")

    def action_retry(self) -> None:
        """Retry the account."""
        self._retry(self._account)


def _line(label: str, text: str, colour: str = "") -> Content:
    wrapped = wrap_hanging(text, DIALOG_WIDTH - LABEL_WIDTH, LABEL_WIDTH)
    return Content.assemble((f"{label:<{LABEL_WIDTH}}", "$job-quiet"), (wrapped, colour))
