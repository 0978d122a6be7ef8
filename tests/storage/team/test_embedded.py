"""Without a team, nothing of PostgreSQL is imported."""

import subprocess
import sys

RUN = """
import asyncio, sys
from pathlib import Path
from tests.support import fixtures
from tui.engine.engine import Engine

async def play():
    workspace = fixtures.make_workspace(Path(sys.argv[1]), "http://127.0.0.1:9", {"heygen": ("a",)})
    async with fixtures.running_engine(Engine(workspace, lambda event: None)):
        await asyncio.sleep(0)
    workspace.close()

asyncio.run(play())
import tui.cli.main, tui.engine.thread, tui.dashboard.app
print([name for name in sys.modules if "psycopg" in name or name.startswith("tui.storage.team")])
"""


def test_an_engine_without_a_team_imports_nothing_of_postgresql(tmp_path):
    run = subprocess.run([sys.executable, "-c", RUN, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert run.stdout == "[]\n", run.stderr
