"""Page of the jobs on the services' lists: mark, filter, accept."""

import asyncio
from datetime import tzinfo
from typing import ClassVar

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from tui.dashboard.board_model import BoardModel
from tui.dashboard.dialogs.dialog import ListDialog
from tui.dashboard.widgets.vim_option_list import VimOptionList
from tui.domain.job_state import JobState
from tui.domain.models import Job, Ref
from tui.engine.api import DISCOVERED, Discover, EngineHandle
from tui.presentation import columns, formatting, queries
from tui.presentation.cell_width import fit_to_width
from tui.presentation.filters import grammar

STATUS_WIDTH, ACCOUNT_WIDTH, CREATED_WIDTH = 11, 9, 12
"""Cells of a line's columns; the name takes the rest."""


class ListedJobsScreen(ListDialog[tuple[Job, ...]]):
    """Dialog that returns the jobs to add, or None."""

    OTHER_LINES = ListDialog.OTHER_LINES + 2

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", show=False),
        Binding("space", "mark", show=False),
        Binding("V", "mark_all", show=False),
        Binding("slash", "filter", show=False),
    ]

    def __init__(self, board: BoardModel, engine: EngineHandle, zone: tzinfo) -> None:
        super().__init__()
        self._board = board
        self._engine = engine
        self._zone = zone
        self._found: tuple[JobState, ...] | None = None
        """None until the lists are read."""
        self._shown: list[JobState] = []
        self._marks: set[Ref] = set()
        self._message = "Reading the lists of the services"

    def compose(self) -> ComposeResult:
        """Yield the filter, and one line per job."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Add jobs from the services' lists")
            yield VimOptionList(compact=True)
            yield Input(placeholder="/ filter", id="listed-filter", compact=True)
            yield Static(id="listed-hint", classes="keys", markup=False)

    def on_mount(self) -> None:
        """Request the lists; a blinking cursor would repaint forever."""
        self.query_one(Input).cursor_blink = False
        self.query_one(VimOptionList).focus()
        self._show()
        self.run_worker(self._load(), group="lists")

    async def _load(self) -> None:
        result = await asyncio.wrap_future(self._engine.send(Discover()))
        self._found, self._message = result.found, result.message
        self._show()

    @on(Input.Changed)
    def _show(self) -> None:
        """Show the jobs that match the filter, in the lists' order."""
        wanted = grammar.parse(self.query_one(Input).value).filter
        self._shown = [state for state in self._found or () if wanted.matches(state, self._board.context)]
        self.query_one(VimOptionList).show_lines([self._line(state) for state in self._shown])
        self._show_hint()

    def _show_hint(self) -> None:
        if self._found is None:
            hint = f"{self._message} · Esc: cancel"
        elif not self._found:
            hint = f"{self._message or 'No new jobs'} · Esc: close"
        else:
            count = len(self._marks) or min(1, len(self._shown))
            hint = f"Enter: add {count} · Space: mark · V: mark all · /: filter · Esc: cancel"
            hint += f"\n{self._message}" if self._message else ""
        self.query_one("#listed-hint", Static).update(hint)
        found = len(self._found or ())
        self.query_one(Vertical).border_subtitle = Content(f"{len(self._shown)} of {found}" if found else "")

    def _line(self, state: JobState) -> Content:
        options, created = self._board.render_options, state.job.added
        mark = options.glyphs.marked if state.job.ref in self._marks else " "
        cell = columns.status_cell(state, options)
        at = "" if created is None else formatting.instant(created, self._zone, self._board.now())
        width = max(
            10, (self.query_one(VimOptionList).size.width or 72) - STATUS_WIDTH - ACCOUNT_WIDTH - CREATED_WIDTH - 8
        )
        return Content.assemble(
            (f"{mark} ", "$accent"),
            (fit_to_width(cell.text, STATUS_WIDTH), f"$job-{cell.tone}"),
            (f"  {fit_to_width(state.job.account, ACCOUNT_WIDTH)}", "$job-quiet"),
            f"  {fit_to_width(queries.display_name(state), width)}",
            (f"  {fit_to_width(at, CREATED_WIDTH, align_right=True)}", "$job-quiet"),
        )

    def action_mark(self) -> None:
        """Mark the job under the cursor, or take its mark away, and go to the next."""
        options = self.query_one(VimOptionList)
        if options.highlighted is not None:
            self._marks ^= {self._shown[options.highlighted].job.ref}
            self._show()
            options.action_cursor_down()

    def action_mark_all(self) -> None:
        """Mark the jobs that are shown; if all of them are marked, take their marks away."""
        refs = {state.job.ref for state in self._shown}
        self._marks = self._marks - refs if refs <= self._marks else self._marks | refs
        self._show()

    def action_filter(self) -> None:
        """Type a filter, in the language of the table's."""
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _filter_submitted(self) -> None:
        self.query_one(VimOptionList).focus()

    def action_close(self) -> None:
        """Leave the filter, or close the page."""
        if self.query_one(Input).has_focus:
            self.query_one(Input).value = ""
            self.query_one(VimOptionList).focus()
        else:
            self.dismiss()

    @on(OptionList.OptionSelected)
    def _accept(self, event: OptionList.OptionSelected) -> None:
        """Return the marked jobs, else the one under the cursor."""
        marked = [state for state in self._found or () if state.job.ref in self._marks]
        chosen = marked or [self._shown[event.option_index]]
        now = self._board.now()
        self.dismiss(tuple(replace(state.job, added=now, tags=(DISCOVERED,)) for state in chosen))
