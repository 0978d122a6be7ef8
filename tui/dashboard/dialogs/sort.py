"""The dialog that chooses what the table is sorted by."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.dashboard.widgets.vim_option_list import VimOptionList

SORT_DESCRIPTIONS = {
    "": "the watchlist's own order",
    "status": "what runs first, then problems, then what is done",
    "provider": "account",
    "name": "name",
    "lang": "language",
    "progress": "the furthest first",
    "age": "how long it is in its phase, the shortest first",
    "eta": "what will likely end first",
    "next": "what is asked next",
    "link": "the link that dies first",
}
"""Every sort, and what comes first in it."""


class SortScreen(ModalScreen[str | None]):
    """Gives the sort, or None. The one that is chosen already is turned round by whoever asked."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,s", "dismiss", show=False)]

    def __init__(self, sort: str, *, descending: bool) -> None:
        super().__init__()
        self._sort = sort
        self._descending = descending

    def compose(self) -> ComposeResult:
        """One line an order."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Sort by")
            yield VimOptionList(
                *(Option(self._option_content(sort), sort or "none") for sort in SORT_DESCRIPTIONS), compact=True
            )
            yield Static("Enter sorts, once more turns it round   Esc leaves", classes="keys", markup=False)

    def on_mount(self) -> None:
        """Begins at the sort that is."""
        orders: Sequence[str] = list(SORT_DESCRIPTIONS)
        self.query_one(VimOptionList).highlighted = orders.index(self._sort) if self._sort in orders else 0

    def _option_content(self, sort: str) -> Content:
        now = ("  now, turned round" if self._descending else "  now") if sort == self._sort else ""
        return Content.assemble(f"{sort or 'watchlist':<11}", (SORT_DESCRIPTIONS[sort], "$job-quiet"), (now, "$accent"))

    @on(OptionList.OptionSelected)
    def _option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(list(SORT_DESCRIPTIONS)[event.option_index])
