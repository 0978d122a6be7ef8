"""What stands in an empty board: how to begin."""

from collections.abc import Sequence

from msgspec import Struct
from textual.content import Content
from textual.widgets import Static


class Greeting(Struct, frozen=True):
    """What a first run needs to know."""

    watchlist: str
    """The file's path."""
    keys: Sequence[tuple[str, str, bool]]
    """Provider, the environment variable of its key, and whether there is a key."""


class Welcome(Static):
    """Three ways to begin, and which keys were found."""

    def __init__(self, greeting: Greeting) -> None:
        lines = [
            Content.styled("Nothing on the watchlist yet.", "bold"),
            Content(""),
            _way("a", "adds job ids"),
            _way("babeltop --demo", "shows it with made-up jobs"),
            _way("any editor", greeting.watchlist),
            Content(""),
            *(_key(*key) for key in greeting.keys),
        ]
        super().__init__(Content("\n").join(lines), markup=False)


def _way(how: str, what: str) -> Content:
    return Content.assemble((f"{how:<20}", "$accent"), what)


def _key(name: str, variable: str, found: bool) -> Content:
    sign = Content.styled("● key found", "$job-done") if found else Content.styled(f"○ no {variable}", "$job-quiet")
    return Content.assemble(f"{name:<20}", sign)
