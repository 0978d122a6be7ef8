"""What the dashboard begins with: the last known board, and how the operator left the screen. It asks nobody.

Parsing a long watchlist takes longer than a first frame may. So its order is remembered with the file's stamp, and
while the stamp is the same, the journal alone gives the board; the engine reads the file afterwards.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from tui.domain.board import JobState
from tui.domain.jobs import Ref
from tui.domain.rows import View
from tui.engine.feed import AccountState, Health, Update
from tui.stores.library import Library
from tui.stores.secrets import Secret
from tui.stores.settings import Settings
from tui.stores.watchlist import WatchlistError

WATCHLIST, LOOKS = "watchlist", "looks"
"""The names under which the journal keeps it."""

T = TypeVar("T")


class Listing(Struct, frozen=True, kw_only=True):
    """A watchlist's order, and of which file's state it was."""

    path: str
    stamp: tuple[int, int, int] | None
    order: tuple[Ref, ...] = ()


class Looks(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the screen looks, as far as that is remembered."""

    view: View = View.ALL
    sort: str = ""
    descending: bool = False
    preview: bool = True
    theme: str = ""
    time: str = ""
    """"relative", "local" or "utc"."""
    configured: tuple[str, str] = ("", "")
    """What the settings said of theme and time then: where they say something else by now, they count."""

    @classmethod
    def of(cls, kept: Mapping[str, object], settings: Settings) -> "Looks":
        """The looks that were kept, below what the settings say."""
        configured = (settings.ui.theme, settings.ui.time)
        looks = _read(kept.get(LOOKS), Looks) or Looks(configured=configured)
        if looks.configured == configured and looks.theme and looks.time:
            return looks
        return msgspec.structs.replace(looks, theme=configured[0], time=configured[1], configured=configured)


def beginning(library: Library) -> tuple[Update, Looks]:
    """The last known board with its accounts, and the looks. Raises JournalError."""
    kept = library.journal.remembered()
    problems: tuple[str, ...] = ()
    listing = _read(kept.get(WATCHLIST), Listing)
    if listing is not None and listing.path != str(library.places.watchlist):
        listing = None
    try:
        board = _from_journal(library, listing) if listing and listing.stamp == library.watchlist.stamp() else None
        board = library.board() if board is None else board
    except WatchlistError as error:
        problems = (str(error),)
        board = (_from_journal(library, listing) if listing else None) or {}
    first = Update(states=board, order=tuple(board), accounts=accounts(library), problems=problems)
    return first, Looks.of(kept, library.settings)


def listing(library: Library, order: tuple[Ref, ...]) -> Listing | None:
    """What is to be remembered of the watchlist; None: it cannot be read."""
    try:
        return Listing(path=str(library.places.watchlist), stamp=library.watchlist.stamp(), order=order)
    except WatchlistError:
        return None


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


def _from_journal(library: Library, listing: Listing) -> dict[Ref, JobState] | None:
    """The board in the order that was remembered; None: the journal does not hold all of it."""
    known = library.journal.states()
    board = {ref: known[ref] for ref in listing.order if ref in known}
    return board if len(board) == len(listing.order) else None


def _read(kept: object, shape: type[T]) -> T | None:
    """What was kept, where it still has this shape."""
    try:
        return None if kept is None else msgspec.convert(kept, shape)
    except msgspec.ValidationError:
        return None
