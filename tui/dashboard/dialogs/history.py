"""Dialog of recent events: the last phase changes of all jobs, newest first."""

import asyncio
from datetime import tzinfo
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static

from tui.dashboard.board_model import CUT_OFF_TEXT, BoardModel
from tui.dashboard.dialogs.dialog import Dialog
from tui.dashboard.widgets.segments import fit_cell
from tui.dashboard.widgets.vim_option_list import VimOptionList
from tui.domain.job_state import PhaseChange
from tui.domain.models import Phase, Ref
from tui.engine.api import EngineHandle
from tui.presentation import columns, formatting, queries

MAX_CHANGES = 200
"""Changes shown."""
INSTANT_WIDTH, NAME_WIDTH = 12, 26
"""Cells."""


class HistoryScreen(Dialog[Ref]):
    """Dialog that returns the selected job, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,J", "dismiss", show=False)]

    def __init__(self, board: BoardModel, engine: EngineHandle, zone: tzinfo) -> None:
        super().__init__()
        self._board = board
        self._engine = engine
        self._zone = zone
        self._changes: tuple[PhaseChange, ...] | None = None
        """None until they are loaded."""

    def compose(self) -> ComposeResult:
        """Yield one line per change."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Recent events")
            yield VimOptionList(compact=True)
            yield Static("Enter: go to the job · Esc: close", classes="keys", markup=False)

    def on_mount(self) -> None:
        """Load the changes from the journal."""
        self.run_worker(self._load_changes(), group="history")

    async def _load_changes(self) -> None:
        self._changes = await asyncio.wrap_future(self._engine.recent_changes(MAX_CHANGES))
        self._show_changes()

    def on_resize(self) -> None:
        """Write the names again after a change of the size: their anchors depend on the dialog's column."""
        self.call_after_refresh(self._show_changes)

    def _show_changes(self) -> None:
        if self._changes is None:
            return
        options = self.query_one(VimOptionList)
        none = CUT_OFF_TEXT if self._board.is_cut_off else "no events yet"
        left = options.content_region.x + INSTANT_WIDTH + 2
        options.show_lines([self._change_content(change, left) for change in self._changes], none)

    def _change_content(self, change: PhaseChange, name_column: int) -> Content:
        """Return instant, job, and the phases before and after."""
        state = self._board.states.get(change.ref)
        glyphs = self._board.render_options.glyphs
        full_name = queries.display_name(state) if state is not None else str(change.ref)
        name, _ = fit_cell(full_name, NAME_WIDTH, False, glyphs.ellipsis, name_column)
        arrow = ">" if glyphs.ascii_only else "→"
        before = "" if change.before is Phase.NEW else f"{_phase_name(change.before)} {arrow} "
        colour = f"$job-{columns.phase_tone(change.after)}"
        return Content.assemble(
            (formatting.instant(change.seen, self._zone, self._board.now()).rjust(INSTANT_WIDTH), "$job-quiet"),
            f"  {name}  ",
            (f"{glyphs.phases[change.after]} ", colour),
            (before, "$job-quiet"),
            (_phase_name(change.after), colour),
            (f": {change.message}" if change.message else "", "$job-quiet"),
        )

    @on(OptionList.OptionSelected)
    def _option_selected(self, event: OptionList.OptionSelected) -> None:
        if self._changes:
            self.dismiss(self._changes[event.option_index].ref)


def _phase_name(phase: Phase) -> str:
    return phase.replace("_", " ")
