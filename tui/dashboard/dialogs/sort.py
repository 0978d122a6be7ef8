"""Dialog that selects the sort order of the table."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.dashboard.dialogs.dialog import ListDialog
from tui.dashboard.widgets.vim_option_list import VimOptionList
from tui.presentation.queries import SORTS


class SortScreen(ListDialog[str]):
    """Dialog that returns the selected sort, or None. The caller reverses the order if it is the present sort."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,s", "dismiss", show=False)]

    def __init__(self, sort: str, *, descending: bool) -> None:
        super().__init__()
        self._sort = sort
        self._descending = descending

    def compose(self) -> ComposeResult:
        """Yield one line per sort."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Sort by")
            yield VimOptionList(*(Option(self._option_content(sort), sort) for sort in SORTS), compact=True)
            yield Static("Enter: sort, again: reverse · Esc: cancel", classes="keys", markup=False)

    def on_mount(self) -> None:
        """Highlight the present sort."""
        sorts = list(SORTS)
        self.query_one(VimOptionList).highlighted = sorts.index(self._sort) if self._sort in sorts else 0

    def _option_content(self, sort: str) -> Content:
        present = ("  current, reversed" if self._descending else "  current") if sort == self._sort else ""
        return Content.assemble(f"{sort:<11}", (SORTS[sort].description, "$job-quiet"), (present, "$accent"))

    @on(OptionList.OptionSelected)
    def _option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(list(SORTS)[event.option_index])
