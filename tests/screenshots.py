"""Makes every picture in `screenshots/` from the demo at a fixed time: `python -m tests.screenshots [FOLDER]`."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

from tests.feeds import LibraryFeed, accounts
from tui.app import Babeltop
from tui.demo import staged
from tui.engine.feed import Update
from tui.stores.library import Library
from tui.widgets.welcome import Greeting

NOW = 1_795_270_000.0
"""2026-11-21T14:06:40Z."""


class Shot(NamedTuple):
    """A picture: its name, the terminal's size, the keys pressed before, and the theme."""

    name: str
    size: tuple[int, int]
    keys: Sequence[str] = ()
    theme: str = "babeltop-dark"
    empty: bool = False


IDS = "7544c0b52ada44fda693a15b1181b5b4-fr"
SHOTS = (
    Shot("board-120x40", (120, 40), ["j"] * 9),
    Shot("board-80x24", (80, 24)),
    Shot("board-200x60", (200, 60), [*["3", "j", "j"], "right_square_bracket", "right_square_bracket"]),
    Shot("light", (120, 40), ["j"] * 9, "babeltop-light"),
    Shot("contrast", (120, 40), ["j"] * 9, "babeltop-contrast"),
    Shot("detail-80x24", (80, 24), ["3", "j", "enter"]),
    Shot("timeline", (120, 40), ["3", "j", "right_square_bracket"]),
    Shot("problems", (120, 40), ["4"]),
    Shot("filter", (120, 40), ["slash", *"provider:heygen -phase:running"]),
    Shot("add", (80, 24), ["a", *IDS, "enter", *"doc_abc123def456", "enter", *"interview-4"]),
    Shot("edit", (80, 24), ["e"]),
    Shot("help", (80, 24), ["question_mark"]),
    Shot("first-run", (80, 24), empty=True),
)


async def take(shot: Shot, library: Library, folder: Path) -> None:
    """Presses the keys and saves the picture as SVG."""
    feed = LibraryFeed(library)
    board = {} if shot.empty else library.board()
    app = Babeltop(
        feed,
        library.settings,
        Greeting("~/.config/babeltop/watchlist.toml", library.key_variables()),
        first=Update(states=board, order=tuple(board), accounts=accounts(library)),
        role="polling",
        now=lambda: NOW,
        zone=UTC,
    )
    async with app.run_test(size=shot.size) as pilot:
        app.theme = shot.theme
        await pilot.pause()
        await pilot.press(*shot.keys)
        await pilot.pause(0.3)
        app.save_screenshot(f"{shot.name}.svg", str(folder))


def main(folder: Path) -> None:
    """Takes all pictures."""
    for shot in SHOTS:
        with staged(now=lambda: NOW) as (library, _):
            library.fetch_keys()
            asyncio.run(take(shot, library, folder))
        print(folder / f"{shot.name}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"))
