"""Dialog of recent events: the last phase changes of all jobs, newest first."""

import asyncio
from datetime import tzinfo
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.dashboard.board_model import BoardModel
from tui.dashboard.widgets.vim_option_list import VimOptionList
from tui.domain.job_state import PhaseChange
from tui.domain.models import Phase, Ref
from tui.engine.api import EngineHandle
from tui.presentation import columns, formatting, queries
from tui.presentation.cell_width import fit_to_width

MAX_CHANGES = 200
"""Changes shown."""


class HistoryScreen(ModalScreen[Ref | None]):
    """Dialog that returns the selected job, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,J", "dismiss", show=False)]

    def __init__(self, board: BoardModel, engine: EngineHandle, zone: tzinfo) -> None:
        super().__init__()
        self._board = board
        self._engine = engine
        self._zone = zone
        self._changes: tuple[PhaseChange, ...] = ()

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
        options = self.query_one(VimOptionList)
        if self._changes:
            options.add_options(Option(self._change_content(change)) for change in self._changes)
            options.highlighted = 0
        else:
            options.add_option(Option(Content.styled("no events yet", "$job-quiet"), disabled=True))

    def _change_content(self, change: PhaseChange) -> Content:
        """Return instant, job, and the phases before and after."""
        state = self._board.states.get(change.ref)
        glyphs = self._board.render_options.glyphs
        name = queries.display_name(state) if state is not None else str(change.ref)
        arrow = ">" if glyphs.ascii_only else "→"
        before = "" if change.before is Phase.NEW else f"{_phase_name(change.before)} {arrow} "
        colour = f"$job-{columns.phase_tone(change.after)}"
        return Content.assemble(
            (formatting.instant(change.seen, self._zone, self._board.now()).rjust(12), "$job-quiet"),
            f"  {fit_to_width(name, 26, ellipsis=glyphs.ellipsis)}  ",
            (f"{glyphs.phases[change.after]} ", colour),
            (before, "$job-quiet"),
            (_phase_name(change.after), colour),
            (f": {change.message}" if change.message else "", "$job-quiet"),
        )

    @on(OptionList.OptionSelected)
    def _option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._changes[event.option_index].ref)


def _phase_name(phase: Phase) -> str:
    return phase.replace("_", " ")
