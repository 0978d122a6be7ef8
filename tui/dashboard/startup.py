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
from tui.storage.watchlist.cache import HEADING, WATCHLIST, Heading, Listing, Recalled
from tui.storage.watchlist.file import WatchlistError
from tui.storage.workspace import Library

LOOKS = "looks"
"""The name under which the journal keeps them."""
T = TypeVar("T")


class Looks(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the screen looks, as far as that is remembered."""

    view: View = View.ALL
    sort: str = ""
    descending: bool = False
    preview: bool = True
    turned: bool = False
    """The detail stands below where it would be at the right by itself, and the other way round."""
    theme: str = ""
    time: str = ""
    """"relative", "local" or "utc"."""
    configured: tuple[str, str] = ("", "")
    """What the settings said of theme and time then: where they say something else by now, they count."""

    @classmethod
    def of(cls, kept: Mapping[str, bytes], settings: Settings) -> "Looks":
        """The looks that were kept, below what the settings say."""
        configured = (settings.ui.theme, settings.ui.time)
        looks = _read(kept.get(LOOKS), Looks) or Looks(configured=configured)
        if looks.configured == configured and looks.theme and looks.time:
            return looks
        return msgspec.structs.replace(looks, theme=configured[0], time=configured[1], configured=configured)


class Beginning(NamedTuple):
    """What is shown before the engine says anything."""

    first: Update
    looks: Looks
    whole: Callable[[], Update] | None = None
    """Gives all jobs, where `first` holds only those at the top; None: it holds all."""


def beginning(library: Library) -> Beginning:
    """The last known board with its accounts, and the looks. Raises JournalError."""
    kept = library.journal.remembered(LOOKS, HEADING)
    heading = _read(kept.get(HEADING), Heading)
    looks = Looks.of(kept, library.settings)
    problems: tuple[str, ...] = ()
    try:
        stamp = library.watchlist.stamp()
        if heading is not None and (heading.path, heading.stamp) == (str(library.places.watchlist), stamp):
            unsorted = looks.view is View.ALL and not looks.sort and not looks.descending
            if unsorted and (top := _top(library, heading.top)):
                return Beginning(_update(library, top), looks, lambda: _update(library, _board(library)))
            board = _board(library)
        else:
            board = library.board()
    except WatchlistError as error:
        problems = (str(error),)
        board = _known(library)
    return Beginning(_update(library, board, problems), looks)


def _update(library: Library, board: dict[Ref, JobState], problems: tuple[str, ...] = ()) -> Update:
    return Update(states=board, order=tuple(board), accounts=accounts(library), problems=problems)


def _board(library: Library) -> dict[Ref, JobState]:
    """All jobs: from the journal alone, where it holds every one that was listed."""
    known = _known(library)
    complete = library.recalled is not None and len(known) == len(library.recalled.listing.order)
    return known if complete else library.board()


def _top(library: Library, pairs: list[Any]) -> dict[Ref, JobState]:
    """The jobs that a first frame can show; none where the journal does not hold all of them."""
    refs = [Ref(*pair) for pair in pairs]
    known = library.journal.states(refs) if refs else {}
    return {ref: known[ref] for ref in refs} if len(known) == len(refs) else {}


def accounts(library: Library) -> dict[str, AccountState]:
    """Every account, before it was asked anything."""
    found: dict[str, AccountState] = {}
    for name, account in library.accounts.items():
        key = library.key(name)
        found[name] = AccountState(
            name=name,
            provider=account.provider.name,
            title=account.provider.title,
            hints=account.provider.ids,
            kinds=tuple(account.provider.kinds),
            health=Health.UNTRIED if isinstance(key, Secret) else Health.NO_KEY,
            message="" if isinstance(key, Secret) else str(key),
            per_minute=account.per_minute,
        )
    return found


def _known(library: Library) -> dict[Ref, JobState]:
    """What the journal knows of the jobs that were listed, in their order; the engine begins with it."""
    listing = _read(library.journal.remembered(WATCHLIST).get(WATCHLIST), Listing)
    if listing is None or listing.path != str(library.places.watchlist):
        return {}
    known = listing.known(library.journal.states())
    library.recalled = Recalled(listing, known)
    return known


def _read(kept: bytes | None, shape: type[T]) -> T | None:
    """What was kept, where it still has this shape."""
    try:
        return msgspec.json.decode(kept, type=shape) if kept else None
    except msgspec.DecodeError:
        return None
