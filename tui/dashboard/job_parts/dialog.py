"""Dialog of a job's parts: each with its status and links, which the table's keys copy, open, download and renew."""

from collections.abc import Callable
from datetime import tzinfo
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static

from tui.commands import CommandId
from tui.dashboard.board_model import BoardModel
from tui.dashboard.dialogs.dialog import REFRESH_INTERVAL, ListDialog
from tui.dashboard.job_parts.texts import PartView, link_lines, part_line, part_views
from tui.dashboard.widgets.vim_option_list import VimOptionList
from tui.domain.models import PartCounts, Ref
from tui.presentation import queries

LINK_LINES = 4
"""Lines for the links of the part under the cursor."""

RunCommand = Callable[[CommandId, str | None], None]
"""Runs a command for the part with this language."""


class PartsScreen(ListDialog[None]):
    """Dialog that follows the state of one job."""

    OTHER_LINES = ListDialog.OTHER_LINES + LINK_LINES + 1

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,h,left", "dismiss", show=False),
        Binding("Y", "run('copy_link')", show=False),
        Binding("o", "run('open_link')", show=False),
        Binding("D", "run('download')", show=False),
        Binding("L", "run('renew')", show=False),
    ]

    def __init__(self, board: BoardModel, ref: Ref, zone: Callable[[], tzinfo], run: RunCommand) -> None:
        super().__init__()
        self._board = board
        self._ref = ref
        self._zone = zone
        self._run = run
        self._views: list[PartView] = []

    def compose(self) -> ComposeResult:
        """Yield one line per part, and the links of the one under the cursor."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Parts")
            yield VimOptionList(compact=True)
            yield Static(id="part-links", markup=False)
            keys = "" if self._board.is_viewer else "Y: copy link · o: open · D: download · L: renew · "
            yield Static(f"{keys}Esc: close", classes="keys", markup=False)

    def on_mount(self) -> None:
        """Show the parts, and keep them up to date."""
        self._update()
        self.set_interval(REFRESH_INTERVAL, self._update)

    def on_resize(self) -> None:
        """Fit the lines to the width."""
        super().on_resize()
        self.call_after_refresh(self._update)

    def _update(self) -> None:
        state = self._board.states.get(self._ref)
        if state is None:
            self.dismiss()
            return
        counts = state.report.part_counts if state.report is not None else None
        self._views = part_views(state)
        dialog = self.query_one(Vertical)
        dialog.border_title = Content(f"Parts of {queries.display_name(state)}")
        dialog.border_subtitle = Content(
            f"{counts.done} of {counts.total} done" if isinstance(counts, PartCounts) else ""
        )
        options = self.query_one(VimOptionList)
        width = options.size.width or 72
        options.show_lines([part_line(view, self._board.render_options, width) for view in self._views])
        self._show_links()

    @on(OptionList.OptionHighlighted)
    def _show_links(self) -> None:
        view = self._selected()
        lines = list(link_lines(view, self._board.render_options, self._zone())) if view is not None else []
        if len(lines) > LINK_LINES:
            more = Content.styled(f"and {len(lines) - LINK_LINES + 1} other links", "$job-quiet")
            lines = [*lines[: LINK_LINES - 1], more]
        self.query_one("#part-links", Static).update(Content("\n").join(lines))

    def _selected(self) -> PartView | None:
        index = self.query_one(VimOptionList).highlighted
        return self._views[index] if index is not None and index < len(self._views) else None

    def action_run(self, command: CommandId) -> None:
        """Run a command for the part under the cursor."""
        view = self._selected()
        if view is not None:
            self._run(command, view.part.language)
