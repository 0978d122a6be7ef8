"""Makes every picture in `screenshots/` from the demo at a fixed time: `python -m tests.screenshots [FOLDER]`."""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from tests.support.fake_engine import LibraryFeed, accounts
from tui.dashboard.app import Babeltop
from tui.dashboard.widgets.welcome import Greeting
from tui.demo import staged
from tui.domain.artifacts import artifacts
from tui.domain.models import DownloadedFile, Phase
from tui.engine.api import AccountState, Health, Progress, Stage, Update
from tui.presentation import queries
from tui.storage.workspace import Library

NOW = 1_795_270_000.0
"""2026-11-21T14:06:40Z."""

WAIT, AWAY = "the service asked to wait", "client.camb.ai cannot be reached"


class Shot(NamedTuple):
    """A picture: its name, the terminal's size, the keys pressed before, and the theme."""

    name: str
    size: tuple[int, int]
    keys: Sequence[str] = ()
    theme: str = "babeltop-dark"
    empty: bool = False
    troubled: bool = False
    """Accounts in every state, old rows, and a watchlist that does not parse."""
    saving: bool = False
    """One job is being downloaded, another is saved."""


IDS = "7544c0b52ada44fda693a15b1181b5b4-fr"
SHOTS = (
    Shot("board-120x40", (120, 40), ["j"] * 9),
    Shot("board-80x24", (80, 24)),
    Shot("board-200x60", (200, 60), [*["3", "j", "j"], "right_square_bracket", "right_square_bracket"]),
    Shot("light", (120, 40), ["j"] * 9, "babeltop-light"),
    Shot("contrast", (120, 40), ["j"] * 9, "babeltop-contrast"),
    Shot("detail-80x24", (80, 24), ["3", "j", "enter"]),
    Shot("timeline", (120, 40), ["2", *"jjjjjjjj", "right_square_bracket"]),
    Shot("problems", (120, 40), ["4"]),
    Shot("filter", (120, 40), ["slash", *"provider:heygen -phase:running"]),
    Shot("add", (80, 24), ["a", *IDS, "enter", *"doc_abc123def456", "enter", *"interview-4"]),
    Shot("edit", (80, 24), ["e"]),
    Shot("help", (80, 24), ["question_mark"]),
    Shot("sort", (80, 24), ["s", "j", "j"]),
    Shot("accounts", (80, 24), ["A"]),
    Shot("journal", (80, 24), ["J"]),
    Shot("instants", (120, 40), ["t", "greater_than_sign"]),
    Shot("asks", (120, 40), ["slash", *"patent", "enter", *["right_square_bracket"] * 3]),
    Shot("result", (120, 40), ["slash", *"newsletter", "enter", *["right_square_bracket"] * 4]),
    Shot("search", (120, 40), ["3", "j", *["right_square_bracket"] * 2, "enter", "slash", *"url", "enter"]),
    Shot("troubles", (120, 40), ["j"], troubled=True),
    Shot("troubles-80x24", (80, 24), troubled=True),
    Shot("downloads", (120, 40), ["3"], saving=True),
    Shot("first-run", (80, 24), empty=True),
)


ASKED = {
    "heygen": {"asks": 412, "faults": 3, "latency": 0.21},
    "konpro": {"asks": 288, "faults": 17, "latency": 0.34},
    "camb": {"asks": 503, "faults": 1, "latency": 0.12},
    "flixu": {"asks": 640, "latency": 0.16, "quota": (108, 120)},
}
"""What each account went through since the start."""


def used(library: Library) -> dict[str, AccountState]:
    """The accounts, some hours after the start."""
    return {name: replace(state, **ASKED.get(name, {})) for name, state in accounts(library).items()}


def trouble(library: Library) -> Update:
    """What stands in the way of an operator on a bad day."""
    states = used(library)
    more = {
        "heygen": {"health": Health.OK, "deprecated": True, "sunset": NOW + 9 * 86400, "quota": (42, 100)},
        "konpro": {
            "health": Health.LIMITED,
            "http_status": 429,
            "until": NOW + 38,
            "message": "the service asked to wait",
        },
        "camb": {
            "health": Health.OFFLINE,
            "failures": 5,
            "until": NOW + 30,
            "message": "client.camb.ai cannot be reached",
        },
        "flixu": {"health": Health.REFUSED, "message": "401: the key is refused; r in Accounts tries again"},
    }
    old = {
        ref: replace(
            state,
            checked_at=NOW - 740,
            stale_after=NOW - 5,
            phase_since=state.phase_since - 740,
            first_polled_at=state.first_polled_at - 740,
            duration_fit=None,
        )
        for ref, state in library.board().items()
        if state.job.account == "camb" and state.phase is Phase.RUNNING
    }
    return Update(
        states=old,
        accounts={name: replace(state, **more.get(name, {})) for name, state in states.items()},
        problems=("watchlist.toml: line 41, column 8: no TOML; the list before stays until it is mended",),
    )


def saving(library: Library) -> Update:
    """A download that is half there, one that waits for its turn, and a result that is saved and whose link may die."""
    states = library.board().values()
    first, second, third, *_ = [state for state in states if state.phase is Phase.DONE and state.links]
    files = [
        DownloadedFile(piece.name, f"~/Downloads/babeltop/{queries.display_name(third)}.mp4", 48_300_000, NOW)
        for piece in artifacts(third)
    ]
    half = Progress(
        ref=first.job.ref,
        stage=Stage.FETCHING,
        name=f"{queries.display_name(first)}.mp4",
        have=554_000_000,
        total=1_230_000_000,
        speed=18_200_000.0,
    )
    waiting = Progress(ref=second.job.ref, stage=Stage.WAITING)
    return Update(
        states={third.job.ref: replace(third, downloads=tuple(files))},
        downloads={told.ref: told for told in (half, waiting)},
    )


async def take(shot: Shot, library: Library, folder: Path) -> None:
    """Presses the keys and saves the picture as SVG."""
    feed = LibraryFeed(library)
    feed.accounts = used(library)
    board = {} if shot.empty else library.board()
    app = Babeltop(
        feed,
        library.settings,
        Greeting("~/.config/babeltop/watchlist.toml", library.key_variables()),
        first=Update(states=board, order=tuple(board), accounts=feed.accounts),
        role="polling",
        now=lambda: NOW,
        zone=UTC,
    )
    async with app.run_test(size=shot.size) as pilot:
        app.theme = shot.theme
        await pilot.pause()
        if shot.troubled:
            feed.push(trouble(library))
            await pilot.pause()
        if shot.saving:
            feed.push(saving(library))
            await pilot.pause()
        await pilot.press(*shot.keys)
        await pilot.pause(0.3)
        app.save_screenshot(f"{shot.name}.svg", str(folder))


def main(folder: Path) -> None:
    """Takes all pictures, as on a terminal with all colours."""
    os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
    os.environ.pop("NO_COLOR", None)
    folder.mkdir(parents=True, exist_ok=True)
    for shot in SHOTS:
        with staged(now=lambda: NOW) as (library, _):
            library.fetch_keys()
            asyncio.run(take(shot, library, folder))
        print(folder / f"{shot.name}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"))
