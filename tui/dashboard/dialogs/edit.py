"""Edit dialog: label, tags, note and options of one job or of many."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Label, Static

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
VARIES = "(varies)"
"""Mark of a field or option whose values differ between the jobs."""
EMPTIES = "-"
"""Text that empties a field whose values differ: if left empty, it leaves them as they are."""
_BOXES = {True: "[x]", False: "[ ]", None: "[-]"}


class OptionBox(Widget, can_focus=True):
    """Checkbox that reads `[x]`, `[ ]`, or `[-]` where the jobs differ. Enter is left to the dialog."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "switch", show=False)]
    value: reactive[bool | None] = reactive[bool | None](None, init=False)
    """None: as it is, on or off."""

    def __init__(self, text: str, value: bool | None, *, id: str) -> None:  # noqa: A002  Textual's own name for it
        super().__init__(id=id)
        self._text = text
        self._can_vary = value is None
        self.set_reactive(OptionBox.value, value)

    def render(self) -> Content:
        """Return box and text."""
        remark = (f"  {VARIES}", "$job-quiet") if self.value is None else ""
        return Content.assemble((_BOXES[self.value], "$job-done" if self.value else ""), f" {self._text}", remark)

    def action_switch(self) -> None:
        """Turn the option on or off, and back to how it was where the jobs differ."""
        steps: list[bool | None] = [None, True, False] if self._can_vary else [True, False]
        self.value = steps[(steps.index(self.value) + 1) % len(steps)]

    def on_click(self) -> None:
        """Toggle."""
        self.action_switch()


class EditScreen(Dialog[Set]):
    """Dialog that returns the change, or None if there is none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", show=False),
        Binding("enter,ctrl+s", "accept", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, jobs: Sequence[Job], not_shown: str = "") -> None:
        """`jobs`: at least one. `not_shown`: how many of them the table does not show, for the title."""
        super().__init__()
        self._jobs = tuple(jobs)
        self._not_shown = not_shown

    def compose(self) -> ComposeResult:
        """Yield one line per field and option."""
        count = len(self._jobs)
        with Vertical(classes="dialog") as dialog:
            title = f"{count} jobs{self._not_shown}" if count > 1 else f"{self._jobs[0].ref}{self._not_shown}"
            dialog.border_title = Content(f"Edit {title}")
            for field in ("label", "tags", "note"):
                with Horizontal(classes="field"):
                    yield Label(field, markup=False)
                    value = self._text_of(field)
                    is_whole = field != "tags"
                    placeholder = "" if value is not None else f"{VARIES}  {EMPTIES}: none" if is_whole else VARIES
                    yield Input(value or "", placeholder=placeholder, id=field, compact=True, select_on_focus=is_whole)
                if field == "tags" and self._varying_tags:
                    text = f"not on all: {' '.join(self._varying_tags)} (-tag: remove)"
                    yield Static(text, id="varying-tags", markup=False)
            for option, text in _OPTIONS.items():
                yield OptionBox(text, self._option_of(option), id=option)
            keys = "Enter: save · Tab: next field · Space: toggle · Esc: cancel"
            yield Static(keys, classes="keys", markup=False)

    def on_mount(self) -> None:
        """Stop the blinking cursors: each would repaint forever."""
        for field in self.query(Input):
            field.cursor_blink = False

    @property
    def _common_tags(self) -> tuple[str, ...]:
        """The tags that all jobs have, in the order of the first."""
        return tuple(tag for tag in self._jobs[0].tags if all(tag in job.tags for job in self._jobs))

    @property
    def _varying_tags(self) -> tuple[str, ...]:
        """The tags that some of the jobs have."""
        common = self._common_tags
        return tuple(dict.fromkeys(tag for job in self._jobs for tag in job.tags if tag not in common))

    def _text_of(self, field: str) -> str | None:
        """Return the common value of a text field; None: the jobs differ."""
        if field == "tags":
            text = "".join(f"{tag} " for tag in self._common_tags)  # another tag can be typed after the blank
            return text or (None if self._varying_tags else "")
        values = {str(getattr(job, field)) for job in self._jobs}
        return values.pop() if len(values) == 1 else None

    def _option_of(self, option: str) -> bool | None:
        """Return the common value of an option; None: the jobs differ."""
        values = {bool(getattr(job, option)) for job in self._jobs}
        return values.pop() if len(values) == 1 else None

    @on(Input.Submitted)
    def action_accept(self) -> None:
        """Return the values that differ from the jobs'."""
        refs, changes = tuple(job.ref for job in self._jobs), dict(self._changes())
        added, removed = tuple[str, ...](), tuple[str, ...]()
        text = self.query_one("#tags", Input).value
        if text != (self._text_of("tags") or ""):
            tags = tuple(text.replace(",", " ").split())
            if len(self._jobs) == 1:
                changes["tags"] = tags
            else:
                added, removed = self._tag_changes(tags)
        self.dismiss(Set(refs, changes, added, removed) if changes or added or removed else None)

    def _tag_changes(self, tags: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the tags that every job gets, and those that every job loses."""
        common = self._common_tags
        minus = tuple(tag[1:] for tag in tags if tag.startswith("-") and len(tag) > 1)
        added = tuple(tag for tag in tags if not tag.startswith("-") and tag not in common)
        return added, tuple(dict.fromkeys((*(tag for tag in common if tag not in tags), *minus)))

    def _changes(self) -> Iterator[tuple[str, object]]:
        """Yield the changed fields, except for tags. An empty field whose values differ leaves them as they are."""
        for field in ("label", "note"):
            value, before = self.query_one(f"#{field}", Input).value.strip(), self._text_of(field)
            if before is None and value == EMPTIES:
                yield field, ""
            elif value != (before or "").strip():
                yield field, value
        for option in _OPTIONS:
            is_on = self.query_one(f"#{option}", OptionBox).value
            if is_on is not None and is_on is not self._option_of(option):
                yield option, is_on
