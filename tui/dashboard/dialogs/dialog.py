"""Base of the dialogs: a screen that closes once, however many keys come at once."""

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

T = TypeVar("T")


class Dialog(ModalScreen[T]):
    """Modal screen that ignores keys after the one that closed it. Textual would close the screen below."""

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Close the dialog with a result, if it is open."""
        return super().dismiss(result) if self.is_active else AwaitComplete()
