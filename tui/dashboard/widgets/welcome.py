"""First-run screen: what to do with an empty watchlist."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from tui.dashboard.startup import OnboardingInfo

MAX_KEYS = 8
"""Keys that are shown while none was found."""


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
            *_key_lines(info.keys),
        ]
        super().__init__(Content("\n").join(lines), markup=False)


def _hint_line(action: str, description: str) -> Content:
    return Content.assemble((f"{action:<20}", "$accent"), description)


def _key_lines(keys: Sequence[tuple[str, str, bool]]) -> list[Content]:
    """Return the keys that were found, else the first that could be set, and the number of the others."""
    shown = [key for key in keys if key[2]] or list(keys[:MAX_KEYS])
    others = len(keys) - len(shown)
    return [_key_line(*key) for key in shown] + [_hint_line("babeltop providers", f"{others} more services")] * (
        others > 0
    )


def _key_line(name: str, variable: str, found: bool) -> Content:
    sign = (
        Content.styled("● key found", "$job-done") if found else Content.styled(f"○ {variable} not set", "$job-quiet")
    )
    return Content.assemble(f"{name:<20}", sign)
