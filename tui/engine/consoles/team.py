"""Part of an engine in a team: its watchlist is published, and only a worker polls.

A worker handles the jobs of all published watchlists whose accounts it polls. Every other process follows: it sends its
commands to the workers, each to the one that polls the account.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from tui.domain.job_state import PollSkipped
from tui.domain.models import Fault, FaultKind, Job, Ref
from tui.domain.team import merge_lists, team_board
from tui.engine.api import CommandResult, Pause, Refresh, Renew, Resume
from tui.engine.consoles.leader_election import NO_WORKER
from tui.engine.polling.job_store import JobStore
from tui.presentation.descriptions import foreign_refusal
from tui.presentation.formatting import count_of
from tui.storage.journal.database import JournalError, UnreachableError
from tui.storage.protocols import OpenCommand, TeamExchange
from tui.storage.untrusted_json import CleaningDecoder
from tui.storage.watchlist.operations import Add, Operation, Restore

RESULT_INTERVAL = 0.5
"""Seconds between two readings of a command's result."""
COMMAND_TIMEOUT = 30.0
"""Seconds until a console reports that no worker has performed its command. A worker ignores one that is older."""
RENEWAL_TIMEOUT = 90.0
"""The same for a renewal, which waits for the rate limit."""
POLL_TIMEOUT = 60.0
"""Seconds that a one-shot poll waits for the worker's."""

NO_KEY = "No worker can poll {}: start `babeltop watch` where the API key is"
"""Result of a command for an account that no live worker can poll."""
VIEWER_REFUSAL = "Read-only: the role viewer of the team's database neither edits, commands nor downloads"
"""Why the console of a viewer does not perform a command."""

log = logging.getLogger(__name__)

RemoteCommand = Refresh | Renew | Pause | Resume
"""Command that only a process that polls can perform."""


class _Request(Struct, frozen=True, omit_defaults=True):
    """Command as it is stored."""

    kind: str
    refs: tuple[Ref, ...] = ()
    paused: bool = False


class _Result(Struct, frozen=True):
    ok: bool
    message: str


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_result = CleaningDecoder(_Result)


