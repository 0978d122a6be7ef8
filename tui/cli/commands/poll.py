"""Subcommands check, renew and wait: the engine without a dashboard."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from tui.cli.commands.show import print_jobs
from tui.cli.context import evaluation_context, open_workspace, select_jobs
from tui.cli.output import (
    FAULT,
    WAIT_TIMED_OUT,
    UsageError,
    exit_code,
    fault_exit_code,
    print_message,
    write_stdout,
)
from tui.cli.subscriber import EngineSubscriber
from tui.domain import evaluation
from tui.domain.job_state import JobState
from tui.domain.links import expiry
from tui.domain.models import ENDED, Link, Ref
from tui.engine.engine import Engine
from tui.engine.http.dns_loop import DnsThreadedLoop
from tui.engine.notifications.hooks import hook_dispatcher
from tui.engine.polling.link_renewer import RenewalResult
from tui.presentation import formatting, queries, sanitize
from tui.runtime import logfile
from tui.runtime.signals import EXIT_INTERRUPTED, graceful_shutdown
from tui.storage.workspace import Workspace

T = TypeVar("T")

HOOKS_TIMEOUT = 60.0
"""Seconds for hooks at the end of `check`, `renew` and `wait`: no other process sends these deliveries."""
MAX_LINE_LENGTH = 10_000
"""Characters of a line with a link."""


def check(args: Namespace) -> int:
    """Run `check`: poll each job once and print its state."""
    with open_workspace(args) as workspace:
        refs = _select_jobs(workspace, args)
        states = run_until_signal(_check(workspace, refs, shows_team=args.team)) if refs else []
        print_jobs(workspace, states, as_json=args.json, has_owners=args.team)
    return exit_code(states)


async def _check(workspace: Workspace, refs: Sequence[Ref], *, shows_team: bool) -> list[JobState]:
    async with hook_dispatcher(workspace, print_message, HOOKS_TIMEOUT) as hooks:
        engine = Engine(
            workspace,
            EngineSubscriber({ref.account for ref in refs}).publish,
            subset=frozenset(refs),
            hooks=hooks,
            shows_team=shows_team,
        )
        await engine.open()
        await engine.poll_once(engine.states.keys())
    return list(engine.states.values())


def renew(args: Namespace) -> int:
    """Run `renew`: request new links for each job, and print them with their remaining lifetime."""
    with open_workspace(args) as workspace:
        refs = _select_jobs(workspace, args)
        found, states = run_until_signal(_renew(workspace, refs, shows_team=args.team))
        if args.json:
            print_jobs(workspace, states, as_json=True)
        else:
            now = evaluation_context(workspace).now
            write_stdout(
                "".join(f"{_format_link(state.job.ref, link, now)}\n" for state in states for link in state.links)
            )
    for each in found:
        if each.fault is not None:
            print_message(f"{each.ref}: {each.fault.message}")
    return fault_exit_code(each.fault for each in found)


async def _renew(
    workspace: Workspace, refs: Sequence[Ref], *, shows_team: bool
) -> tuple[list[RenewalResult], list[JobState]]:
    async with hook_dispatcher(workspace, print_message, HOOKS_TIMEOUT) as hooks:
        engine = Engine(
            workspace,
            EngineSubscriber({ref.account for ref in refs}).publish,
            subset=frozenset(refs),
            hooks=hooks,
            shows_team=shows_team,
        )
        await engine.open()
        found = await engine.renew(engine.states)
    return found, list(engine.states.values())


def _format_link(ref: Ref, link: Link, now: float) -> str:
    """Return a link as one line, uncut."""
    left = expiry.remaining(link, now)
    if left is None:
        life = "expiry unknown"
    elif left <= 0:
        life = "expired"
    else:
        life = f"{'' if link.expiry_is_exact else '~'}{formatting.duration(left)}"
    return sanitize.clean(f"{ref}  {link.kind}  {life}  {link.url or 'URL hidden'}", MAX_LINE_LENGTH)


def wait(args: Namespace) -> int:
    """Run `wait` until all jobs, or any, have ended, all others are refused, or the timeout is over."""
    with open_workspace(args) as workspace:
        refs = _select_jobs(workspace, args)
        waiter = _JobWaiter(workspace, refs, until_any=args.any, shows_team=args.team)
        timed_out = run_until_signal(waiter.run(args.timeout)) if refs else False
        print_jobs(workspace, waiter.states, as_json=args.json, has_owners=args.team)
        if timed_out:
            print_message(f"timed out: {len(waiter.pending)} of {len(refs)} jobs still running")
            return WAIT_TIMED_OUT
        ended = [state for state in waiter.states if state.job.ref not in waiter.pending]
        return exit_code(ended) if ended or not refs else FAULT


class _JobWaiter:
    """Engine of one `wait`, with the jobs that have not ended."""

    def __init__(self, workspace: Workspace, refs: Sequence[Ref], *, until_any: bool, shows_team: bool) -> None:
        self._shows_team = shows_team
        self._workspace = workspace
        self._until_any = until_any
        self._subscriber = EngineSubscriber({ref.account for ref in refs})
        self._refs = frozenset(refs)
        self.pending: set[Ref] = set()
        """Jobs that have not ended."""
        self.states: list[JobState] = []
        """Final states, in the watchlist's order."""

    async def run(self, max_seconds: float | None) -> bool:
        """Wait for at most `max_seconds`. Returns whether they passed before the jobs ended."""
        async with hook_dispatcher(self._workspace, print_message, HOOKS_TIMEOUT) as hooks:
            return await self._poll_until_ended(
                Engine(
                    self._workspace,
                    self._subscriber.publish,
                    subset=self._refs,
                    hooks=hooks,
                    shows_team=self._shows_team,
                ),
                max_seconds,
            )

    async def _poll_until_ended(self, engine: Engine, max_seconds: float | None) -> bool:
        await engine.open()
        self.pending = {ref for ref in engine.states if not engine.is_settled(ref)}
        polling, ending = asyncio.create_task(engine.run()), asyncio.create_task(self._await_ends(engine))
        try:
            done, _ = await asyncio.wait({polling, ending}, timeout=max_seconds, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            polling.cancel()
            ending.cancel()
            await asyncio.gather(polling, ending, return_exceptions=True)
        self.states = list(engine.states.values())
        return not done

    async def _await_ends(self, engine: Engine) -> None:
        """Return when the wait is over."""
        while not self._is_finished(engine):
            for ref in await self._subscriber.next_changes():
                if ref in self.pending and (ref not in engine.states or engine.is_settled(ref)):
                    self.pending.discard(ref)
                    self._print_end(ref, engine.states.get(ref))

    def _is_finished(self, engine: Engine) -> bool:
        if not self.pending or (self._until_any and len(self.pending) < len(engine.states)):
            return True
        return all(self._subscriber.is_refused(engine.states[ref]) for ref in self.pending if ref in engine.states)

    @staticmethod
    def _print_end(ref: Ref, state: JobState | None) -> None:
        if state is None:
            print_message(f"{ref}: removed from the watchlist")
            return
        name = queries.display_name(state)
        print_message(f"{ref}{'' if name == ref.id else f' ({name})'}: {state.phase}")


def _select_jobs(workspace: Workspace, args: Namespace) -> list[Ref]:
    """Return the jobs to poll: an archived one only if it is named. Raises UsageError."""
    states = workspace.job_states(whole_team=args.team)
    refs = select_jobs(workspace, args, states)
    context = evaluation_context(workspace)
    selected = [ref for ref in refs if args.refs or not evaluation.is_archived(states[ref], context)]
    unpolled = [
        str(ref)
        for ref in selected
        if args.subcommand == "wait" and states[ref].job.archived and states[ref].phase not in ENDED
    ]
    if unpolled:
        raise UsageError(f"archived jobs are not polled: use `babeltop archive --undo {' '.join(unpolled)}` first")
    if len(selected) < len(refs):
        print_message(f"{len(refs) - len(selected)} archived jobs skipped; name them to {args.subcommand} them")
    if not states:
        print_message(f"no jobs in {workspace.paths.watchlist_file}: add some with `babeltop add ID`")
    elif selected and sys.stderr.isatty():
        action = "waiting for" if args.subcommand == "wait" else "polling"
        print_message(f"{action} {formatting.count_of(len(selected), 'job')}")
    workspace.keys.fetch_all()
    logfile.start_logging(workspace.paths.state_dir)
    return selected


def run_until_signal(coroutine: Coroutine[Any, Any, T], signal_exit_code: int = EXIT_INTERRUPTED) -> T:
    """Return a coroutine's result. SIGTERM and SIGHUP cancel it, and raise SystemExit with `signal_exit_code`."""

    async def cancel_on_signal() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None, "a running coroutine has a task"
        cancel = task.cancel
        with graceful_shutdown(lambda: loop.call_soon_threadsafe(cancel), lambda: None, signal_exit_code):
            return await coroutine

    try:
        with asyncio.Runner(loop_factory=DnsThreadedLoop) as runner:
            return runner.run(cancel_on_signal())
    except asyncio.CancelledError:
        raise SystemExit(signal_exit_code) from None
