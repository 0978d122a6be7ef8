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

from tui.dashboard.board_model import Board
from tui.dashboard.widgets.badges import badge, ending, waits
from tui.dashboard.widgets.detail_pages import DIALOG, hung
from tui.dashboard.widgets.vim_option_list import Choices
from tui.engine.api import AccountState
from tui.presentation.cell_width import fit_to_width

EVERY = 1.0
"""Seconds between two looks at the accounts while the dialog is open."""
SKEW = 60.0
"""Seconds that a service's clock may be off before it is said."""


class AccountsScreen(ModalScreen[None]):
    """Shows the accounts as they are. `resume` is called with the one that is to be tried again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,A,enter", "dismiss", show=False),
        Binding("r", "resume", show=False),
    ]

    def __init__(self, board: Board, resume: Callable[[str], None]) -> None:
        super().__init__()
        self._board = board
        self._resume = resume
        self._drawn: list[Content] = []

    def compose(self) -> ComposeResult:
        """Some lines an account."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Accounts")
            yield Choices(compact=True)
            yield Static("r tries the account again, with its key read anew   Esc closes", classes="keys", markup=False)

    def on_mount(self) -> None:
        """Shows them, and keeps them true."""
        self._show()
        self.set_interval(EVERY, self._show)

    def _show(self) -> None:
        accounts = list(self._board.accounts.values())
        room = max((cell_len(account.title) for account in accounts), default=0)
        drawn = [Content("\n").join(self._lines(account, room)) for account in accounts]
        if drawn == self._drawn:
            return
        choices = self.query_one(Choices)
        at, self._drawn = choices.highlighted, drawn
        choices.clear_options()
        choices.add_options(Option(each, account.name) for each, account in zip(drawn, accounts, strict=True))
        choices.highlighted = at or 0

    def _lines(self, account: AccountState, room: int) -> Iterator[Content]:
        """What is known of an account; `room`: cells of the longest service's title."""
        now = self._board.now()
        shown = badge(account, now, ascii_only=self._board.ascii_only)
        untold = "not answered yet" if account.asks else "not asked yet"
        word = shown.word or (untold if shown.part == "quiet" else "well")
        wait = waits(account, now)
        yield Content.assemble(
            (f"{shown.sign} ", f"$job-{shown.part}"),
            (f"{account.name:<12} ", "bold"),
            (f"{fit_to_width(account.title, room)}   ", "$job-quiet"),
            (f"{word}{f', waits {wait}' if wait else ''}", f"$job-{shown.part}"),
        )
        yield Content.styled(f"  {'   '.join(_facts(account))}", "$job-quiet")
        if account.message:
            yield Content(f"  {hung(account.message, DIALOG, 2)}")
        if ending(account, now):
            yield Content.styled(f"  the service says: {ending(account, now)}", "$job-warning")
        if account.skew is not None and abs(account.skew) > SKEW:
            side = "ahead of" if account.skew > 0 else "behind"
            yield Content.styled(f"  its clock is {abs(account.skew):.0f} s {side} ours", "$job-warning")

    def action_resume(self) -> None:
        """Has the account under the cursor tried again."""
        at = self.query_one(Choices).highlighted
        if at is not None:
            self._resume(list(self._board.accounts)[at])


def _facts(account: AccountState) -> Iterator[str]:
    yield f"asked {account.asks} time{'s' * (account.asks != 1)}"
    if account.faults:
        yield f"{account.faults} fault{'s' * (account.faults != 1)}"
    if account.latency is not None:
        yield f"{account.latency * 1000:.0f} ms"
    if account.quota is not None:
        yield f"quota {account.quota[0]} of {account.quota[1]}"
    if account.per_minute is not None:
        yield f"at most {account.per_minute:.3g} a minute"
