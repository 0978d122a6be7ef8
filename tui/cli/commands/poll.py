"""The verbs that ask the services, without a screen: check, wait, watch. The engine does the asking."""

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from tui.cli.commands.show import format_change, print_jobs
from tui.cli.context import evaluation_context, open_workspace, resolve_refs
from tui.cli.output import (
    FAULT,
    OK,
    WAIT_TIMED_OUT,
    UsageError,
    exit_code,
    fault_exit_code,
    json_line,
    print_message,
    write_stdout,
)
from tui.cli.parser import Namespace
from tui.cli.subscriber import EngineSubscriber
from tui.domain import evaluation
from tui.domain.job_state import JobState, PhaseChange
from tui.domain.links import expiry
from tui.domain.models import ENDED, Link, Phase, Ref
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.engine.http.dns_loop import DnsThreadedLoop
from tui.engine.notifications.hooks import hook_dispatcher
from tui.engine.polling.link_renewer import RenewalResult
from tui.presentation import formatting, json_output, queries, sanitize
from tui.runtime import logfile
from tui.runtime.signals import EXIT_INTERRUPTED, graceful_shutdown
from tui.storage.workspace import Workspace

T = TypeVar("T")

HOOKS_TIMEOUT = 60.0
"""Seconds that hooks have at the end of `check`, `renew` and `wait`: nobody else will tell them."""
MAX_LINE_LENGTH = 10_000
"""Characters of a line with a link, at most."""


def check(args: Namespace) -> int:
    """`check`: asks each job once, now, and shows the state."""
    with open_workspace(args) as library:
        refs = _select_jobs(library, args)
        states = run_until_signal(_check(library, refs)) if refs else []
        print_jobs(library, states, as_json=args.json)
    return exit_code(states)


async def _check(library: Workspace, refs: Sequence[Ref]) -> list[JobState]:
    async with hook_dispatcher(library, print_message, HOOKS_TIMEOUT) as hooks:
        session = Engine(
            library, EngineSubscriber({ref.account for ref in refs}).publish, subset=frozenset(refs), hooks=hooks
        )
        session.open()
        await session.poll_once(session.states.keys())
    return list(session.states.values())


def renew(args: Namespace) -> int:
    """`renew`: asks each job once for fresh links, and shows them with what is left of their lives."""
    with open_workspace(args) as library:
        refs = _select_jobs(library, args)
        found, states = run_until_signal(_renew(library, refs))
        if args.json:
            print_jobs(library, states, as_json=True)
        else:
            now = evaluation_context(library).now
            write_stdout(
                "".join(f"{_format_link(state.job.ref, link, now)}\n" for state in states for link in state.links)
            )
    for each in found:
        if each.fault is not None:
            print_message(f"{each.ref}: {each.fault.message}")
    return fault_exit_code(each.fault for each in found)


async def _renew(library: Workspace, refs: Sequence[Ref]) -> tuple[list[RenewalResult], list[JobState]]:
    async with hook_dispatcher(library, print_message, HOOKS_TIMEOUT) as hooks:
        session = Engine(
            library, EngineSubscriber({ref.account for ref in refs}).publish, subset=frozenset(refs), hooks=hooks
        )
        session.open()
        found = await session.renew(session.states)
    return found, list(session.states.values())


def _format_link(ref: Ref, link: Link, now: float) -> str:
    """A link in a line, whole: it is what was asked for."""
    left = expiry.remaining(link, now)
    if left is None:
        life = "no expiry known"
    elif left <= 0:
        life = "expired"
    else:
        life = f"{'' if link.expiry_is_exact else '~'}{formatting.duration(left)}"
    return sanitize.clean(f"{ref}  {link.kind}  {life}  {link.url}", MAX_LINE_LENGTH)


def wait(args: Namespace) -> int:
    """`wait`: until all jobs, or any, have ended; or all that have not are refused; or the time is over."""
    with open_workspace(args) as library:
        refs = _select_jobs(library, args)
        waiting = _JobWaiter(library, refs, until_any=args.any)
        late = run_until_signal(waiting.run(args.timeout)) if refs else False
        print_jobs(library, waiting.states, as_json=args.json)
        if late:
            print_message(f"not ended in time: {len(waiting.pending)} of {len(refs)} jobs")
            return WAIT_TIMED_OUT
        ended = [state for state in waiting.states if state.job.ref not in waiting.pending]
        return exit_code(ended) if ended or not refs else FAULT


