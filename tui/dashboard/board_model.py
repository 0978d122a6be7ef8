"""The front end's board: its own dict of states, and what the operator chose to see of it. It draws nothing."""

from collections.abc import Callable, Mapping
from datetime import tzinfo

from msgspec.structs import replace

from tui.dashboard.row_index import RowIndex
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.engine.api import AccountState, DownloadProgress, DownloadStage, Health, Update
from tui.presentation.columns import ASCII, UNICODE, RenderOptions
from tui.presentation.queries import Filter, View

PAUSED = "paused"
"""The role of an engine that a person has told to ask nothing by itself."""


class BoardModel:
    """What every widget of the dashboard reads. Only `take` and the operator's choices change it."""

    def __init__(self, context: EvaluationContext, now: Callable[[], float], *, ascii_only: bool = False) -> None:
        """`outlook` carries the thresholds of the settings; `now` gives instants."""
        self.states: dict[Ref, JobState] = {}
        self.accounts: dict[str, AccountState] = {}
        self.problems: tuple[str, ...] = ()
        self.role = ""
        """Whom this console follows, or that it is paused, as `Update` has it; "" while it polls."""
        self.downloads: dict[Ref, DownloadProgress] = {}
        """Those that are on their way or failed."""
        self._download_progress: dict[Ref, float | None] = {}
        self.marks: set[Ref] = set()
        self.view = View.ALL
        self.filter = Filter()
        self.filter_text = ""
        self.sort = ""
        self.descending = False
        self.zone: tzinfo | None = None
        """Times stand as instants in this zone; None: as how long ago, or how far away."""
        self.is_partial = False
        """Not all jobs are here yet: their numbers are not known."""
        self.now = now
        self._context = context
        self._glyphs = ASCII if ascii_only else UNICODE
        self._row_index = RowIndex()

    def apply_update(self, update: Update) -> None:
        """Takes over an update."""
        self.states.update(update.states)
        if update.accounts:
            self.accounts.update(update.accounts)
            providers = {name: account.provider for name, account in self.accounts.items()}
            if providers != self._context.providers:
                self._context = replace(self._context, providers=providers)
        if update.order is not None:
            self.states = {ref: self.states[ref] for ref in update.order if ref in self.states}
            self.marks &= self.states.keys()
            self._update_downloads({})
            self._row_index.rebuild(self.states, self.context)
        else:
            self._row_index.update(update.states.values(), self.context)
        if update.downloads:
            self._update_downloads(update.downloads)
        if update.role is not None:
            self.role = update.role if update.role.startswith(("following", PAUSED)) else ""
        if update.problems is not None:
            self.problems = update.problems

    def _update_downloads(self, changed: Mapping[Ref, DownloadProgress]) -> None:
        over = {ref for ref, told in changed.items() if told.stage in {DownloadStage.SAVED, DownloadStage.CANCELLED}}
        told = {**self.downloads, **changed}
        self.downloads = {ref: told[ref] for ref in told if ref not in over and ref in self.states}
        self._download_progress = {
            ref: told.fraction for ref, told in self.downloads.items() if told.stage is not DownloadStage.FAILED
        }

    def is_downloading(self, ref: Ref) -> bool:
        """The job's files are on their way, or wait for their turn."""
        return ref in self._download_progress

    @property
    def context(self) -> EvaluationContext:
        """What judging a job takes, now."""
        return replace(self._context, now=self.now())

    @property
    def render_options(self) -> RenderOptions:
        """How cells are to look, now."""
        until = {
            name: account.waits_until for name, account in self.accounts.items() if account.waits_until is not None
        }
        quiet = {Health.REFUSED, Health.NO_KEY}
        stopped = {name for name, state in self.accounts.items() if self.is_paused or state.health in quiet}
        return RenderOptions(self.context, self._glyphs, until, frozenset(stopped), self.zone, self._download_progress)

    @property
    def is_paused(self) -> bool:
        """Nothing is asked by itself, since the operator wants that: here, or at the console that is followed."""
        return self.role.endswith(PAUSED)

    @property
    def ascii_only(self) -> bool:
        """No sign is to be drawn that ASCII has not."""
        return self._glyphs.ascii_only

    def visible_refs(self) -> list[Ref]:
        """The jobs that the table shows, in its order; the same list until that changes."""
        self._row_index.advance_time(self.states, self.context)
        return self._row_index.refs

    def view_counts(self) -> Mapping[View, int]:
        """How many jobs each view holds."""
        return self._row_index.counts

    def set_view(self, *, view: View | None = None, sort: str | None = None, descending: bool | None = None) -> None:
        """Sets what is said of view and sort."""
        self.view = self.view if view is None else view
        self.sort = self.sort if sort is None else sort
        self.descending = self.descending if descending is None else descending
        self._apply_query()

    def set_filter(self, text: str) -> None:
        """Sets the filter."""
        self.filter_text = text
        self.filter = Filter.parse(text)
        self._apply_query()

    def _apply_query(self) -> None:
        self._row_index.set_query(self.states, self.context, self.view, self.filter, self.sort, self.descending)

    def selected_refs(self, cursor: Ref | None) -> tuple[Ref, ...]:
        """What a command is about: the marked jobs, else the one under the cursor."""
        if self.marks:
            return tuple(ref for ref in self.states if ref in self.marks)
        return (cursor,) if cursor is not None else ()
