"""Dialog of all views: the built-in ones and those of config.toml, with key, count and what they show."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.commands import Command
from tui.dashboard.board_model import BoardModel
from tui.dashboard.dialogs.dialog import ListDialog
from tui.dashboard.widgets.bars import MAX_NUMBERED_VIEWS
from tui.dashboard.widgets.vim_option_list import VimOptionList
from tui.presentation.cell_width import fit_to_width
from tui.presentation.queries import View
from tui.presentation.sanitize import clean

_NAME_WIDTH, _TEXT_WIDTH = 20, 40
"""Cells."""


class ViewsScreen(ListDialog[str]):
    """Dialog that returns the selected view, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,v", "dismiss", show=False)]

    def __init__(self, board: BoardModel, commands: Sequence[Command]) -> None:
        super().__init__()
        self._board = board
        self._helps = {f"view_{view}": "" for view in View} | {command.id: command.help for command in commands}

    def compose(self) -> ComposeResult:
        """Yield one line per view."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Views")
            options = (
                Option(self._option_content(number, view)) for number, view in enumerate(self._board.all_views, 1)
            )
            yield VimOptionList(*options, compact=True)
            hint = "Enter: show · Esc: cancel"
            yield Static(
                hint if self._board.saved_views else f"{hint} · [[view]] in config.toml adds views",
                classes="keys",
                markup=False,
            )

    def on_mount(self) -> None:
        """Highlight the present view."""
        self.query_one(VimOptionList).highlighted = self._board.all_views.index(self._board.view)

    def _option_content(self, number: int, view: str) -> Content:
        is_built_in = isinstance(view, View)
        name = view.capitalize() if is_built_in else view
        text = self._helps[f"view_{view}"] if is_built_in else clean(self._board.saved_views[view].filter) or "all jobs"
        ellipsis = "~" if self._board.ascii_only else "…"
        return Content.assemble(
            (f"{number if number <= MAX_NUMBERED_VIEWS else '':>1}  ", "$accent"),
            fit_to_width(name, _NAME_WIDTH, ellipsis=ellipsis),
            f"{self._board.view_counts()[view]:>6}  ",
            (fit_to_width(text, _TEXT_WIDTH, ellipsis=ellipsis), "$job-quiet"),
        )

    @on(OptionList.OptionSelected)
    def _option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._board.all_views[event.option_index])
