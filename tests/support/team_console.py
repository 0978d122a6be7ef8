"""Consoles and workers of a team, each with an engine on the loop of the test."""

import asyncio

from tests.support import fixtures
from tests.support.fixtures import RecordingListener
from tests.support.waiting import until
from tui.domain.models import Phase, Ref
from tui.engine.api import Refresh
from tui.engine.engine import Engine
from tui.engine.notifications.hooks import HookDispatcher

TICK = 0.2
"""Seconds between two ticks of an engine."""
A, B = Ref("heygen", "a-fine-x"), Ref("heygen", "b-fine-x")
KEYLESS = {"heygen": "", "flixu": ""}
"""Keys of a console of both accounts."""


def worker_with(account, key=fixtures.KEY):
    """Return the keys of a worker that has one of them."""
    return {**KEYLESS, account: key}


class Console:
    """Process of a team with a folder, a watchlist and an engine of its own."""

    def __init__(self, folder, service, team, jobs=(), *, is_worker=False, keys=None, clock=None, more="", tick=TICK):
        """`keys`: by account, else that of heygen, which a worker alone has. `more`: config.toml after `[team]`."""
        folder.mkdir(exist_ok=True)
        self.listener = RecordingListener()
        config = f'[polling]\nmax_interval = "2s"\n[team]\ndatabase = "{team}"\nwatchlist = "{folder.name}"\n{more}'
        keys = keys or {"heygen": fixtures.KEY if is_worker else ""}
        self.workspace = fixtures.make_workspace(
            folder, service, jobs, config=config, accounts=tuple(keys), keys=keys, rate=6000
        )
        if clock is not None:
            self.workspace._database_clock = clock
        hooks = HookDispatcher(self.workspace, print) if is_worker and self.workspace.settings.hooks else None
        self.engine = Engine(
            self.workspace, self.listener.publish, tick_interval=tick, is_worker=is_worker, team_hooks=hooks
        )
        self._task = None

    async def __aenter__(self):
        await self.engine.open(tolerate_errors=True)
        self._task = asyncio.create_task(self.engine.run())
        await asyncio.sleep(0)  # a task that never ran closes nothing
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.workspace.close()

    async def sees(self, condition):
        """Wait until the condition of the states holds. Raises the error with which the engine has ended."""

        def holds():
            assert not self._task.done(), self._task.exception()
            return condition(self.engine.states)

        await until(holds)


def is_done(ref):
    """Return a condition of states: the job is done, with its links."""
    return lambda states: ref in states and states[ref].phase is Phase.DONE and states[ref].links


async def poll(worker, *refs, by=None):
    """Have a worker poll the jobs now, instead of within the first interval; `by`: console of the command, else it."""
    await worker.sees(lambda states: all(ref in states for ref in refs) and worker.listener.last_role == "polling")
    assert (await (by or worker).engine.perform(Refresh(refs))).ok
