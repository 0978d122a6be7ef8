"""Edit dialog: label, tags, note and options of a job."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Checkbox, Input, Label, Static

from tui.dashboard.dialogs.dialog import Dialog
from tui.domain.models import Job
from tui.storage.watchlist.operations import Set

_OPTIONS = {
    "keep_link": "renew the link before it expires",
    "download": "download automatically when done",
    "muted": "no alerts and hooks",
    "archived": "archived",
}
"""Options of a job, and the text of each checkbox."""


class EditScreen(Dialog[Set | None]):
    """Dialog that returns the change, or None if there is none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", show=False),
        Binding("ctrl+s", "accept", show=False),
    ]

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def compose(self) -> ComposeResult:
        """Yield one line per field and option."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(f"Edit {self._job.ref}")
            for field, value in self._text_fields().items():
                with Horizontal(classes="field"):
                    yield Label(field, markup=False)
                    yield Input(value, id=field, compact=True)
            for option, text in _OPTIONS.items():
                yield Checkbox(Content(text), bool(getattr(self._job, option)), id=option, compact=True)
            keys = "Enter: save · Tab: next field · Space: toggle · Esc: cancel"
            yield Static(keys, classes="keys", markup=False)

    def on_mount(self) -> None:
        """Stop the blinking cursors: each would repaint forever."""
        for field in self.query(Input):
            field.cursor_blink = False

    def _text_fields(self) -> dict[str, str]:
        return {"label": self._job.label, "tags": " ".join(self._job.tags), "note": self._job.note}

    @on(Input.Submitted)
    def action_accept(self) -> None:
        """Return the values that differ from the job's."""
        values: dict[str, object] = {
            field: self.query_one(f"#{field}", Input).value.strip() for field in self._text_fields()
        }
        values["tags"] = tuple(str(values["tags"]).replace(",", " ").split())
        values |= {option: self.query_one(f"#{option}", Checkbox).value for option in _OPTIONS}
        changes = {key: value for key, value in values.items() if value != getattr(self._job, key)}
        self.dismiss(Set((self._job.ref,), changes) if changes else None)
