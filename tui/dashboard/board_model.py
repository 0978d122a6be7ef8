"""Board model: the job states of the front end, with view, filter, sort and marks. Drawing: `widgets`."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui.dashboard.row_index import Row, RowIndex
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.engine.api import AWAY, AccountState, DownloadProgress, DownloadStage, Health, Update
from tui.presentation import queries
from tui.presentation.columns import ASCII, UNICODE, RenderOptions
from tui.presentation.queries import View
from tui.presentation.table_layout import DEFAULT_COLUMNS, with_owner
from tui.storage.config.settings import SavedView

if TYPE_CHECKING:
    from tui.presentation.filters.grammar import Problem, Vocabulary
    from tui.presentation.filters.model import Filter

PAUSED = "paused"
"""Role of an engine whose polling the operator paused."""
VIEWING = "viewing"
"""Beginning of the role of a viewer of a team."""
CUT_OFF_TEXT = "not known while the team's database is away"
"""In place of what could not be read."""
UNPOLLED = frozenset({Health.REFUSED, Health.NO_KEY, Health.UNKNOWN})
"""Healths of accounts without a poll that is known to come."""


class BoardModel:
    """Model that all widgets of the dashboard read. `apply_update` and the operator's commands change it."""

    def __init__(
        self,
        context: EvaluationContext,
        now: Callable[[], float],
        *,
        ascii_only: bool = False,
        saved_views: Sequence[SavedView] = (),
    ) -> None:
        """`context` has the thresholds of the settings; `now` returns instants."""
        self.states: dict[Ref, JobState] = {}
        self.accounts: dict[str, AccountState] = {}
        self.problems: tuple[str, ...] = ()
        self.shows_team = False
        """The board has the jobs of all watchlists of the team."""
        self.role = ""
        """`Update.role` of a console that follows or is paused; "" while it polls."""
        self.downloads: dict[Ref, DownloadProgress] = {}
        """Running and failed downloads."""
        self._download_progress: dict[Ref, float | None] = {}
        self.marks: set[Ref] = set()
        self.view: str = View.ALL
        """A View, or the name of a saved view."""
        self.saved_views = {str(view.name): view for view in saved_views}
        """Views of config.toml by name."""
        self.filter_text = ""
        """Text of the filter that the table shows; "": none."""
        self.highlights: Mapping[str, re.Pattern[str]] = {}
        """What of the filter matches in each column, by its id; "": in every column."""
        self._filter: Filter | None = None
        self._vocabulary: Vocabulary | None = None
        self.sort = queries.ATTENTION
        """One of `queries.SORTS`."""
        self.descending = False
        self.preferred_sort = self.sort, self.descending
        """Sort and order of the views that have none of their own."""
        self.preferred_columns: tuple[str, ...] = DEFAULT_COLUMNS
        """Columns of the views that have none of their own."""
        self.zone: tzinfo | None = None
        """Zone in which times are shown as instants; None: times are relative."""
        self.instant_zone: tzinfo = UTC
        """Zone of the columns that always show instants."""
        self.is_partial = False
        """Not all jobs are loaded, so that counts are unknown."""
        self.now = now
        self._context = context
        self._glyphs = ASCII if ascii_only else UNICODE
        self._row_index = RowIndex(_filters_of(saved_views))

    def apply_update(self, update: Update) -> None:
        """Apply an update of the engine."""
        self.states.update(update.states)
        if update.accounts or update.order is not None:
            self._vocabulary = None
        if update.accounts:
            self.accounts.update(update.accounts)
            providers = {name: account.provider for name, account in self.accounts.items()}
            if providers != self._context.providers:
                self._context = replace(self._context, providers=providers)
                self._row_index.on_providers_change(self.context)
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
            self.shows_team = update.shows_team
            self.role = update.role if update.role.startswith(("following", VIEWING, PAUSED)) else ""
        if update.problems is not None:
            self.problems = update.problems

    def _update_downloads(self, changed: Mapping[Ref, DownloadProgress]) -> None:
        ended = {ref for ref, each in changed.items() if each.stage in {DownloadStage.SAVED, DownloadStage.CANCELLED}}
        downloads = {**self.downloads, **changed}
        self.downloads = {ref: downloads[ref] for ref in downloads if ref not in ended and ref in self.states}
        running = {ref: each for ref, each in self.downloads.items() if each.stage is not DownloadStage.FAILED}
        self._download_progress = {ref: each.fraction for ref, each in running.items()}

    def is_downloading(self, ref: Ref) -> bool:
        """Return whether the job's files are being downloaded or queued."""
        return ref in self._download_progress

    @property
    def context(self) -> EvaluationContext:
        """Context of the evaluation, with the present instant."""
        return replace(self._context, now=self.now(), zone=self.instant_zone)

    @property
    def render_options(self) -> RenderOptions:
        """Options of the cells, with the present instant."""
        not_before = {
            name: account.waits_until for name, account in self.accounts.items() if account.waits_until is not None
        }
        stopped = frozenset(
            name for name, account in self.accounts.items() if self.is_paused or account.health in UNPOLLED
        )
        spaced = frozenset(name for name, account in self.accounts.items() if account.is_spaced)
        return RenderOptions(
            self.context,
            self._glyphs,
            not_before,
            spaced,
            stopped,
            self.zone,
            self._download_progress,
            self.instant_zone,
        )

    @property
    def is_paused(self) -> bool:
        """Whether scheduled polling is paused, here or at the leader."""
        return self.role.endswith(PAUSED)

    @property
    def is_cut_off(self) -> bool:
        """Whether the team's database cannot be reached, so that nothing newer is known."""
        return self.role.endswith(AWAY)

    @property
    def is_viewer(self) -> bool:
        """Whether the console reads no links and changes nothing, by its role in the team."""
        return self.role.startswith(VIEWING)

    @property
    def ascii_only(self) -> bool:
        """Whether to draw ASCII characters only."""
        return self._glyphs.ascii_only

    def visible_rows(self) -> list[Row]:
        """Return the rows of the table in order; the same list until it changes."""
        self._row_index.advance_time(self.context)
        return self._row_index.rows

    def visible_refs(self) -> list[Ref]:
        """Return the jobs of the table in order."""
        return [row.ref for row in self.visible_rows()]

    def is_visible(self, ref: Ref) -> bool:
        """Return whether the table shows the job."""
        return self._row_index.is_visible(ref)

    def first_visible(self, rows: Iterable[Row]) -> Row | None:
        """Return the first of these rows that the table shows; None: it shows none."""
        return self._row_index.first_visible(rows)

    def hidden_marks(self) -> int:
        """Return how many marked jobs the table does not show."""
        return sum(not self.is_visible(ref) for ref in self.marks)

    def view_counts(self) -> Mapping[str, int]:
        """Return the jobs per view."""
        return self._row_index.counts

    @property
    def all_views(self) -> tuple[str, ...]:
        """Every view: the built-in ones, then those of config.toml."""
        return (*View, *self.saved_views)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table, by id; on the board of a team with the owner."""
        saved = self.saved_views.get(self.view)
        columns = saved.columns if saved is not None and saved.columns else self.preferred_columns
        return with_owner(columns) if self.shows_team else columns

    def show_view(self, view: str) -> None:
        """Show a view, with the sort that it has."""
        saved = self.saved_views.get(view)
        self.view = view
        if saved is not None and saved.sort:
            self.sort, self.descending = saved.sort.removeprefix("-"), saved.sort.startswith("-")
        else:
            self.sort, self.descending = self.preferred_sort
        self._apply_query()

    def set_sort(self, sort: str, *, descending: bool) -> None:
        """Set sort and order. Those of a view that has its own last until another view is shown."""
        self.sort, self.descending = sort, descending
        saved = self.saved_views.get(self.view)
        if saved is None or not saved.sort:
            self.preferred_sort = sort, descending
        self._apply_query()

    def set_zones(self, zone: tzinfo | None, instant_zone: tzinfo) -> None:
        """Set the time zones of columns (None: relative times) and of instants."""
        has_changed = instant_zone != self.instant_zone
        self.zone, self.instant_zone = zone, instant_zone
        if has_changed:
            self._row_index.on_zone_change(self.context)

    def set_filter(self, text: str) -> "tuple[Problem, ...]":
        """Set the filter, and return the problems of its text.

        With an error the table keeps its rows; an empty one shows what the other terms match.
        """
        from tui.presentation.filters import grammar  # at the first filter, not at the start

        parsed = grammar.parse(text, self.vocabulary)
        if not parsed.error or not self.visible_rows():
            self.filter_text = text if parsed.filter.groups else ""
            self._filter = parsed.filter if parsed.filter.groups else None
            self.highlights = parsed.filter.highlights()
            self._apply_query()
        return parsed.problems

    def unused_values(self) -> list[str]:
        """Return a message for each value of the filter that no job has."""
        from tui.presentation.filters import grammar

        return list(grammar.unused_values(self._filter, self.vocabulary)) if self._filter is not None else []

    @property
    def vocabulary(self) -> "Vocabulary":
        """Values of the present jobs, for the filter; the same until jobs or accounts are added or removed."""
        if self._vocabulary is None:
            from tui.presentation.filters import vocabulary

            self._vocabulary = vocabulary.of_jobs(self.states.values(), self.context, lambda: self.accounts)
        return self._vocabulary

    def prepare_search(self, most: int) -> bool:
        """Prepare the search in so many jobs; return whether all are."""
        return self._row_index.prepare_search(self.context, most)

    def _apply_query(self) -> None:
        self._row_index.set_query(self.context, self.view, self._filter, self.sort, self.descending)


def _filters_of(views: Sequence[SavedView]) -> "dict[str, Filter]":
    """Return the filters of saved views by name; what is wrong in one was reported with the settings."""
    if not views:
        return {}
    from tui.presentation.filters import grammar

    return {str(view.name): grammar.parse(view.filter).filter for view in views}
