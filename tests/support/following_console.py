"""Console of a team without a screen: `python -m tests.support.following_console` follows until SIGTERM.

It requests a poll of a random job now and then, and prints each state that is older than one that it showed before.
"""

import asyncio
import os
import random

from tui.cli.commands.poll import run_until_signal
from tui.domain.job_state import JobState, last_update_at
from tui.domain.models import ACTIVE, Ref
from tui.engine.api import EngineEvent, Refresh
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.storage.config.configuration import WorkspacePaths
from tui.storage.workspace import Workspace

REFRESH_INTERVAL = 3.0
"""Seconds between two requested polls."""
WENT_BACK = "went back"
"""Text of each line about an older state."""


class Witness:
    """Listener that compares each state with the one before."""

    def __init__(self) -> None:
        self._shown: dict[Ref, tuple[float, int]] = {}

    def publish(self, event: EngineEvent) -> None:
        if not isinstance(event, JobState):
            return
        ref, now = event.job.ref, (last_update_at(event), event.poll_count)
        before = self._shown.get(ref, now)
        if now[0] < before[0] or now[1] < before[1]:
            print(f"{ref} {WENT_BACK} from {before} to {now}", flush=True)
        self._shown[ref] = now


async def follow(workspace: Workspace) -> None:
    engine = Engine(workspace, Witness().publish, EngineContext.create(wall=workspace.wall))
    await engine.open(tolerate_errors=True)

    async def refresh() -> None:
        while True:
            await asyncio.sleep(random.uniform(0, 2 * REFRESH_INTERVAL))
            active = [ref for ref, state in engine.states.items() if state.phase in ACTIVE]
            if active:
                await engine.perform(Refresh((random.choice(active),)))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(engine.run())
        tasks.create_task(refresh())


def main() -> None:
    workspace = Workspace.open(WorkspacePaths.default(), os.environ)
    try:
        run_until_signal(follow(workspace))
    finally:
        workspace.close()


if __name__ == "__main__":
    main()
