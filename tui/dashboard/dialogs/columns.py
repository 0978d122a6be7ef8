"""Dialog that selects and orders the columns of the table."""

from collections.abc import Sequence
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
from tui.presentation.table_layout import COLUMN_TYPES, DEFAULT_COLUMNS


class ColumnsScreen(ListDialog[tuple[str, ...]]):
    """Dialog that returns the selected columns in their order, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,c", "dismiss", show=False),
        Binding("space", "toggle_column", show=False),
        Binding("K,shift+up,left_square_bracket", "move(-1)", show=False),
        Binding("J,shift+down,right_square_bracket", "move(1)", show=False),
        Binding("r", "reset", show=False),
    ]

    def __init__(self, chosen: Sequence[str]) -> None:
        super().__init__()
        self._choose(chosen)

    def _choose(self, columns: Sequence[str]) -> None:
        """Select these columns, and order the others after them."""
        self._chosen = set(columns)
        self._order = [*columns, *(column for column in COLUMN_TYPES if column not in columns)]

    def compose(self) -> ComposeResult:
        """Yield one line per column."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Columns")
            dialog.border_subtitle = Content("as many as fit are shown")
            yield VimOptionList(*map(self._option, self._order), compact=True)
            keys = "Space: toggle · J K: move · r: default · Enter: apply · Esc: cancel"
            yield Static(keys, classes="keys", markup=False)

    def _option(self, column: str) -> Option:
        mark = ("[x] ", "$job-done") if column in self._chosen else ("[ ] ", "$job-quiet")
        return Option(Content.assemble(mark, f"{column:<10}", (COLUMN_TYPES[column].meaning, "$job-quiet")))

    def on_mount(self) -> None:
        """Highlight the first column."""
        self.query_one(VimOptionList).highlighted = 0

    def action_toggle_column(self) -> None:
        """Show or hide the column; one stays."""
        row = self.query_one(VimOptionList).highlighted
        if row is not None and self._chosen ^ {self._order[row]}:
            self._chosen ^= {self._order[row]}
            self._show(row)

    def action_move(self, step: int) -> None:
        """Move the column up or down."""
        row = self.query_one(VimOptionList).highlighted
        if row is None or not 0 <= row + step < len(self._order):
            return
        self._order[row], self._order[row + step] = self._order[row + step], self._order[row]
        self._show(row + step)

    def action_reset(self) -> None:
        """Select the default columns, in their order."""
        self._choose(DEFAULT_COLUMNS)
        self._show(0)

    def _show(self, row: int) -> None:
        options = self.query_one(VimOptionList)
        options.set_options(map(self._option, self._order))
        options.highlighted = row

    @on(OptionList.OptionSelected)
    def _option_selected(self) -> None:
        self.dismiss(tuple(column for column in self._order if column in self._chosen))