class TeamMember:
    """Membership of one engine."""

    def __init__(
        self,
        exchange: TeamExchange,
        job_store: JobStore,
        perform: Callable[[RemoteCommand], Awaitable[CommandResult]],
        merge_changes: Callable[[], Awaitable[None]],
        *,
        subset: Collection[Ref] | None,
        publishes: bool,
        shows_team: bool,
    ) -> None:
        """`perform` performs a command of another console; `merge_changes` reads what other processes wrote.

        `subset`: the jobs that the engine handles; None for all. `publishes`: its watchlist is the team's too.
        `shows_team`: begin with the jobs of all watchlists.
        """
        self._exchange = exchange
        self._job_store = job_store
        self._perform = perform
        self._merge_changes = merge_changes
        self._subset = subset
        self._chosen = True if shows_team else None
        """Whether the operator wants the jobs of all watchlists; None: not chosen yet."""
        self._publishes = publishes
        self._own: tuple[Job, ...] = ()
        self._published: tuple[Job, ...] | None = None
        self._lists: Mapping[str, Sequence[Job]] = {}
        self._lists_on_board: Mapping[str, Sequence[Job]] | None = self._lists
        """Lists with which the board was last brought up to date; a failure is retried."""
        self._published_refs = self._lists, frozenset[Ref]()
        """Lists of which the jobs were collected, and the jobs."""
        self._board_lock = asyncio.Lock()
        """Held while the lists of others are taken and put on the board, of which the last one stays."""
        self._performing: dict[int, asyncio.Task[None]] = {}
        """Commands of other consoles in progress, by number."""

    @property
    def is_follower(self) -> bool:
        """Whether this process never polls."""
        return not self._exchange.is_worker

    @property
    def is_viewer(self) -> bool:
        """Whether this process reads no links and changes nothing."""
        return self._exchange.is_viewer

    def jobs(self, own: Sequence[Job]) -> tuple[Job, ...]:
        """Return the jobs of the board, given those of this console's watchlist, which are published soon."""
        self._own = tuple(own)
        return self._board(whole_team=self.shows_team)

    def _board(self, *, whole_team: bool) -> tuple[Job, ...]:
        name = self._exchange.watchlist
        if not self.is_follower:
            return merge_lists({**self._lists, name: self._own}, name)
        return team_board(self._published_lists if whole_team else {name: self._own}, name)

    @property
    def _published_lists(self) -> Mapping[str, Sequence[Job]]:
        """All watchlists of the team, with this console's as it is published soon."""
        return {**self._lists, self._exchange.watchlist: self._own} if self._may_publish else self._lists

    @property
    def _may_publish(self) -> bool:
        return self._publishes and not self.is_viewer

    @property
    def shows_team(self) -> bool:
        """Whether the board has the jobs of all watchlists; a viewer's does, unless it has a watchlist of its own."""
        return self._chosen if self._chosen is not None else self.is_viewer and not self._own

    async def show(self, *, whole_team: bool) -> CommandResult:
        """Show the jobs of all watchlists, or of the console's own; without the database nothing moves."""
        try:
            async with self._board_lock:
                await self._take_lists()
                await self._put_on_board(self._board(whole_team=whole_team))
                self._chosen, self._lists_on_board = whole_team, None  # an edit meanwhile may have the former one
        except UnreachableError:  # what is wrong with it is shown above the table
            return CommandResult(ok=False, message="Board not switched: the team's database is away")
        except JournalError as error:
            return CommandResult(ok=False, message=f"Board not switched. {error}")
        if not whole_team:
            return CommandResult(message=f"Watchlist {self._exchange.watchlist}")
        jobs = count_of(len(self._job_store.states), "job")
        lists = count_of(sum(map(bool, self._published_lists.values())), "watchlist")
        return CommandResult(message=f"Whole team: {jobs} of {lists}")

    def refusal(self, operation: Operation) -> str:
        """Return why this console does not apply an edit: only the owner edits a watchlist; "" if it does."""
        if isinstance(operation, Add | Restore):
            return ""
        states = self._job_store.states
        foreign = [states[ref].job for ref in operation.refs if ref in states and states[ref].job.is_foreign]
        return foreign_refusal(foreign)

    async def check(self, polled: Collection[str]) -> None:
        """Publish the watchlist if it changed, take those of others, and perform commands for the polled accounts."""
        try:
            await self._exchange_watchlists()
        except JournalError as error:
            self._job_store.set_problem("team", error)
            return
        self._job_store.set_problem("team", self._exchange.restriction or self._describe_unlisted())
        if polled:
            await self._perform_requests(polled)

    def _describe_unlisted(self) -> str:
        """Return which jobs of this console's watchlist no worker polls, as it does not publish them; "" if none."""
        if self._may_publish or self.shows_team or not self.is_follower:
            return ""
        if self._published_refs[0] is not self._lists:  # not every second: 0.05 s of 100,000 jobs
            self._published_refs = self._lists, frozenset(job.ref for jobs in self._lists.values() for job in jobs)
        _, listed = self._published_refs
        unlisted = [job.ref for job in self._own if job.ref not in listed and not job.archived]
        if not unlisted:
            return ""
        jobs, them = (str(unlisted[0]), "it") if len(unlisted) == 1 else (f"{len(unlisted)} of its jobs", "them")
        return (
            f"{'Role viewer' if self.is_viewer else '--readonly'}: your watchlist is not published. No worker polls "
            f"{jobs}, which no published list has. An editor can add {them}"
        )

    async def _exchange_watchlists(self) -> None:
        if self._may_publish and not self._exchange.restriction and self._published != self._own:
            await self._exchange.publish(own := self._own)
            self._published = own
        async with self._board_lock:
            if self.shows_team or not self._may_publish if self.is_follower else self._subset is None:
                await self._take_lists()
            if (lists := self._lists) is not self._lists_on_board:
                await self._put_on_board(self._board(whole_team=self.shows_team))
                self._lists_on_board = lists

    async def _take_lists(self) -> None:
        lists = await self._exchange.lists()
        if lists is not None:
            self._lists = lists

    async def _put_on_board(self, jobs: Iterable[Job]) -> None:
        await self._job_store.sync_watchlist((job for job in jobs if self._is_handled(job)), {})

    def _is_handled(self, job: Job) -> bool:
        return self._subset is None or job.ref in self._subset

    async def renew(self, ref: Ref) -> Fault | None:
        """Let the worker renew the links of a job; return why it has not."""
        result = await self.send(Renew((ref,)))
        await self._merge_changes()
        return None if result.ok else Fault(FaultKind.OFFLINE, result.message)

    async def poll(self, refs: Sequence[Ref]) -> None:
        """Let the workers poll the jobs, and wait until they have; the others get a fault."""
        before = {ref: self._job_store.states[ref].poll_count for ref in refs}
        results = await self._send(Refresh(tuple(refs)))
        waiting = [ref for ref in refs if results[ref.account].ok]
        for _ in range(int(POLL_TIMEOUT / RESULT_INTERVAL)):
            await self._merge_changes()
            waiting = [ref for ref in waiting if self._job_store.states[ref].poll_count == before[ref]]
            if not waiting:
                break
            await asyncio.sleep(RESULT_INTERVAL)
        for ref in refs:
            result = results[ref.account]
            reason = f"the worker has not polled it within {POLL_TIMEOUT:g} s" if result.ok else result.message
            if ref in waiting or not result.ok:
                self._job_store.apply(ref, PollSkipped(Fault(FaultKind.OFFLINE, reason)))

    async def send(self, command: RemoteCommand) -> CommandResult:
        """Send a command to the workers that poll its accounts, and return their result."""
        results = (await self._send(command)).values()
        failed = [result.message for result in results if not result.ok]
        messages = dict.fromkeys(failed or [result.message for result in results])
        message = NO_WORKER if isinstance(command, Pause) else "No job selected"
        return CommandResult(ok=bool(results) and not failed, message=". ".join(messages) or message)

    async def _send(self, command: RemoteCommand) -> Mapping[str, CommandResult]:
        """Send a command, and return the results by account; none if it is for all, and no worker lives."""
        requests = _requests(command)
        if self.is_viewer:
            return dict.fromkeys(requests or [""], CommandResult(ok=False, message=VIEWER_REFUSAL))
        try:
            if not isinstance(command, Pause):
                encoded = {account: msgspec.json.encode(request) for account, request in requests.items()}
                numbers = await self._exchange.submit(encoded)
            else:
                request = _Request("pause", paused=command.paused)
                numbers = await self._exchange.submit_to_all(msgspec.json.encode(request))
            results = await self._await_results(numbers, command)
        except (JournalError, msgspec.DecodeError) as error:
            return dict.fromkeys(requests or [""], CommandResult(ok=False, message=str(error)))
        missing = {account: CommandResult(ok=False, message=NO_KEY.format(account)) for account in requests}
        return {**missing, **results}

    async def _await_results(self, numbers: Mapping[str, int], command: RemoteCommand) -> dict[str, CommandResult]:
        """Return the results of the commands with these numbers, by account."""
        timeout = RENEWAL_TIMEOUT if isinstance(command, Renew) else COMMAND_TIMEOUT
        text = f"No worker performed it within {timeout:g} s: `babeltop team status` shows why"
        results = dict.fromkeys(numbers, CommandResult(ok=False, message=text))
        waiting = {number: account for account, number in numbers.items()}
        for _ in range(int(timeout / RESULT_INTERVAL)):
            if not waiting:
                break
            await asyncio.sleep(RESULT_INTERVAL)
            for number, answer in (await self._exchange.results(waiting.keys())).items():
                result = _decode_result(answer)
                results[waiting.pop(number)] = CommandResult(ok=result.ok, message=result.message)
        return results

    async def _perform_requests(self, accounts: Collection[str]) -> None:
        """Perform the commands of other consoles for these accounts. None delays the caller."""
        try:
            found = await self._exchange.open_commands(accounts)
        except JournalError:
            return  # shown elsewhere; the next tick tries again
        for each in found:
            if each.number not in self._performing:
                self._performing[each.number] = task = asyncio.create_task(self._perform_request(each))
                task.add_done_callback(lambda _, number=each.number: self._performing.pop(number, None))

    async def _perform_request(self, request: OpenCommand) -> None:
        try:
            is_late = request.age > COMMAND_TIMEOUT
            command = None if is_late else _command(_decode_request(request.command), request.account)
            if command is None:
                result = CommandResult(ok=False, message="No worker performed it in time")
            else:
                await self._exchange_watchlists()  # the console may have published its jobs just now
                result = await self._perform(command)
        except JournalError:
            return  # it stays open: the next tick performs it, or another worker
        except msgspec.DecodeError:
            result = CommandResult(ok=False, message="The worker is of another version and cannot perform it")
        except Exception:
            log.exception("a command of another console failed")
            result = CommandResult(ok=False, message="Internal error of the worker, see its babeltop.log")
        try:
            await self._exchange.complete(request.number, msgspec.json.encode(_Result(result.ok, result.message)))
        except JournalError as error:
            log.warning("%s", error)

    async def close(self) -> None:
        """Stop performing commands."""
        tasks = list(self._performing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _requests(command: RemoteCommand) -> dict[str, _Request]:
    """Return what is sent for each account; nothing for a command that is for all."""
    match command:
        case Refresh(refs) | Renew(refs):
            kind = "refresh" if isinstance(command, Refresh) else "renew"
            accounts = dict.fromkeys(ref.account for ref in refs)
            return {each: _Request(kind, tuple(ref for ref in refs if ref.account == each)) for each in accounts}
        case Resume(account):
            return {account: _Request("resume")}
        case Pause():
            return {}


def _command(request: _Request, account: str) -> RemoteCommand:
    """Return the command that a worker performs for an account."""
    refs = tuple(ref for ref in request.refs if ref.account == account)
    match request.kind:
        case "refresh":
            return Refresh(refs)
        case "renew":
            return Renew(refs)
        case "pause":
            return Pause(request.paused, account)
        case "resume":
            return Resume(account)
        case _:
            raise msgspec.DecodeError(request.kind)
