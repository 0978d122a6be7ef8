"""Confirmation dialogs: of a command, and of marked jobs that the table does not show."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.dashboard.dialogs.dialog import Dialog
from tui.domain.models import Ref
from tui.presentation import formatting


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
        self._keys = (("Enter", action), ("Esc", dismissal))

    def compose(self) -> ComposeResult:
        """Yield the question and the keys."""
        yield from _question_box(self._title, self._question, self._keys)

    def action_answer(self, answer: bool) -> None:
        """Close the dialog with the answer."""
        self.dismiss(answer)


class QuitScreen(ConfirmScreen, inherit_bindings=False):
    """Question before the program ends, which the keys that opened it confirm, too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y,q,ctrl+c", "answer(True)", show=False),
        Binding("escape,n", "answer(False)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__("Quit", "Quit? Your jobs keep running.", "quit", "stay")


class SelectionScreen(Dialog[tuple[Ref, ...]]):
    """Dialog for a command on marked jobs, some of which are not shown. Returns the jobs; none for Esc."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "select_all", show=False),
        Binding("s", "select_shown", show=False),
        Binding("escape,q,n", "select_none", show=False),
    ]

    def __init__(self, action: str, refs: Sequence[Ref], shown: Sequence[Ref]) -> None:
        """`shown`: those of the jobs that the table shows."""
        super().__init__()
        self._action = action
        self._refs = tuple(refs)
        self._shown = tuple(shown)

    def compose(self) -> ComposeResult:
        """Yield the question and the keys."""
        count, hidden = len(self._refs), len(self._refs) - len(self._shown)
        keys = [("Enter", f"{self._action.lower()} {'all ' if count > 1 else ''}{count}")]
        keys += [("s", f"only the {len(self._shown)} shown")] if self._shown else []
        question = f"{self._action} {formatting.count_of(count, 'job')}, {hidden} not shown?"
        yield from _question_box(self._action, question, (*keys, ("Esc", "cancel")))

    def action_select_all(self) -> None:
        """Return all marked jobs."""
        self.dismiss(self._refs)

    def action_select_shown(self) -> None:
        """Return the marked jobs that are shown, if there are any."""
        if self._shown:
            self.dismiss(self._shown)

    def action_select_none(self) -> None:
        """Return no job."""
        self.dismiss(())


def _question_box(title: str, question: str, keys: Sequence[tuple[str, str]]) -> ComposeResult:
    """Yield a question, and what each key does."""
    with Vertical(classes="dialog") as dialog:
        dialog.border_title = Content(title)
        yield Static(question, markup=False)
        parts = [Content.assemble((key, "$accent"), f": {action}") for key, action in keys]
        yield Static(Content(" · ").join(parts), classes="keys", markup=False)
