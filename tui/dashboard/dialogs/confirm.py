"""The question before something dear is done."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static


class ConfirmScreen(ModalScreen[bool]):
    """Gives True for Enter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "answer(True)", show=False),
        Binding("escape,q,n", "answer(False)", show=False),
    ]

    def __init__(self, question: str, action: str) -> None:
        """`does`: what Enter does, in two or three words."""
        super().__init__()
        self._question = question
        self._action = action

    def compose(self) -> ComposeResult:
        """What it costs, and the two keys."""
        with Vertical(classes="dialog"):
            yield Static(self._question, markup=False)
            yield Static(
                Content.assemble(("Enter", "$accent"), f" {self._action}   ", ("Esc", "$accent"), " leaves it"),
                classes="keys",
                markup=False,
            )

    def action_answer(self, answer: bool) -> None:
        """Gives the answer."""
        self.dismiss(answer)
