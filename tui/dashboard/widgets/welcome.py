"""First-run screen: what to do with an empty watchlist."""

from collections.abc import Sequence

from msgspec import Struct
from textual.content import Content
from textual.widgets import Static


class OnboardingInfo(Struct, frozen=True):
    """Facts that the first-run screen shows."""

    watchlist: str
    """Path of the file."""
    keys: Sequence[tuple[str, str, bool]]
    """Provider, environment variable of its key, and whether a key was found."""


class Welcome(Static):
    """Three ways to start, and the keys that were found."""

    def __init__(self, info: OnboardingInfo) -> None:
        lines = [
            Content.styled("The watchlist is empty.", "bold"),
            Content(""),
            _hint_line("a", "add job ids"),
            _hint_line("babeltop --demo", "try it with simulated jobs"),
            _hint_line("any editor", info.watchlist),
            Content(""),
            *(_key_line(*key) for key in info.keys),
        ]
        super().__init__(Content("\n").join(lines), markup=False)


def _hint_line(action: str, description: str) -> Content:
    return Content.assemble((f"{action:<20}", "$accent"), description)


def _key_line(name: str, variable: str, found: bool) -> Content:
    sign = (
        Content.styled("● key found", "$job-done") if found else Content.styled(f"○ {variable} not set", "$job-quiet")
    )
    return Content.assemble(f"{name:<20}", sign)
