"""Add dialog: paste ids or links, check the parsed candidates, accept."""

import re
from collections.abc import Callable, Collection, Sequence
from typing import ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Select, Static, TextArea

from tui.dashboard.dialogs.dialog import Dialog
from tui.domain.job_ids import Candidate, CandidateStatus, parse_pasted
from tui.domain.models import Job, Ref
from tui.engine.api import AccountState
from tui.presentation.cell_width import fit_to_width

AUTO_DETECT = ""
"""Value of the account's Select that detects the account by the ids' patterns."""

_STATUS_COLOURS = {
    CandidateStatus.NEW: "$job-done",
    CandidateStatus.LISTED: "$job-quiet",
    CandidateStatus.DUPLICATE: "$job-quiet",
    CandidateStatus.AMBIGUOUS: "$job-warning",
    CandidateStatus.INVALID: "$job-failed",
}
_REASON_SEPARATORS = {CandidateStatus.AMBIGUOUS: ": ", CandidateStatus.INVALID: "\n  "}


class PasteArea(TextArea):
    """Text area that accepts on Enter in an empty line, so that a paste without bracketed paste accepts nothing."""

    class Submitted(Message):
        """Enter was pressed in an empty line."""

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter" and not self.document.get_line(self.cursor_location[0]).strip() and self.text.strip():
            event.stop()
            event.prevent_default()
            self.post_message(self.Submitted())
        elif event.key == "tab":
            event.stop()
            event.prevent_default()
            self.screen.focus_next()
        else:
            await super()._on_key(event)


class AddScreen(Dialog[tuple[Job, ...] | None]):
    """Dialog that returns the jobs to add, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", show=False),
        Binding("ctrl+s", "accept", show=False),
    ]

    def __init__(self, accounts: Sequence[AccountState], refs: Collection[Ref], now: Callable[[], float]) -> None:
        super().__init__()
        self._accounts = accounts
        self._id_patterns = {
            account.name: [re.compile(pattern) for pattern in account.id_patterns] for account in accounts
        }
        self._slashed = {account.name for account in accounts if account.has_slashes}
        self._refs = refs
        self._now = now
        self._candidates: tuple[Candidate, ...] = ()

    def compose(self) -> ComposeResult:
        """Yield the text area, the candidates, and the fields for all of them."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Add jobs")
            dialog.border_subtitle = Content("paste ids or links, one per line")
            yield PasteArea(id="paste", soft_wrap=False, tab_behavior="focus")
            with VerticalScroll(id="parsed", can_focus=False):
                yield Static(id="candidates", markup=False)
            with Horizontal(classes="fields"):
                yield Select(
                    [("auto-detect", AUTO_DETECT), *((account.name, account.name) for account in self._accounts)],
                    value=AUTO_DETECT,
                    allow_blank=False,
                    id="account",
                    compact=True,
                )
                yield Input(placeholder="label", id="label", compact=True)
                yield Input(placeholder="tags", id="tags", compact=True)
                yield Input(placeholder="note", id="note", compact=True)
            yield Static(id="accept-hint", markup=False)

    def on_mount(self) -> None:
        """Show the hint; a blinking cursor would repaint forever."""
        self.query_one(PasteArea).cursor_blink = False
        for field in self.query(Input):
            field.cursor_blink = False
        self._parse()

    @on(TextArea.Changed)
    @on(Select.Changed)
    def _parse(self) -> None:
        selected = cast("Select[str]", self.query_one("#account", Select)).value
        account = selected if isinstance(selected, str) else AUTO_DETECT
        lines = self.query_one(PasteArea).text.splitlines()
        self._candidates = parse_pasted(lines, self._id_patterns, self._refs, account, self._slashed)
        self.query_one("#candidates", Static).update(Content("\n").join(map(self._candidate_content, self._candidates)))
        count = len(self._new_candidates)
        accept = f"Enter on an empty line: add {count}" if count else "Nothing to add yet"
        self.query_one("#accept-hint", Static).update(f"{accept} · Tab: next field · Esc: cancel")

    def _candidate_content(self, candidate: Candidate) -> Content:
        """Return id, account and status; the reason of an invalid id in a line of its own."""
        id_width = max(20, self.query_one("#parsed").size.width - 42)
        status = str(candidate.status)
        if candidate.reason:
            status += f"{_REASON_SEPARATORS.get(candidate.status, ', ')}{candidate.reason}"
        return Content.assemble(
            fit_to_width(candidate.id, id_width),
            (f"  {fit_to_width(candidate.account, 10)}", "$job-quiet"),
            (f"  {status}", _STATUS_COLOURS[candidate.status]),
        )

    @property
    def _new_candidates(self) -> list[Candidate]:
        return [candidate for candidate in self._candidates if candidate.status is CandidateStatus.NEW]

    @on(PasteArea.Submitted)
    @on(Input.Submitted)
    def action_accept(self) -> None:
        """Return the new jobs. With none, stay open for corrections."""
        if not self._new_candidates:
            self.notify("Nothing to add. Select an account for ambiguous ids", severity="warning", markup=False)
            return
        label, note = (self.query_one(f"#{field}", Input).value.strip() for field in ("label", "note"))
        tags = tuple(self.query_one("#tags", Input).value.replace(",", " ").split())
        self.dismiss(
            tuple(
                Job(account=each.account, id=each.id, label=label, tags=tags, note=note, added=self._now())
                for each in self._new_candidates
            )
        )
