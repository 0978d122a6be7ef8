"""Fixtures: the dashboard over the demo's workspace at a fixed time, in virtual time."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

os.environ["TEXTUAL_ANIMATIONS"] = "none"  # read when textual is imported

import pytest
from msgspec.structs import replace
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot

from tests.support.fake_engine import FakeEngine, account_states
from tests.support.virtual_time import VirtualLoop
from tui.dashboard.app import Babeltop
from tui.dashboard.startup import UiPreferences
from tui.dashboard.widgets.welcome import OnboardingInfo
from tui.demo import demo_workspace
from tui.demo.setup import CONFIG, KEYS
from tui.engine.api import Update
from tui.storage.config.configuration import WorkspacePaths
from tui.storage.watchlist import parser
from tui.storage.workspace import Workspace

NOW = 1_795_270_000.0
"""2026-11-21T14:06:40Z."""


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run the tests on a virtual loop: a pause takes no time, and ends when everything ready is done."""
    return {"virtual": VirtualLoop}


@pytest.fixture(scope="session", autouse=True)
def shared_css() -> Iterator[None]:
    """Parse the CSS of all dashboards of a session once: Textual does for each, a sixth of the time of their tests."""
    parse = Stylesheet._parse_rules

    @cache
    def parse_once(variables: tuple[tuple[str, str], ...], css: str, read_from: Any, *arguments: Any) -> Any:
        stylesheet = Stylesheet(variables=dict(variables))
        return parse(stylesheet, css, read_from, *arguments)

    def parse_rules(
        self: Stylesheet,
        css: str,
        read_from: Any,
        is_default_rules: bool = False,
        tie_breaker: int = 0,
        scope: str = "",
    ) -> Any:
        return parse_once(tuple(self._variables.items()), css, read_from, is_default_rules, tie_breaker, scope)

    Stylesheet._parse_rules = parse_rules
    yield
    Stylesheet._parse_rules = parse


@pytest.fixture(scope="session", autouse=True)
def shared_watchlists() -> Iterator[None]:
    """Parse each text of a watchlist once in a session: most tests begin with the demo's, and read it several times."""
    parse = parser.parse
    parser.parse = lru_cache(50)(parse)
    yield
    parser.parse = parse


@pytest.fixture(autouse=True)
def one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Textual's timers follow the loop's clock, and its pilot wait for the loop alone.

    A frame is drawn in each pause, none between the keys that are pressed before it.
    """

    def loop_time() -> float:
        """Return the loop's time; 0, where every loop starts, without one."""
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return 0.0

    async def until_nothing_is_ready(_: Any) -> bool:
        """Wait until the clock moves, in place of a message to each widget and its response, or of 20 ms."""
        await asyncio.sleep(1e-6)
        return True

    monkeypatch.setattr(Pilot, "_wait_for_screen", until_nothing_is_ready)
    monkeypatch.setattr("textual.app.wait_for_idle", until_nothing_is_ready)
    monkeypatch.setattr("textual._time.get_time", loop_time)
    monkeypatch.setattr("textual._wait.process_time", lambda: 0.0)


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the dashboard's terminal all colours."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the demo's folder, which each test copies: its history is played once."""
    with demo_workspace(now=lambda: NOW) as (workspace, _):
        return shutil.copytree(workspace.paths.config_dir, tmp_path_factory.mktemp("demo") / "demo")


@pytest.fixture
def workspace(demo_folder: Path, tmp_path: Path) -> Iterator[Workspace]:
    folder = shutil.copytree(demo_folder, tmp_path / "demo")
    (folder / "config.toml").write_text(CONFIG.format(downloads=folder / "downloads"))
    places = WorkspacePaths(config_dir=folder, state_dir=folder / "state", watchlist_file=folder / "watchlist.toml")
    with closing(Workspace.open(places, KEYS)) as workspace:
        workspace.keys.fetch_all()
        yield workspace


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[FakeEngine]:
    engine = FakeEngine(workspace)
    engine.now = lambda: NOW
    yield engine
    engine.close()


@pytest.fixture
def app(workspace: Workspace, engine: FakeEngine) -> Babeltop:
    """Return the dashboard in the watchlist's order, by which tests count rows."""
    board = workspace.job_states()
    return Babeltop(
        engine,
        workspace.settings,
        OnboardingInfo("~/.config/babeltop/watchlist.toml", workspace.key_variables()),
        initial_update=Update(states=board, order=tuple(board), accounts=account_states(workspace)),
        child_environment=lambda: {name: value for name, value in os.environ.items() if name != "SECRET"},
        preferences=replace(UiPreferences.load({}, workspace.settings), sort="watchlist"),
        role="demo",
        now=lambda: NOW,
        zone=UTC,
    )
