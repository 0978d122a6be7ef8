"""Screenshots of the demo at a fixed time: `python -m tests.screenshots [FOLDER]` (default `screenshots/`)."""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from tests.support.fake_engine import FakeEngine, account_states
from tui.dashboard.app import Babeltop
from tui.dashboard.widgets.welcome import OnboardingInfo
from tui.demo import demo_workspace
from tui.domain.artifacts import artifacts
from tui.domain.models import DownloadedFile, Phase
from tui.engine.api import AccountState, DownloadProgress, DownloadStage, Health, Update
from tui.presentation import queries
from tui.storage.workspace import Workspace

NOW = 1_795_270_000.0
"""2026-11-21T14:06:40Z."""

SUNSET = 1_793_404_800.0
"""2026-10-31, the end of the API of account agency."""

WAIT, UNREACHABLE = "rate limit reached (429): polling resumes in 38 s", "client.camb.ai cannot be reached"


class Screenshot(NamedTuple):
    """Picture: name, size of the terminal, keys pressed before, theme."""

    name: str
    size: tuple[int, int]
    keys: Sequence[str] = ()
    theme: str = "babeltop-dark"
    empty: bool = False
    with_problems: bool = False
    """Accounts in every state, stale rows, an invalid watchlist."""
    with_downloads: bool = False
    """One job is downloading, one queued, one downloaded."""


IDS = "7544c0b52ada44fda693a15b1181b5b4-fr"
SCREENSHOTS = (
    Screenshot("board-120x40", (120, 40), ["j"] * 9),
    Screenshot("board-80x24", (80, 24)),
    Screenshot("board-200x60", (200, 60), [*["3", "j", "j"], "right_square_bracket", "right_square_bracket"]),
    Screenshot("charts", (160, 40), ["2", *"jjjjjjjjj"]),
    Screenshot("fleet", (120, 24), ["F"]),
    Screenshot("calendar", (120, 30), ["E", "j"]),
    Screenshot("team", (120, 24), ["M", "j"]),
    Screenshot("light", (120, 40), ["j"] * 9, "babeltop-light"),
    Screenshot("contrast", (120, 40), ["j"] * 9, "babeltop-contrast"),
    Screenshot("detail-80x24", (80, 24), ["3", "j", "enter"]),
    Screenshot("timeline", (120, 40), ["2", *"jjjjjjjj", "right_square_bracket"]),
    Screenshot("problems", (120, 40), ["4"]),
    Screenshot("filter", (120, 40), ["slash", *"provider:heygen -phase:running"]),
    Screenshot("add", (80, 24), ["a", *IDS, "enter", *"doc_abc123def456", "enter", *"interview-4"]),
    Screenshot("edit", (80, 24), ["e"]),
    Screenshot("help", (80, 24), ["question_mark"]),
    Screenshot("help-200x60", (200, 60), ["question_mark"]),
    Screenshot("sort", (80, 24), ["s", "j", "j"]),
    Screenshot("accounts", (80, 24), ["A"]),
    Screenshot("recent-events", (80, 24), ["J"]),
    Screenshot("instants", (120, 40), ["t", "greater_than_sign"]),
    Screenshot("requests", (120, 40), ["slash", *"patent", "enter", *["right_square_bracket"] * 3]),
    Screenshot("result", (120, 40), ["slash", *"newsletter", "enter", *["right_square_bracket"] * 4]),
    Screenshot("search", (120, 40), ["3", "j", *["right_square_bracket"] * 2, "enter", "slash", *"url", "enter"]),
    Screenshot("banner", (120, 40), ["j"], with_problems=True),
    Screenshot("banner-80x24", (80, 24), with_problems=True),
    Screenshot("downloads", (120, 40), ["3"], with_downloads=True),
    Screenshot("parts", (80, 24), ["slash", *"factory tour", "enter", "l"]),
    Screenshot("first-run", (80, 24), empty=True),
)


