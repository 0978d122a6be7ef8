"""What the dashboard begins with: the last known board, and how the operator left the screen. It asks nobody.

Parsing a long watchlist takes longer than a first frame may. So its order is remembered with the file's stamp, and
while the stamp is the same, the journal alone gives the board; the engine reads the file afterwards.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.engine.api import AccountState, Health, Update
from tui.presentation.queries import View
from tui.storage.config.secrets import Secret
from tui.storage.config.settings import Settings
from tui.storage.watchlist.cache import CACHE_NAME, HEAD_NAME, CachedHead, RestoredBoard, WatchlistCache
from tui.storage.watchlist.file import WatchlistError
from tui.storage.workspace import Workspace

PREFERENCES = "ui_preferences"
"""The name under which the journal keeps them."""
T = TypeVar("T")


class UiPreferences(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the screen looks, as far as that is remembered."""

    view: View = View.ALL
    sort: str = ""
    descending: bool = False
    preview: bool = True
    detail_swapped: bool = False
    """The detail stands below where it would be at the right by itself, and the other way round."""
    theme: str = ""
    time: str = ""
    """"relative", "local" or "utc"."""
    configured: tuple[str, str] = ("", "")
    """What the settings said of theme and time then: where they say something else by now, they count."""

    @classmethod
    def load(cls, stored: Mapping[str, bytes], settings: Settings) -> "UiPreferences":
        """The looks that were kept, below what the settings say."""
        configured = (settings.ui.theme, settings.ui.time)
        looks = _decode(stored.get(PREFERENCES), UiPreferences) or UiPreferences(configured=configured)
        if looks.configured == configured and looks.theme and looks.time:
            return looks
        return msgspec.structs.replace(looks, theme=configured[0], time=configured[1], configured=configured)


class InitialState(NamedTuple):
    """What is shown before the engine says anything."""

    update: Update
    preferences: UiPreferences
    load_all_jobs: Callable[[], Update] | None = None
    """Gives all jobs, where `first` holds only those at the top; None: it holds all."""


def load_initial_state(workspace: Workspace) -> InitialState:
    """The last known board with its accounts, and the looks. Raises JournalError."""
    kept = workspace.journal.load_ui_state(PREFERENCES, HEAD_NAME)
    heading = _decode(kept.get(HEAD_NAME), CachedHead)
    looks = UiPreferences.load(kept, workspace.settings)
    problems: tuple[str, ...] = ()
    try:
        stamp = workspace.watchlist.stamp()
        if heading is not None and (heading.path, heading.stamp) == (str(workspace.paths.watchlist_file), stamp):
            unsorted = looks.view is View.ALL and not looks.sort and not looks.descending
            if unsorted and (top := _first_jobs(workspace, heading.first_refs)):
                return InitialState(_update(workspace, top), looks, lambda: _update(workspace, _all_jobs(workspace)))
            board = _all_jobs(workspace)
        else:
            board = workspace.job_states()
    except WatchlistError as error:
        problems = (str(error),)
        board = _jobs_from_journal(workspace)
    return InitialState(_update(workspace, board, problems), looks)


def _update(workspace: Workspace, board: dict[Ref, JobState], problems: tuple[str, ...] = ()) -> Update:
    return Update(states=board, order=tuple(board), accounts=initial_accounts(workspace), problems=problems)


def _all_jobs(workspace: Workspace) -> dict[Ref, JobState]:
    """All jobs: from the journal alone, where it holds every one that was listed."""
    known = _jobs_from_journal(workspace)
    complete = workspace.restored_board is not None and len(known) == len(workspace.restored_board.cache.order)
    return known if complete else workspace.job_states()


def _first_jobs(workspace: Workspace, pairs: list[Any]) -> dict[Ref, JobState]:
    """The jobs that a first frame can show; none where the journal does not hold all of them."""
    refs = [Ref(*pair) for pair in pairs]
    known = workspace.journal.states(refs) if refs else {}
    return {ref: known[ref] for ref in refs} if len(known) == len(refs) else {}


def initial_accounts(workspace: Workspace) -> dict[str, AccountState]:
    """Every account, before it was asked anything."""
    found: dict[str, AccountState] = {}
    for name, account in workspace.accounts.items():
        key = workspace.key(name)
        found[name] = AccountState(
            name=name,
            provider=account.provider.name,
            title=account.provider.title,
            id_patterns=account.provider.id_patterns,
            kinds=tuple(account.provider.kinds),
            health=Health.UNTRIED if isinstance(key, Secret) else Health.NO_KEY,
            message="" if isinstance(key, Secret) else str(key),
            rate_per_minute=account.per_minute,
        )
    return found


def _jobs_from_journal(workspace: Workspace) -> dict[Ref, JobState]:
    """What the journal knows of the jobs that were listed, in their order; the engine begins with it."""
    listing = _decode(workspace.journal.load_ui_state(CACHE_NAME).get(CACHE_NAME), WatchlistCache)
    if listing is None or listing.path != str(workspace.paths.watchlist_file):
        return {}
    known = listing.states_in_order(workspace.journal.states())
    workspace.restored_board = RestoredBoard(listing, known)
    return known


def _decode(stored: bytes | None, target: type[T]) -> T | None:
    """What was kept, where it still has this shape."""
    try:
        return msgspec.json.decode(stored, type=target) if stored else None
    except msgspec.DecodeError:
        return None
