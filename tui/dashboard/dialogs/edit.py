"""The dialog that edits what the operator says of a job."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Checkbox, Input, Label, Static

from tui.domain.models import Job
from tui.storage.watchlist.file import Set

_OPTIONS = {
    "keep_link": "renew its link before it dies",
    "download": "fetch the result when it is there",
    "muted": "no bell, toast or hook",
    "archived": "in the archive",
}


class EditScreen(ModalScreen[Set | None]):
    """Gives the change, or None where nothing was changed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", show=False),
        Binding("ctrl+s", "accept", show=False),
    ]

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def compose(self) -> ComposeResult:
        """A line for each thing that can be said."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(f"Edit {self._job.ref}")
            for field, value in self._text_fields().items():
                with Horizontal(classes="field"):
                    yield Label(field, markup=False)
                    yield Input(value, id=field, compact=True)
            for option, meaning in _OPTIONS.items():
                yield Checkbox(Content(meaning), bool(getattr(self._job, option)), id=option, compact=True)
            yield Static(
                "Enter saves   Tab to the next   Space turns an option   Esc leaves", classes="keys", markup=False
            )

    def on_mount(self) -> None:
        """A cursor that blinks would repaint for ever."""
        for field in self.query(Input):
            field.cursor_blink = False

    def _text_fields(self) -> dict[str, str]:
        return {"label": self._job.label, "tags": " ".join(self._job.tags), "note": self._job.note}

    @on(Input.Submitted)
    def action_accept(self) -> None:
        """Gives what is another than before."""
        said: dict[str, object] = {
            field: self.query_one(f"#{field}", Input).value.strip() for field in self._text_fields()
        }
        said["tags"] = tuple(str(said["tags"]).replace(",", " ").split())
        said |= {option: self.query_one(f"#{option}", Checkbox).value for option in _OPTIONS}
        changes = {key: value for key, value in said.items() if value != getattr(self._job, key)}
        self.dismiss(Set((self._job.ref,), changes) if changes else None)
