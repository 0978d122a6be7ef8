"""Confirmation dialog."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.dashboard.dialogs.dialog import Dialog


class ConfirmScreen(Dialog[bool]):
    """Dialog that returns True for Enter, False for Esc."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "answer(True)", show=False),
        Binding("escape,q,n", "answer(False)", show=False),
    ]

    def __init__(self, title: str, question: str, action: str, dismissal: str = "cancel") -> None:
        """Create the dialog. `action` and `dismissal`: what Enter and Esc do, in two or three words."""
        super().__init__()
        self._title = title
        self._question = question
        self._action = action
        self._dismissal = dismissal

    def compose(self) -> ComposeResult:
        """Yield the question and the two keys."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(self._title)
            yield Static(self._question, markup=False)
            keys = (("Enter", "$accent"), f": {self._action} · ", ("Esc", "$accent"), f": {self._dismissal}")
            yield Static(Content.assemble(*keys), classes="keys", markup=False)

    def action_answer(self, answer: bool) -> None:
        """Close the dialog with the answer."""
        self.dismiss(answer)
