"""Add dialog: paste ids or links, check the parsed candidates, accept."""

import re
from collections.abc import Callable, Collection, Sequence
from typing import ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList, Select, Static, TextArea
from textual.widgets.option_list import Option

from tui.dashboard.dialogs.dialog import Dialog
from tui.dashboard.widgets.vim_option_list import VimOptionList
from tui.domain.job_ids import Candidate, CandidateStatus, parse_pasted
from tui.domain.models import Job, Ref
from tui.engine.api import AccountState
from tui.presentation.cell_width import fit_to_width

AUTO_DETECT = ""
"""Value of the account's Select that detects the account by the ids' patterns."""
MAX_NUMBERED = 9
"""Accounts that a digit selects for a line."""
PLACEHOLDER = "7544c0b52ada44fda693a15b1181b5b4-fr\nhttps://service.example/jobs/1234\naccount:id"
"""Shown in the empty text area."""

_STATUS_COLOURS = {
    CandidateStatus.NEW: "$job-done",
    CandidateStatus.LISTED: "$job-quiet",
    CandidateStatus.DUPLICATE: "$job-quiet",
    CandidateStatus.AMBIGUOUS: "$job-warning",
    CandidateStatus.INVALID: "$job-failed",
}
_REASON_SEPARATORS = {CandidateStatus.AMBIGUOUS: ": ", CandidateStatus.INVALID: "\n  "}


class PasteArea(TextArea):
    """Text area that accepts on Enter in an empty line, and just after a paste.

    A paste without bracketed paste is typed text: its line ends accept nothing.
    """

    class Submitted(Message):
        """Enter was pressed in an empty line, or just after a paste."""

    is_pasted = False
    """Nothing was typed since the last paste."""

    async def _on_key(self, event: events.Key) -> None:
        row, _ = self.cursor_location
        is_end = self.is_pasted or not self.document.get_line(row).strip()
        if event.key == "enter" and is_end and self.text.strip():
            event.stop()
            event.prevent_default()
            self.post_message(self.Submitted())
        elif event.key == "tab":
            event.stop()
            event.prevent_default()
            self.screen.focus_next()
        else:
            self.is_pasted = False
            await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()  # Textual calls the handler of each class
        await super()._on_paste(event)
        self.is_pasted = self.cursor_location == self.document.end


class AddScreen(Dialog[tuple[Job, ...]]):
    """Dialog that returns the jobs to add, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", show=False),
        Binding("ctrl+s", "accept", show=False),
        Binding("ctrl+l", "show_lists", show=False, priority=True),
        *(Binding(str(number), f"select_account({number})", show=False) for number in range(1, MAX_NUMBERED + 1)),
    ]

    def __init__(
        self,
        accounts: Sequence[AccountState],
        refs: Collection[Ref],
        now: Callable[[], float],
        show_lists: Callable[[], None],
    ) -> None:
        """`show_lists` opens the page of the jobs that the services list, in place of this one."""
        super().__init__()
        self._show_lists = show_lists
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
            dialog.border_subtitle = Content("paste ids or links, one per line · ^l: jobs on the services' lists")
            yield PasteArea(id="paste", soft_wrap=False, tab_behavior="focus", placeholder=Content(PLACEHOLDER))
            yield VimOptionList(id="candidates", compact=True)
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

    @property
    def _list(self) -> VimOptionList:
        return self.query_one("#candidates", VimOptionList)

    @on(TextArea.Changed)
    @on(Select.Changed)
    def _parse(self) -> None:
        selected = cast("Select[str]", self.query_one("#account", Select)).value
        account = selected if isinstance(selected, str) else AUTO_DETECT
        lines = self.query_one(PasteArea).document.lines
        self._candidates = parse_pasted(lines, self._id_patterns, self._refs, account, self._slashed)
        highlighted = self._list.highlighted
        self._list.clear_options()
        self._list.add_options(Option(self._candidate_content(each)) for each in self._candidates)
        self._list.can_focus = bool(self._ambiguous)
        if self._candidates and highlighted is not None:
            self._list.highlighted = min(highlighted, len(self._candidates) - 1)
        self._show_hint()

    @on(events.DescendantFocus)
    def _show_hint(self) -> None:
        """Show what Enter does now, and while a line is selected, its accounts."""
        count, ambiguous = len(self._new_candidates), len(self._ambiguous)
        if self._list.has_focus:
            accounts = " ".join(f"{number} {each.name}" for number, each in enumerate(self._accounts[:MAX_NUMBERED], 1))
            left_out = f", leave out {ambiguous}" if ambiguous else ""
            hint = f"{accounts} · Enter: add {count}{left_out}"
        elif ambiguous:
            hint = f"Enter{self._on_empty_line}: select accounts"
        elif count:
            hint = f"Enter{self._on_empty_line}: add {count}"
        else:
            hint = "Nothing to add yet"
        self.query_one("#accept-hint", Static).update(f"{hint} · Tab: next field · Esc: cancel")

    @property
    def _on_empty_line(self) -> str:
        return "" if self.query_one(PasteArea).is_pasted else " on an empty line"

    def _candidate_content(self, candidate: Candidate) -> Content:
        """Return id, account and status; the reason of an invalid id in a line of its own."""
        id_width = max(20, self._list.size.width - 42)
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

    @property
    def _ambiguous(self) -> list[int]:
        """Positions of the candidates without an account."""
        return [at for at, each in enumerate(self._candidates) if each.status is CandidateStatus.AMBIGUOUS]

    def action_show_lists(self) -> None:
        """Open the second page: the jobs on the services' lists."""
        self.dismiss()
        self._show_lists()

    def action_select_account(self, number: int) -> None:
        """Write the account of this number before the id of the selected line, and go to the next ambiguous one."""
        at = self._list.highlighted
        if not self._list.has_focus or at is None or number > len(self._accounts):
            return
        area = self.query_one(PasteArea)
        row = [row for row, line in enumerate(area.document.lines) if line.strip()][at]
        line = f"{self._accounts[number - 1].name}:{self._candidates[at].id}"
        area.replace(line, (row, 0), (row, len(area.document.get_line(row))))
        self._parse()
        self._list.can_focus = True  # other lines can be changed, too
        self._list.highlighted = next(iter(self._ambiguous), at)

    @on(PasteArea.Submitted)
    def _area_submitted(self) -> None:
        """Select the accounts of ambiguous lines first, if there are any."""
        if self._ambiguous and self._accounts:
            self._list.highlighted = self._ambiguous[0]
            self._list.focus()
        else:
            self.action_accept()

    @on(OptionList.OptionSelected)
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
