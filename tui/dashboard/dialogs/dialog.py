"""Bases of the dialogs: a screen that closes once, however many keys come at once; with a list; with a text."""

from typing import ClassVar, TypeVar

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import OptionList

T = TypeVar("T")

REFRESH_INTERVAL = 1.0
"""Seconds between two updates of an open dialog that follows the engine."""


class Dialog(ModalScreen[T]):
    """Modal screen that ignores keys after the one that closed it. Textual would close the screen below."""

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Close the dialog with a result, if it is open."""
        return super().dismiss(result) if self.is_active else AwaitComplete()


class ListDialog(Dialog[T]):
    """Dialog with a list, which scrolls so that the keys below it stay visible."""

    OTHER_LINES = 4
    """Lines of border, keys and the blank above them."""

    def on_resize(self) -> None:
        """Fit the list to the terminal."""
        self.query_one(OptionList).styles.max_height = max(1, self.size.height - self.OTHER_LINES)


class TextDialog(Dialog[None]):
    """Dialog with a text in a VerticalScroll, which the table's keys scroll."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
    ]

    def action_scroll(self, lines: int) -> None:
        """Scroll by so many lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
