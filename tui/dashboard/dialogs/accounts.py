"""The dialog of accounts: how each is doing, how fast it is asked, and why it waits."""

from collections.abc import Callable, Iterator
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static
from textual.widgets.option_list import Option

from tui.dashboard.board_model import BoardModel
from tui.dashboard.widgets.badges import account_badge, sunset_text, wait_text
from tui.dashboard.widgets.detail_pages import DIALOG_WIDTH, wrap_hanging
from tui.dashboard.widgets.vim_option_list import VimOptionList
from tui.engine.api import AccountState
from tui.presentation.cell_width import fit_to_width

REFRESH_INTERVAL = 1.0
"""Seconds between two looks at the accounts while the dialog is open."""
MIN_SHOWN_SKEW = 60.0
"""Seconds that a service's clock may be off before it is said."""


class AccountsScreen(ModalScreen[None]):
    """Shows the accounts as they are. `resume` is called with the one that is to be tried again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,A,enter", "dismiss", show=False),
        Binding("r", "retry", show=False),
    ]

    def __init__(self, board: BoardModel, retry: Callable[[str], None]) -> None:
        super().__init__()
        self._board = board
        self._retry = retry
        self._drawn_accounts: list[Content] = []

    def compose(self) -> ComposeResult:
        """Some lines an account."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Accounts")
            yield VimOptionList(compact=True)
            yield Static("r tries the account again, with its key read anew   Esc closes", classes="keys", markup=False)

    def on_mount(self) -> None:
        """Shows them, and keeps them true."""
        self._update_accounts()
        self.set_interval(REFRESH_INTERVAL, self._update_accounts)

    def _update_accounts(self) -> None:
        accounts = list(self._board.accounts.values())
        room = max((cell_len(account.title) for account in accounts), default=0)
        drawn = [Content("\n").join(self._account_lines(account, room)) for account in accounts]
        if drawn == self._drawn_accounts:
            return
        choices = self.query_one(VimOptionList)
        at, self._drawn_accounts = choices.highlighted, drawn
        choices.clear_options()
        choices.add_options(Option(each, account.name) for each, account in zip(drawn, accounts, strict=True))
        choices.highlighted = at or 0

    def _account_lines(self, account: AccountState, title_width: int) -> Iterator[Content]:
        """What is known of an account; `room`: cells of the longest service's title."""
        now = self._board.now()
        shown = account_badge(account, now, ascii_only=self._board.ascii_only)
        untold = "not answered yet" if account.request_count else "not asked yet"
        word = shown.text or (untold if shown.tone == "quiet" else "well")
        wait = wait_text(account, now)
        yield Content.assemble(
            (f"{shown.glyph} ", f"$job-{shown.tone}"),
            (f"{account.name:<12} ", "bold"),
            (f"{fit_to_width(account.title, title_width)}   ", "$job-quiet"),
            (f"{word}{f', waits {wait}' if wait else ''}", f"$job-{shown.tone}"),
        )
        yield Content.styled(f"  {'   '.join(_statistics(account))}", "$job-quiet")
        if account.message:
            yield Content(f"  {wrap_hanging(account.message, DIALOG_WIDTH, 2)}")
        if sunset_text(account, now):
            yield Content.styled(f"  the service says: {sunset_text(account, now)}", "$job-warning")
        if account.skew is not None and abs(account.skew) > MIN_SHOWN_SKEW:
            side = "ahead of" if account.skew > 0 else "behind"
            yield Content.styled(f"  its clock is {abs(account.skew):.0f} s {side} ours", "$job-warning")

    def action_retry(self) -> None:
        """Has the account under the cursor tried again."""
        at = self.query_one(VimOptionList).highlighted
        if at is not None:
            self._retry(list(self._board.accounts)[at])


def _statistics(account: AccountState) -> Iterator[str]:
    yield f"asked {account.request_count} time{'s' * (account.request_count != 1)}"
    if account.fault_count:
        yield f"{account.fault_count} fault{'s' * (account.fault_count != 1)}"
    if account.latency is not None:
        yield f"{account.latency * 1000:.0f} ms"
    if account.quota is not None:
        yield f"quota {account.quota[0]} of {account.quota[1]}"
    if account.rate_per_minute is not None:
        yield f"at most {account.rate_per_minute:.3g} a minute"
