"""The dialog that adds jobs: paste ids or links, see what was understood, accept."""

import re
from collections.abc import Callable, Collection, Sequence
from typing import ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Select, Static, TextArea

from tui.domain.job_ids import Candidate, CandidateStatus, parse_pasted
from tui.domain.models import Job, Ref
from tui.engine.api import AccountState
from tui.presentation.cell_width import fit_to_width

AUTO_DETECT = ""
"""The choice of account that leaves it to the ids' shapes."""

_STATUS_COLOURS = {
    CandidateStatus.NEW: "$job-done",
    CandidateStatus.LISTED: "$job-quiet",
    CandidateStatus.DUPLICATE: "$job-quiet",
    CandidateStatus.AMBIGUOUS: "$job-warning",
    CandidateStatus.INVALID: "$job-failed",
}


class PasteArea(TextArea):
    """Many lines. Enter on an empty one accepts, so that a paste without brackets cannot run away."""

    class Submitted(Message):
        """Enter on an empty line."""

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


class AddScreen(ModalScreen[tuple[Job, ...] | None]):
    """Gives the jobs to add, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", show=False),
        Binding("ctrl+s", "accept", show=False),
    ]

    def __init__(self, accounts: Sequence[AccountState], refs: Collection[Ref], now: Callable[[], float]) -> None:
        super().__init__()
        self._accounts = accounts
        self._hints = {account.name: [re.compile(hint) for hint in account.id_patterns] for account in accounts}
        self._refs = refs
        self._now = now
        self._candidates: tuple[Candidate, ...] = ()

    def compose(self) -> ComposeResult:
        """What is pasted, what is understood of it, and what all of it gets."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Add jobs")
            dialog.border_subtitle = Content("paste ids or links, one a line")
            yield PasteArea(id="paste", soft_wrap=False, tab_behavior="focus")
            with VerticalScroll(id="parsed", can_focus=False):
                yield Static(id="candidates", markup=False)
            with Horizontal(classes="fields"):
                yield Select(
                    [("by shape", AUTO_DETECT), *((account.name, account.name) for account in self._accounts)],
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
        """Nothing is understood of nothing."""
        self.query_one(PasteArea).cursor_blink = False
        for field in self.query(Input):
            field.cursor_blink = False
        self._parse()

    @on(TextArea.Changed)
    @on(Select.Changed)
    def _parse(self) -> None:
        account = cast("Select[str]", self.query_one("#account", Select)).value
        lines = self.query_one(PasteArea).text.splitlines()
        whose = account if isinstance(account, str) else AUTO_DETECT
        self._candidates = parse_pasted(lines, self._hints, self._refs, whose)
        self.query_one("#candidates", Static).update(Content("\n").join(map(self._candidate_content, self._candidates)))
        count = len(self._new_candidates)
        ready = f"Enter on an empty line adds {count}" if count else "nothing to add yet"
        self.query_one("#accept-hint", Static).update(f"{ready}   Tab to the fields   Esc leaves")

    def _candidate_content(self, candidate: Candidate) -> Content:
        """The id, whose it is, and what becomes of it; why an id is refused stands below it."""
        refused = candidate.status is CandidateStatus.INVALID
        room = max(20, self.query_one("#parsed").size.width - 42)
        reason = f"\n  {candidate.reason}" if refused else f", {candidate.reason}" if candidate.reason else ""
        return Content.assemble(
            fit_to_width(candidate.id, room),
            (f"  {fit_to_width(candidate.account, 10)}", "$job-quiet"),
            (f"  {candidate.status}{reason}", _STATUS_COLOURS[candidate.status]),
        )

    @property
    def _new_candidates(self) -> list[Candidate]:
        return [candidate for candidate in self._candidates if candidate.status is CandidateStatus.NEW]

    @on(PasteArea.Submitted)
    @on(Input.Submitted)
    def action_accept(self) -> None:
        """Gives what is new; unclear and refused lines stay to be mended if nothing is."""
        if not self._new_candidates:
            self.notify("nothing to add: choose an account for what is unclear", severity="warning", markup=False)
            return
        label, note = (self.query_one(f"#{field}", Input).value.strip() for field in ("label", "note"))
        tags = tuple(self.query_one("#tags", Input).value.replace(",", " ").split())
        self.dismiss(
            tuple(
                Job(account=each.account, id=each.id, label=label, tags=tags, note=note, added=self._now())
                for each in self._new_candidates
            )
        )