class _JobWaiter:
    """One `wait`: its session, and which jobs it still waits for."""

    def __init__(self, library: Workspace, refs: Sequence[Ref], *, until_any: bool) -> None:
        self._library = library
        self._until_any = until_any
        self._subscriber = EngineSubscriber({ref.account for ref in refs})
        self._refs = frozenset(refs)
        self.pending: set[Ref] = set()
        """The jobs that have not ended."""
        self.states: list[JobState] = []
        """The jobs at the end, in the watchlist's order."""

    async def run(self, max_seconds: float | None) -> bool:
        """Waits, for `max_seconds` at most. Whether they were over before the jobs were."""
        async with hook_dispatcher(self._library, print_message, HOOKS_TIMEOUT) as hooks:
            return await self._poll_until_ended(
                Engine(self._library, self._subscriber.publish, subset=self._refs, hooks=hooks), max_seconds
            )

    async def _poll_until_ended(self, session: Engine, max_seconds: float | None) -> bool:
        session.open()
        self.pending = {ref for ref in session.states if not session.is_settled(ref)}
        polling, ending = asyncio.create_task(session.run()), asyncio.create_task(self._await_ends(session))
        try:
            done, _ = await asyncio.wait({polling, ending}, timeout=max_seconds, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            polling.cancel()
            ending.cancel()
            await asyncio.gather(polling, ending, return_exceptions=True)
        self.states = list(session.states.values())
        return not done

    async def _await_ends(self, session: Engine) -> None:
        """Until what is waited for has come about."""
        while not self._is_finished(session):
            for ref in await self._subscriber.next_changes():
                if ref in self.pending and (ref not in session.states or session.is_settled(ref)):
                    self.pending.discard(ref)
                    self._print_end(ref, session.states.get(ref))

    def _is_finished(self, session: Engine) -> bool:
        if not self.pending or (self._until_any and len(self.pending) < len(session.states)):
            return True
        return all(self._subscriber.is_refused(session.states[ref]) for ref in self.pending if ref in session.states)

    @staticmethod
    def _print_end(ref: Ref, state: JobState | None) -> None:
        if state is None:
            print_message(f"{ref} is off the watchlist")
            return
        called = queries.display_name(state)
        print_message(f"{ref}{'' if called == ref.id else f' ({called})'}: {state.phase}")


def watch(args: Namespace) -> int:
    """`watch`: the engine without a screen; a line a change, until SIGTERM."""
    with open_workspace(args) as library:
        library.fetch_keys()
        logfile.start_logging(library.paths.state_dir)
        run_until_signal(_watch(library, as_json=args.json), signal_exit_code=OK)
    return OK


async def _watch(library: Workspace, *, as_json: bool) -> None:
    """Until the reader is gone."""
    ear = EngineSubscriber(library.accounts)
    async with hook_dispatcher(library, print_message) as hooks:
        await _print_until_closed(
            library,
            Engine(library, ear.publish, EngineContext.create(run_blocking=asyncio.to_thread), hooks=hooks),
            ear,
            as_json=as_json,
        )


async def _print_until_closed(
    library: Workspace, session: Engine, subscriber: EngineSubscriber, *, as_json: bool
) -> None:
    session.open()
    phases = {ref: state.phase for ref, state in session.states.items()}
    polling = asyncio.create_task(session.run())
    changing = asyncio.create_task(_print_changes(library, session, subscriber, phases, as_json=as_json))
    try:
        done, _ = await asyncio.wait({polling, changing}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        polling.cancel()
        changing.cancel()
        await asyncio.gather(polling, changing, return_exceptions=True)


async def _print_changes(
    library: Workspace, session: Engine, subscriber: EngineSubscriber, phases: dict[Ref, Phase], *, as_json: bool
) -> None:
    """Writes every change of a phase, until nobody reads them any more."""
    while True:
        for ref in await subscriber.next_changes():
            state = session.states.get(ref)
            if state is None:
                phases.pop(ref, None)
                continue
            before = phases.setdefault(ref, Phase.NEW)
            phases[ref] = state.phase
            if before is not state.phase and not write_stdout(_format_change(library, before, state, as_json=as_json)):
                return


def _format_change(library: Workspace, before: Phase, state: JobState, *, as_json: bool) -> str:
    """A change in a line."""
    message = state.fault.message if state.fault else (state.report and state.report.message) or ""
    change = PhaseChange(state.job.ref, before, state.phase, None, state.phase_since or 0.0, message)
    if not as_json:
        return f"{format_change(change)}\n"
    job = json_output.job(state, library.provider_of(state.job.account), evaluation_context(library))
    return f"{json_line({**json_output.phase_change(change), 'job': job})}\n"


def _select_jobs(library: Workspace, args: Namespace) -> list[Ref]:
    """The jobs that are to be asked, with all that can be wrong before. Those put away are asked only by name."""
    board = library.job_states()
    refs = resolve_refs(library, args.refs, board)
    judged = evaluation_context(library)
    asked = [ref for ref in refs if args.refs or not evaluation.is_archived(board[ref], judged)]
    never = [
        str(ref)
        for ref in asked
        if args.subcommand == "wait" and board[ref].job.archived and board[ref].phase not in ENDED
    ]
    if never:
        raise UsageError(
            f"archived jobs are not asked: bring them back with `babeltop archive --undo {' '.join(never)}`"
        )
    if len(asked) < len(refs):
        print_message(f"{len(refs) - len(asked)} archived jobs are left alone; name them to {args.subcommand} them")
    if not refs:
        print_message(f"no jobs in {library.paths.watchlist_file}: add some with `babeltop add ID`")
    elif sys.stderr.isatty():
        print_message(
            f"{'waiting for' if args.subcommand == 'wait' else 'polling'} {len(asked)} job{'s' * (len(asked) > 1)}"
        )
    library.fetch_keys()
    logfile.start_logging(library.paths.state_dir)
    return asked


def run_until_signal(coroutine: Coroutine[Any, Any, T], signal_exit_code: int = EXIT_INTERRUPTED) -> T:
    """What it brings. SIGTERM and SIGHUP end it cleanly, with the exit code `told_to_end`: raises SystemExit then."""

    async def heeding() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None, "a coroutine that runs is a task's"
        leave = task.cancel
        with graceful_shutdown(lambda: loop.call_soon_threadsafe(leave), lambda: None, signal_exit_code):
            return await coroutine

    try:
        with asyncio.Runner(loop_factory=DnsThreadedLoop) as runner:
            return runner.run(heeding())
    except asyncio.CancelledError:
        raise SystemExit(signal_exit_code) from None
