"""Option list of a dialog, with the table's keys."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import OptionList

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