STATISTICS = {
    "heygen": {"request_count": 412, "fault_count": 3, "latency": 0.21},
    "agency": {
        "health": Health.OK,
        "request_count": 4,
        "fault_count": 4,
        "latency": 0.19,
        "is_deprecated": True,
        "sunset_at": SUNSET,
    },
    "deepl": {"request_count": 71, "latency": 0.18},
    "konpro": {"request_count": 288, "fault_count": 17, "latency": 0.34},
    "camb": {"request_count": 503, "fault_count": 1, "latency": 0.12},
    "flixu": {"request_count": 640, "latency": 0.16, "quota": (108, 120)},
}
"""Statistics of each account."""


def used_accounts(workspace: Workspace) -> dict[str, AccountState]:
    """Return the accounts some hours after the start."""
    return {name: replace(state, **STATISTICS.get(name, {})) for name, state in account_states(workspace).items()}


def problems_update(workspace: Workspace) -> Update:
    """Return an update with every kind of problem."""
    states = used_accounts(workspace)
    more = {
        "heygen": {"health": Health.OK, "quota": (42, 100)},
        "konpro": {
            "health": Health.LIMITED,
            "http_status": 429,
            "waits_until": NOW + 38,
            "message": "rate limit reached (429): polling resumes in 38 s",
        },
        "camb": {
            "health": Health.OFFLINE,
            "consecutive_failures": 5,
            "waits_until": NOW + 30,
            "message": "client.camb.ai cannot be reached",
        },
        "flixu": {"health": Health.REFUSED, "message": "Flixu rejected the API key (401): set a new key"},
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
        for ref, state in workspace.job_states().items()
        if state.job.account == "camb" and state.phase is Phase.RUNNING
    }
    return Update(
        states=old,
        accounts={name: replace(state, **more.get(name, {})) for name, state in states.items()},
        problems=("watchlist.toml, line 41, column 8: invalid TOML. Showing the last good list; correct the file",),
    )


def downloads_update(workspace: Workspace) -> Update:
    """Return an update with a running download, a queued one, and a downloaded result."""
    states = workspace.job_states().values()
    first, second, third, *_ = [state for state in states if state.phase is Phase.DONE and state.links]
    files = [
        DownloadedFile(piece.name, f"~/Downloads/babeltop/{queries.display_name(third)}.mp4", 48_300_000, NOW)
        for piece in artifacts(third)
    ]
    half = DownloadProgress(
        ref=first.job.ref,
        stage=DownloadStage.DOWNLOADING,
        file_name=f"{queries.display_name(first)}.mp4",
        received_bytes=554_000_000,
        total_bytes=1_230_000_000,
        bytes_per_second=18_200_000.0,
    )
    waiting = DownloadProgress(ref=second.job.ref, stage=DownloadStage.WAITING)
    return Update(
        states={third.job.ref: replace(third, downloads=tuple(files))},
        downloads={received.ref: received for received in (half, waiting)},
    )


async def take_screenshot(screenshot: Screenshot, workspace: Workspace, folder: Path) -> None:
    """Press the keys and save the picture as SVG."""
    feed = FakeEngine(workspace)
    feed.accounts = used_accounts(workspace)
    feed.now = lambda: NOW
    board = {} if screenshot.empty else workspace.job_states()
    app = Babeltop(
        feed,
        workspace.settings,
        OnboardingInfo("~/.config/babeltop/watchlist.toml", workspace.key_variables()),
        initial_update=Update(states=board, order=tuple(board), accounts=feed.accounts),
        role="polling",
        now=lambda: NOW,
        zone=UTC,
    )
    async with app.run_test(size=screenshot.size) as pilot:
        app.theme = screenshot.theme
        await pilot.pause()
        if screenshot.with_problems:
            feed.push(problems_update(workspace))
            await pilot.pause()
        if screenshot.with_downloads:
            feed.push(downloads_update(workspace))
            await pilot.pause()
        await pilot.press(*screenshot.keys)
        await pilot.pause(0.3)
        app.save_screenshot(f"{screenshot.name}.svg", str(folder))


def main(folder: Path) -> None:
    """Take all screenshots, with all colours."""
    os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
    os.environ.pop("NO_COLOR", None)
    folder.mkdir(parents=True, exist_ok=True)
    for shot in SCREENSHOTS:
        with demo_workspace(now=lambda: NOW) as (library, _):
            library.keys.fetch_all()
            asyncio.run(take_screenshot(shot, library, folder))
        print(folder / f"{shot.name}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"))
