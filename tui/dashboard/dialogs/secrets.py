"""Dialog for the secrets of jobs that are about to be added: one at a time, without echo."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from tui.dashboard.dialogs.dialog import Dialog
from tui.domain.models import Job, Ref
from tui.storage.config.job_secrets import parse_secret
from tui.storage.config.secrets import Secret, SecretError, SecretSource
from tui.storage.watchlist.operations import Add


def missing_secrets(jobs: Sequence[Job], names: Mapping[str, Sequence[str]]) -> list[tuple[Ref, str]]:
    """Return each job and the name of a secret that it needs. `names`: of the secrets, by account."""
    return [(job.ref, name) for job in jobs for name in names.get(job.account, ())]


class SecretsScreen(Dialog[Add]):
    """Dialog that returns the jobs with the secrets that were typed, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", show=False)]

    def __init__(self, jobs: tuple[Job, ...], missing: Sequence[tuple[Ref, str]]) -> None:
        """`missing`: jobs and the names of their secrets, at least one."""
        super().__init__()
        self._jobs, self._missing = jobs, missing
        self._typed: dict[Ref, dict[str, Secret | SecretSource]] = {}
        self._at = 0

    def compose(self) -> ComposeResult:
        """Yield the job, the field, and the keys."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Secrets of the jobs")
            yield Static(id="secret-of", markup=False)
            yield Input(password=True, id="secret", compact=True)
            yield Static(id="secret-hint", classes="keys", markup=False)

    def on_mount(self) -> None:
        """Show the first job; a blinking cursor would repaint forever."""
        self.query_one(Input).cursor_blink = False
        self._show()

    def _show(self) -> None:
        ref, name = self._missing[self._at]
        self.query_one(Vertical).border_subtitle = Content(f"{self._at + 1} of {len(self._missing)}")
        self.query_one("#secret-of", Static).update(f"{name} of {ref}")
        self._show_hint()

    @on(Input.Changed)
    def _show_hint(self) -> None:
        action = "next" if self._at + 1 < len(self._missing) else "add"
        without = "" if self.query_one(Input).value else " without it"
        self.query_one("#secret-hint", Static).update(f"Enter: {action}{without} · Esc: cancel")

    @on(Input.Submitted)
    def _accept(self, event: Input.Submitted) -> None:
        """Take the secret, and go to the next one. Without it, the job's detail says that it is missing."""
        ref, name = self._missing[self._at]
        text = event.value.strip()
        if text:
            try:
                self._typed.setdefault(ref, {})[name] = parse_secret(name, text)
            except SecretError as error:
                self.notify(str(error), severity="warning", markup=False)
                return
        self.query_one(Input).value = ""
        self._at += 1
        if self._at == len(self._missing):
            self.dismiss(Add(self._jobs, self._typed))
        else:
            self._show()
