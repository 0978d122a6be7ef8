"""Base of the dialogs: a screen that closes once, however many keys come at once."""

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen
from textual.widgets import OptionList

T = TypeVar("T")


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
