"""The keys, made from the table of commands."""

from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.commands import Command, key_label
from tui.dashboard.widgets.detail_pages import DIALOG_WIDTH, wrap_hanging

KEYS_WIDTH = 12
"""Cells of the keys."""


class HelpScreen(ModalScreen[None]):
    """Every command with its keys, by group."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "dismiss", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, commands: tuple[Command, ...]) -> None:
        super().__init__()
        self._commands = commands

    def compose(self) -> ComposeResult:
        """One line a command."""
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = Content("Keys")
            dialog.border_subtitle = Content("Esc closes")
            yield Static(Content("\n").join(self._lines()), markup=False)

    def _lines(self) -> list[Content]:
        lines: list[Content] = []
        for group, members in groupby(sorted(self._commands, key=lambda each: each.group), lambda each: each.group):
            lines += [Content(""), Content.styled(group, "bold")] if lines else [Content.styled(group, "bold")]
            for command in members:
                keys = " ".join(key_label(key) for key in command.keys)
                said = wrap_hanging(command.help, DIALOG_WIDTH - KEYS_WIDTH, KEYS_WIDTH)
                lines.append(Content.assemble((f"{keys:<{KEYS_WIDTH}}", "$accent"), said))
        return lines

    def action_scroll(self, by: int) -> None:
        """Scrolls the list by so many lines."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
