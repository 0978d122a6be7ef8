"""Initial state of the dashboard from the journal: last known board and UI preferences. It sends no requests.

Parsing a long watchlist takes longer than a first frame may. So its order is stored with the file's stamp, and while
the stamp is the same, the board comes from the journal alone; the engine reads the file later.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.engine.api import AccountState, Health, Update
from tui.presentation import queries
from tui.presentation.queries import View
from tui.presentation.table_layout import COLUMN_TYPES, DEFAULT_COLUMNS
from tui.storage.config.secrets import Secret
from tui.storage.config.settings import Settings
from tui.storage.watchlist.cache import HEAD_NAME, CachedHead
from tui.storage.watchlist.content import WatchlistError
from tui.storage.workspace import Workspace

PREFERENCES = "ui_preferences"
"""Name of the preferences in the journal."""
FIRST_ROWS = "first_rows"
"""Name of the table's first jobs in the journal."""
T = TypeVar("T")


class UiPreferences(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the dashboard stores of how it looks."""

    view: str = View.ALL
    """A View, or the name of a saved view."""
    sort: str = queries.ATTENTION
    descending: bool = False
    preview: bool = True
    detail_swapped: bool = False
    """The detail is below the table where its default is at the right, and vice versa."""
    theme: str = ""
    time: str = ""
    """"relative", "local" or "utc"."""
    filters: tuple[str, ...] = ()
    """Filters that were used, the last one first."""
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    configured: tuple[str, ...] = ()
    """Theme, time format and columns of the settings at that time; if they differ since, the settings win."""

    @classmethod
    def load(cls, stored: Mapping[str, bytes], settings: Settings) -> "UiPreferences":
        """Return the stored preferences, unless the settings have changed since."""
        theme, time, columns = settings.ui.theme, settings.ui.time, tuple(map(str, dict.fromkeys(settings.ui.columns)))
        configured = (theme, time, *columns)
        preferences = _decode(stored.get(PREFERENCES), UiPreferences) or UiPreferences()
        views = {*View, *(view.name for view in settings.views)}
        preferences = msgspec.structs.replace(
            preferences,
            view=preferences.view if preferences.view in views else View.ALL,
            sort=preferences.sort if preferences.sort in queries.SORTS else queries.ATTENTION,
            columns=tuple(column for column in preferences.columns if column in COLUMN_TYPES) or DEFAULT_COLUMNS,
        )
        if preferences.configured == configured and preferences.theme and preferences.time:
            return preferences
        return msgspec.structs.replace(
            preferences, theme=theme, time=time, columns=columns or DEFAULT_COLUMNS, configured=configured
        )


class OnboardingInfo(Struct, frozen=True):
    """Facts that the first-run screen shows."""

    watchlist: str
    """Path of the file."""
    keys: Sequence[tuple[str, str, bool]]
    """Provider, environment variable of its key, and whether a key was found."""


class FirstRows(Struct, frozen=True, kw_only=True):
    """First jobs of the table of a long watchlist, so that the first frame needs no others."""

    path: str
    """The watchlist's."""
    query: str
    refs: list[Any]
    """HEAD_JOBS pairs of account and id."""


class InitialState(Struct, frozen=True):
    """What the dashboard shows before the engine's first update."""

    update: Update
    preferences: UiPreferences
    load_all_jobs: Callable[[], Update] | None = None
    """Returns all jobs, if `update` has only those at the top; None: it has all."""


def load_initial_state(workspace: Workspace, view: str = "") -> InitialState:
    """Load the last known board, the accounts and the preferences, with this view. Raises JournalError."""
    stored = workspace.journal.load_ui_state(PREFERENCES, HEAD_NAME, FIRST_ROWS)
    head = CachedHead.load(stored)
    preferences = UiPreferences.load(stored, workspace.settings)
    if view:
        preferences = msgspec.structs.replace(preferences, view=view)
    problems: tuple[str, ...] = ()
    try:
        stamp = workspace.watchlist.stamp()
        if head is not None and (head.path, head.stamp) == (str(workspace.paths.watchlist_file), stamp):
            if head.first_refs and (top := _first_jobs(workspace, _first_refs(stored, preferences, head))):
                update = _update(workspace, top)
                return InitialState(update, preferences, lambda: _update(workspace, _all_jobs(workspace)))
            board = _all_jobs(workspace)
        else:
            board = workspace.job_states()
    except WatchlistError as error:
        problems = (str(error),)
        board = _jobs_from_journal(workspace)
    return InitialState(_update(workspace, board, problems), preferences)


def _first_refs(stored: Mapping[str, bytes], preferences: UiPreferences, head: CachedHead) -> list[Any]:
    """Return the first jobs of the table as it was last shown, or those of the watchlist; none if neither is known."""
    first = _decode(stored.get(FIRST_ROWS), FirstRows)
    if first is not None and (first.path, first.query) == (head.path, query_of(preferences)):
        return first.refs
    return head.first_refs if preferences.view == View.ALL and not preferences.descending else []


def query_of(preferences: UiPreferences) -> str:
    """Return the view, sort and order in which the table is shown."""
    return f"{preferences.view} {preferences.sort} {preferences.descending}"


def _update(workspace: Workspace, board: dict[Ref, JobState], problems: tuple[str, ...] = ()) -> Update:
    return Update(states=board, order=tuple(board), accounts=initial_accounts(workspace), problems=problems)


def _all_jobs(workspace: Workspace) -> dict[Ref, JobState]:
    """Return all jobs, from the journal alone if it has every listed job."""
    known = _jobs_from_journal(workspace)
    complete = workspace.restored_board is not None and len(known) == len(workspace.restored_board.cache.order)
    return known if complete else workspace.job_states()


def _first_jobs(workspace: Workspace, pairs: list[Any]) -> dict[Ref, JobState]:
    """Return the jobs of a first frame; none unless the journal has all of them."""
    refs = [Ref(*pair) for pair in pairs]
    known = workspace.journal.states(refs) if refs else {}
    return {ref: known[ref] for ref in refs} if len(known) == len(refs) else {}


def initial_accounts(workspace: Workspace) -> dict[str, AccountState]:
    """Return every account, before its first request."""
    found: dict[str, AccountState] = {}
    for name, account in workspace.accounts.items():
        key = workspace.keys.get(name)
        found[name] = AccountState(
            name=name,
            provider=account.provider.name,
            title=account.provider.title,
            id_patterns=account.provider.id_patterns,
            has_slashes=account.provider.has_slashes,
            secrets=account.provider.secrets,
            kinds=tuple(account.provider.kinds),
            health=Health.UNTRIED if isinstance(key, Secret) else Health.NO_KEY,
            message="" if isinstance(key, Secret) else str(key),
            rate_per_minute=account.per_minute,
        )
    return found


def _jobs_from_journal(workspace: Workspace) -> dict[Ref, JobState]:
    """Return the journal's states of the listed jobs in their order. The engine starts with them, too."""
    workspace.restored_board = restored = workspace.restore_board(share_values=True)
    return restored.states if restored is not None else {}


def _decode(stored: bytes | None, target: type[T]) -> T | None:
    """Return the stored value; None if it does not have this type."""
    try:
        return msgspec.json.decode(stored, type=target) if stored else None
    except msgspec.DecodeError:
        return None
