"""Accounts dialog: health, statistics, rate limit and problems of each account."""

from collections.abc import Callable, Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static
from textual.widgets.option_list import Option

from tui.dashboard.board_model import BoardModel
from tui.dashboard.dialogs.dialog import REFRESH_INTERVAL, Dialog
from tui.dashboard.widgets.badges import account_badge, sunset_text, wait_text
from tui.dashboard.widgets.detail_pages import DIALOG_WIDTH, wrap_hanging
from tui.dashboard.widgets.vim_option_list import VimOptionList
from tui.engine.api import AccountState
from tui.presentation import formatting
from tui.presentation.cell_width import fit_to_width, text_width

MIN_SHOWN_SKEW = 60.0
"""Seconds of clock skew above which it is shown."""


class AccountsScreen(Dialog[None]):
    """Dialog of the accounts. `retry` is called with the account under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,A,enter", "dismiss", show=False),
        Binding("r", "retry", show=False),
    ]

    def __init__(self, board: BoardModel, retry: Callable[[str], None], selected: str = "") -> None:
        super().__init__()
        self._selected = selected
        self._board = board
        self._retry = retry
        self._drawn_accounts: list[Content] = []

    def compose(self) -> ComposeResult:
        """Yield a list with a few lines per account."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Accounts")
            yield VimOptionList(compact=True)
            retry = "" if self._board.is_viewer else "r: retry, reloading the key · "
            yield Static(f"{retry}Esc: close", classes="keys", markup=False)

    def on_mount(self) -> None:
        """Show the accounts with the selected one, and keep them up to date."""
        self._update_accounts()
        names = list(self._board.accounts)
        if self._selected in names:
            self.query_one(VimOptionList).highlighted = names.index(self._selected)
        self.set_interval(REFRESH_INTERVAL, self._update_accounts)

    def _update_accounts(self) -> None:
        accounts = list(self._board.accounts.values())
        room = max((text_width(account.title) for account in accounts), default=0)
        drawn = [Content("\n").join(self._account_lines(account, room)) for account in accounts]
        if drawn == self._drawn_accounts:
            return
        choices = self.query_one(VimOptionList)
        at, self._drawn_accounts = choices.highlighted, drawn
        choices.clear_options()
        choices.add_options(Option(each, account.name) for each, account in zip(drawn, accounts, strict=True))
        choices.highlighted = at or 0

    def _account_lines(self, account: AccountState, title_width: int) -> Iterator[Content]:
        """Yield the account's lines; titles are padded to `title_width` cells."""
        now = self._board.now()
        badge = account_badge(account, now, ascii_only=self._board.ascii_only)
        untried = "no response yet" if account.request_count else "not polled yet"
        status = badge.text or (untried if badge.tone == "quiet" else "OK")
        wait = wait_text(account, now)
        if wait:
            status += f" {wait}" if badge.text == "waiting" else f", waiting {wait}"
        yield Content.assemble(
            (f"{badge.glyph} ", f"$job-{badge.tone}"),
            (f"{account.name:<12} ", "bold"),
            (f"{fit_to_width(account.title, title_width)}   ", "$job-quiet"),
            (status, f"$job-{badge.tone}"),
        )
        yield Content.styled(f"  {'   '.join(_statistics(account))}", "$job-quiet")
        if account.message:
            yield Content(f"  {wrap_hanging(account.message, DIALOG_WIDTH, 2)}")
        sunset = sunset_text(account, now)
        if sunset and sunset != badge.text:
            yield Content.styled(f"  {sunset}", "$job-warning")
        if account.skew is not None and abs(account.skew) > MIN_SHOWN_SKEW:
            direction = "ahead" if account.skew > 0 else "behind"
            yield Content.styled(f"  service clock {abs(account.skew):.0f} s {direction}", "$job-warning")

    def action_retry(self) -> None:
        """Retry the account under the cursor."""
        at = self.query_one(VimOptionList).highlighted
        if at is not None:
            self._retry(list(self._board.accounts)[at])


def _statistics(account: AccountState) -> Iterator[str]:
    yield formatting.count_of(account.request_count, "request")
    if account.fault_count:
        yield formatting.count_of(account.fault_count, "fault")
    if account.latency is not None:
        yield f"{account.latency * 1000:.0f} ms"
    if account.quota is not None:
        yield f"quota {account.quota[0]} of {account.quota[1]}"
    if account.rate_per_minute is not None:
        yield f"limit {account.rate_per_minute:.3g}/min"
