"""Discovery without the operator: accounts with `discover = true` are listed regularly, and new jobs are added.

A job that the operator removed is not added again. A job so old that it would be archived at once is left out.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from tui.domain.job_state import JobState, StatusReceived
from tui.domain.models import ACTIVE, Fault, Job, Phase, Ref
from tui.engine.accounts import discovery
from tui.engine.accounts.account import AccountRuntime
from tui.engine.accounts.discovery import AcquireSlot, Discovery, lists_of, read_lists
from tui.engine.api import DISCOVERED, CommandResult
from tui.engine.context import EngineContext
from tui.engine.polling.job_store import JobStore
from tui.engine.polling.poller import Poller
from tui.providers.lists.listing import ListedJob
from tui.storage.journal.database import JournalError
from tui.storage.protocols import JobJournal
from tui.storage.watchlist.operations import Add
from tui.storage.workspace import Workspace

INTERVAL = 600.0
"""Seconds from one look at the lists to the next, at most."""
FIRST_LOOK = 30.0
"""Seconds after the start within which the first look begins."""
MAX_WAIT = 300.0
"""Seconds for which a page lets due polls go first, and then waits for the rate limit."""

log = logging.getLogger(__name__)


class AutoDiscovery:
    """Discovery of one engine."""

    def __init__(
        self,
        context: EngineContext,
        workspace: Workspace,
        journal: JobJournal,
        job_store: JobStore,
        pollers: Mapping[str, Poller],
        add: Callable[[Add], Awaitable[CommandResult]],
        is_polling: Callable[[str], bool],
    ) -> None:
        """`add` adds jobs to the watchlist. `is_polling`: whether this console polls all jobs of an account."""
        self._context = context
        self._journal = journal
        self._job_store = job_store
        self._pollers = pollers
        self._add = add
        self._is_polling = is_polling
        self._is_team = workspace.is_team
        self._max_age = workspace.settings.board.archive_after
        wanted = {name for name, table in workspace.settings.accounts.items() if table.discover}
        self._accounts = () if workspace.readonly else tuple(name for name in pollers if name in wanted)

    async def run(self) -> None:
        """Look at the lists regularly until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name in self._accounts:
                tasks.create_task(self._follow(self._pollers[name]))

    async def find_new(self) -> CommandResult:
        """Return the new jobs of all accounts with a list, for the operator. A failure is a message."""
        pollers = [poller for poller in self._pollers.values() if lists_of(poller.account)]
        try:
            results = await asyncio.gather(*map(self._find_new, pollers))
        except JournalError as error:
            return CommandResult(ok=False, message=str(error))
        if not pollers:
            return CommandResult(ok=False, message="No account has a service with a list of jobs")
        problems = [problem for _, problem in results if problem]
        found = tuple(state for states, _ in results for state in states)
        return CommandResult(ok=bool(found) or not problems, message=". ".join(problems), found=found)

    async def _find_new(self, poller: Poller) -> tuple[list[JobState], str]:
        """Return an account's new jobs, and what is missing of its lists."""
        runtime = poller.account
        name = runtime.account.name
        if runtime.key_fault is not None:
            fault = discovery.missing_key_fault(runtime.key_fault, is_team=self._is_team)
            return [], f"{name}: {fault.message}"
        found, new = await self._read(runtime, lambda: runtime.limits.acquire_slot(discovery.MAX_WAIT))
        return [_state(name, job) for job in new], f"{name}: {'; '.join(found.problems)}" if found.problems else ""

    async def _follow(self, poller: Poller) -> None:
        random = self._context.random
        await asyncio.sleep(random.uniform(0, FIRST_LOOK))
        while True:
            if self._is_polling(poller.account.account.name) and poller.account.key_fault is None:
                try:
                    await self._look(poller)
                except JournalError as error:
                    log.warning("account %s: no discovery: %s", poller.account.account.name, error)
                except Exception:
                    log.exception("discovery of account %s", poller.account.account.name)
            await asyncio.sleep(INTERVAL * random.uniform(0.9, 1.0))

    async def _look(self, poller: Poller) -> None:
        """List the account's jobs, add the new ones, and apply the reports that the lists have."""
        name = poller.account.account.name
        found, new = await self._read(poller.account, lambda: self._acquire_slot(poller))
        for problem in found.problems:
            log.warning("account %s: discovery: %s", name, problem)
        if new and self._is_polling(name):
            added = float(int(self._context.now()))
            jobs = (Job(account=name, id=job.id, kind=job.kind, added=added, tags=(DISCOVERED,)) for job in new)
            result = await self._add(Add(tuple(jobs)))
            if not result.ok:
                log.warning("account %s: %d discovered jobs not added: %s", name, len(new), result.message)
        self._apply_reports(name, found.jobs)

    async def _read(self, runtime: AccountRuntime, acquire_slot: AcquireSlot) -> tuple[Discovery, Sequence[ListedJob]]:
        """Read the account's lists, and return them and the new jobs on them."""
        name, since = runtime.account.name, self._context.now() - self._max_age
        known = frozenset(ref.id for ref in self._job_store.states if ref.account == name)
        async with runtime.new_client(self._context.http) as client:
            found = await read_lists(runtime, client, known, since, acquire_slot)
        return found, await self._without_removed(name, [job for job in found.jobs if job.id not in known])

    async def _without_removed(self, account: str, jobs: Sequence[ListedJob]) -> list[ListedJob]:
        """Return the jobs that were never on the watchlist: of all others the journal has a state."""
        listed = await self._journal.states([Ref(account, job.id) for job in jobs]) if jobs else {}
        return [job for job in jobs if Ref(account, job.id) not in listed]

    def _apply_reports(self, account: str, jobs: Sequence[ListedJob]) -> None:
        """Apply whole reports of active jobs: each replaces a poll. A list may be late, so no job becomes active."""
        for job in jobs:
            state = self._job_store.states.get(Ref(account, job.id))
            if state is None or not job.has_whole_report or job.report is None or job.kind != state.job.kind:
                continue
            if state.phase in ACTIVE and not state.job.archived:
                self._job_store.apply(state.job.ref, StatusReceived(job.report, self._context.now()))

    async def _acquire_slot(self, poller: Poller) -> Fault | None:
        deadline = self._context.now() + MAX_WAIT
        while poller.has_due_poll() and self._context.now() < deadline:  # noqa: ASYNC110  due polls go first
            await asyncio.sleep(1.0)
        return await poller.account.limits.acquire_background_slot(MAX_WAIT)


def _state(account: str, listed: ListedJob) -> JobState:
    """Return the state of a listed job, for the operator to choose; `added` is when the service created it."""
    report = listed.report
    phase = (report.phase or Phase.RUNNING) if report is not None else Phase.NEW
    job = Job(account=account, id=listed.id, kind=listed.kind, added=listed.created_at)
    return JobState(job=job, phase=phase, report=report)
