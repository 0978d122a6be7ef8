"""Option list of a dialog, with the table's keys."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

UNLAID_LIST = KeyError
"""Raised by Textual when a list without lines, on a tiny terminal, is paged."""


class VimOptionList(OptionList):
    """OptionList with the table's keys. Its options are Content, never markup."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("g", "first", show=False),
        Binding("G", "last", show=False),
    ]

    def show_lines(self, lines: Sequence[Content], if_empty: str = "") -> None:
        """Show one option per line, the cursor in the same line as before. `if_empty`: text if there is none.

        Lines of the same text and colours stay as they are.
        """
        shown = [option.prompt for option in self.options]
        if shown and len(shown) == len(lines):
            pairs = zip(lines, shown, strict=True)
            if all(isinstance(prompt, Content) and line.is_same(prompt) for line, prompt in pairs):
                return
        cursor = self.highlighted or 0
        self.set_options(Option(line) for line in lines)
        if lines:
            self.highlighted = min(cursor, len(lines) - 1)
        elif if_empty:
            self.add_option(Option(Content.styled(if_empty, "$job-quiet"), disabled=True))
