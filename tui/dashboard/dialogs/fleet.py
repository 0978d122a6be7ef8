"""Fleet screen: every account and kind today against the usual, the worst first."""

import asyncio
from collections.abc import Iterator, Sequence
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
from tui.dashboard.widgets.badges import account_badge, wait_text
from tui.dashboard.widgets.vim_option_list import VimOptionList
from tui.domain.fleet import FleetReport, FleetRow, active_counts, fleet_rows
from tui.engine.api import IMPAIRED, EngineHandle
from tui.presentation.cell_width import fit_to_width
from tui.presentation.columns import Cell, Tone
from tui.presentation.fleet import HEALTH_TITLE, LOWER_COLUMNS, UPPER_COLUMNS, FleetColumn, faults_text

FLEET_INTERVAL = 5.0
"""Seconds between two reports of an open screen, each of which takes milliseconds of the engine."""
ONE_LINE_WIDTH = 180
"""Cells of the terminal from which on a row takes one line; else two."""
WIDE_NAME = 20
"""Cells of the account and kind then."""
HEALTH_WIDTH = 11
"""Cells of the health on a narrow terminal, at least."""
OTHER_CELLS = 5
"""Cells of the screen's padding, the scrollbar and the indent."""
GAP, INDENT = "  ", "  "
KEYS = "Enter: show its jobs · USUAL: mean of 7 days to this time · Esc: close"


class FleetScreen(Dialog[str]):
    """Screen that returns the selected account, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,F", "dismiss", show=False)]

    def __init__(self, board: BoardModel, engine: EngineHandle, zone: tzinfo) -> None:
        """`zone`: the time zone of the days."""
        super().__init__()
        self._board = board
        self._engine = engine
        self._zone = zone
        self._report: FleetReport | None = None
        """None until it is read."""
        self._rows: list[FleetRow] = []

    def compose(self) -> ComposeResult:
        """Yield the head, a line or two for each row, and the keys."""
        with Vertical(classes="full-screen"):
            yield Static(id="fleet-head", markup=False)
            yield VimOptionList(compact=True)
            yield Static(KEYS, classes="keys", markup=False)

    def on_mount(self) -> None:
        """Read the report, and keep it up to date."""
        self._request_report()
        self.set_interval(FLEET_INTERVAL, self._request_report)
        self._show()

    def _request_report(self) -> None:
        self.run_worker(self._load_report(), group="fleet", exclusive=True)

    async def _load_report(self) -> None:
        report = await asyncio.wrap_future(self._engine.fleet(self._zone))
        self._report = report if report.at else self._report  # one that could not be read has no instant
        self._show()

    def on_resize(self) -> None:
        """Arrange the columns for another width."""
        self._show()

    @property
    def _is_wide(self) -> bool:
        return self.size.width >= ONE_LINE_WIDTH

    def _show(self) -> None:
        options = self.query_one(VimOptionList)
        if self._report is None:
            options.show_lines([], CUT_OFF_TEXT if self._board.is_cut_off else "reading the journal")
            return
        accounts = self._board.accounts
        impaired = {name for name, account in accounts.items() if account.health in IMPAIRED}
        self._rows = fleet_rows(self._report, active_counts(self._board.states.values()), impaired)
        lines = [Content("\n").join(self._lines(self._row_cells(row), row)) for row in self._rows]
        options.show_lines(lines, "no accounts and no jobs yet")
        titles = [Content.styled(line, "$job-quiet") for line in self._title_lines()]
        head = Content.assemble(("Fleet", "bold"), ("   today, the worst first", "$job-quiet"))
        self.query_one("#fleet-head", Static).update(Content("\n").join([head, Content(""), *titles]))

    def _title_lines(self) -> Iterator[str]:
        upper = GAP.join(self._fit(column.title, column) for column in UPPER_COLUMNS)
        lower = GAP.join([*(self._fit(column.title, column) for column in LOWER_COLUMNS), HEALTH_TITLE])
        if self._is_wide:
            yield f"{INDENT}{upper}{GAP}{lower}"
        else:
            yield from (f"{INDENT}{upper}", f"{INDENT}{lower}")

    def _row_cells(self, row: FleetRow) -> list[Content]:
        """Return the cells of a row, without its health."""
        ascii_only = self._board.ascii_only
        found: list[Content] = []
        for column in (*UPPER_COLUMNS, *LOWER_COLUMNS):
            cell = column.cell(row, ascii_only)
            style = "bold" if column is UPPER_COLUMNS[0] else _style(cell)
            if not self._is_wide and column in LOWER_COLUMNS:
                style = style or "$job-quiet"
            found.append(Content.styled(self._fit(cell.text, column), style))
        return found

    def _lines(self, cells: Sequence[Content], row: FleetRow) -> Iterator[Content]:
        """Yield the lines of a row."""
        glyph, health = self._health(row)
        first, gap = Content.styled(f"{glyph.text} ", _style(glyph)), Content(GAP)
        upper, lower = gap.join(cells[: len(UPPER_COLUMNS)]), gap.join([*cells[len(UPPER_COLUMNS) :], health])
        if self._is_wide:
            yield Content.assemble(first, upper, gap, lower)
        else:
            yield first + upper
            yield Content(INDENT) + lower

    def _health(self, row: FleetRow) -> tuple[Cell, Content]:
        """Return the badge of the account, and the text of its health with the share of faults."""
        account, now = self._board.accounts.get(row.account), self._board.now()
        if account is None:
            return Cell(" "), Content.styled("not configured"[:HEALTH_WIDTH], "$job-quiet")
        badge = account_badge(account, now, ascii_only=self._board.ascii_only)
        state = ", ".join(filter(None, (badge.text, wait_text(account, now))))
        faults = faults_text(row)
        text = ", ".join(filter(None, (state, faults))) or ("OK" if badge.tone == "done" else "not polled yet")
        ellipsis = self._board.render_options.glyphs.ellipsis
        text = fit_to_width(text, max(HEALTH_WIDTH, self._health_room()), ellipsis=ellipsis)
        tone = "warning" if faults and badge.tone in {"done", "quiet"} else badge.tone
        return Cell(badge.glyph, Tone(badge.tone)), Content.styled(text, f"$job-{tone}")

    def _health_room(self) -> int:
        """Return the cells that the other columns leave."""
        others = (*UPPER_COLUMNS, *LOWER_COLUMNS) if self._is_wide else LOWER_COLUMNS
        return self.size.width - OTHER_CELLS - sum(self._width(column) + len(GAP) for column in others)

    def _width(self, column: FleetColumn) -> int:
        return WIDE_NAME if self._is_wide and column is UPPER_COLUMNS[0] else column.width

    def _fit(self, text: str, column: FleetColumn) -> str:
        ellipsis = self._board.render_options.glyphs.ellipsis
        return fit_to_width(text, self._width(column), align_right=column.is_right, ellipsis=ellipsis)

    @on(OptionList.OptionSelected)
    def _option_selected(self, event: OptionList.OptionSelected) -> None:
        if self._rows:
            self.dismiss(self._rows[event.option_index].account)


def _style(cell: Cell) -> str:
    return "" if cell.tone is Tone.PLAIN else f"$job-{cell.tone}"
