"""What stands in an empty board: how to begin."""

from collections.abc import Sequence

from msgspec import Struct
from textual.content import Content
from textual.widgets import Static


class OnboardingInfo(Struct, frozen=True):
    """What a first run needs to know."""

    watchlist: str
    """The file's path."""
    keys: Sequence[tuple[str, str, bool]]
    """Provider, the environment variable of its key, and whether there is a key."""


class Welcome(Static):
    """Three ways to begin, and which keys were found."""

    def __init__(self, info: OnboardingInfo) -> None:
        lines = [
            Content.styled("Nothing on the watchlist yet.", "bold"),
            Content(""),
            _hint_line("a", "adds job ids"),
            _hint_line("babeltop --demo", "shows it with made-up jobs"),
            _hint_line("any editor", info.watchlist),
            Content(""),
            *(_key_line(*key) for key in info.keys),
        ]
        super().__init__(Content("\n").join(lines), markup=False)


def _hint_line(action: str, description: str) -> Content:
    return Content.assemble((f"{action:<20}", "$accent"), description)


def _key_line(name: str, variable: str, found: bool) -> Content:
    sign = Content.styled("● key found", "$job-done") if found else Content.styled(f"○ no {variable}", "$job-quiet")
    return Content.assemble(f"{name:<20}", sign)
