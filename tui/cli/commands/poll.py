"""The verbs that ask the services, without a screen: check, wait, watch. The engine does the asking."""

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from tui.cli.commands.show import line, put
from tui.cli.context import chosen, opened, outlook
from tui.cli.output import FAULT, LATE, OK, UsageError, code, data, fault_code, json_line, say
from tui.cli.parser import Namespace
from tui.cli.subscriber import Ear
from tui.domain.job_state import JobState, PhaseChange
from tui.domain.links import expiry
from tui.domain.models import ENDED, Link, Phase, Ref
from tui.engine.engine import Session
from tui.engine.http.dns_loop import EngineLoop
from tui.engine.notifications.hooks import calling
from tui.engine.polling.link_renewer import Renewed
from tui.presentation import formatting, json_output, queries
from tui.runtime import logfile
from tui.runtime.signals import INTERRUPTED, ended_by_signals
from tui.storage.workspace import Library

T = TypeVar("T")

HOOKS = 60.0
"""Seconds that hooks have at the end of `check`, `renew` and `wait`: nobody else will tell them."""
LINE = 10_000
"""Characters of a line with a link, at most."""


def check(args: Namespace) -> int:
    """`check`: asks each job once, now, and shows the state."""
    with opened(args) as library:
        refs = _prepared(library, args)
        states = brought(_check(library, refs)) if refs else []
        put(library, states, as_json=args.json)
    return code(states)


async def _check(library: Library, refs: Sequence[Ref]) -> list[JobState]:
    async with calling(library, say, HOOKS) as hooks:
        session = Session(library, Ear({ref.account for ref in refs}), only=frozenset(refs), hooks=hooks)
        session.open()
        await session.check(session.states.keys())
    return list(session.states.values())


def renew(args: Namespace) -> int:
    """`renew`: asks each job once for fresh links, and shows them with what is left of their lives."""
    with opened(args) as library:
        refs = _prepared(library, args)
        found, states = brought(_renew(library, refs))
        if args.json:
            put(library, states, as_json=True)
        else:
            now = outlook(library).now
            data("".join(f"{_shown(state.job.ref, link, now)}\n" for state in states for link in state.links))
    for each in found:
        if each.fault is not None:
            say(f"{each.ref}: {each.fault.message}")
    return fault_code(each.fault for each in found)


async def _renew(library: Library, refs: Sequence[Ref]) -> tuple[list[Renewed], list[JobState]]:
    async with calling(library, say, HOOKS) as hooks:
        session = Session(library, Ear({ref.account for ref in refs}), only=frozenset(refs), hooks=hooks)
        session.open()
        found = await session.renew(session.states)
    return found, list(session.states.values())


def _shown(ref: Ref, link: Link, now: float) -> str:
    """A link in a line, whole: it is what was asked for."""
    left = expiry.remaining(link, now)
    if left is None:
        life = "no expiry known"
    elif left <= 0:
        life = "expired"
    else:
        life = f"{'' if link.expiry_is_exact else '~'}{formatting.duration(left)}"
    return formatting.clean(f"{ref}  {link.kind}  {life}  {link.url}", LINE)


def wait(args: Namespace) -> int:
    """`wait`: until all jobs, or any, have ended; or all that have not are refused; or the time is over."""
    with opened(args) as library:
        refs = _prepared(library, args)
        waiting = _Waiting(library, refs, until_any=args.any)
        late = brought(waiting.run(args.timeout)) if refs else False
        put(library, waiting.states, as_json=args.json)
        if late:
            say(f"not ended in time: {len(waiting.pending)} of {len(refs)} jobs")
            return LATE
        ended = [state for state in waiting.states if state.job.ref not in waiting.pending]
        return code(ended) if ended or not refs else FAULT


class _Waiting:
    """One `wait`: its session, and which jobs it still waits for."""

    def __init__(self, library: Library, refs: Sequence[Ref], *, until_any: bool) -> None:
        self._library = library
        self._any = until_any
        self._ear = Ear({ref.account for ref in refs})
        self._refs = frozenset(refs)
        self.pending: set[Ref] = set()
        """The jobs that have not ended."""
        self.states: list[JobState] = []
        """The jobs at the end, in the watchlist's order."""

    async def run(self, patience: float | None) -> bool:
        """Waits, for `patience` seconds at most. Whether they were over before the jobs were."""
        async with calling(self._library, say, HOOKS) as hooks:
            return await self._waited(Session(self._library, self._ear, only=self._refs, hooks=hooks), patience)

    async def _waited(self, session: Session, patience: float | None) -> bool:
        session.open()
        self.pending = {ref for ref in session.states if not session.settled(ref)}
        polling, ending = asyncio.create_task(session.run()), asyncio.create_task(self._end(session))
        try:
            done, _ = await asyncio.wait({polling, ending}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            polling.cancel()
            ending.cancel()
            await asyncio.gather(polling, ending, return_exceptions=True)
        self.states = list(session.states.values())
        return not done

    async def _end(self, session: Session) -> None:
        """Until what is waited for has come about."""
        while not self._is_over(session):
            for ref in await self._ear.changed():
                if ref in self.pending and (ref not in session.states or session.settled(ref)):
                    self.pending.discard(ref)
                    self._say_end(ref, session.states.get(ref))

    def _is_over(self, session: Session) -> bool:
        if not self.pending or (self._any and len(self.pending) < len(session.states)):
            return True
        return all(self._ear.refuses(session.states[ref]) for ref in self.pending if ref in session.states)

    @staticmethod
    def _say_end(ref: Ref, state: JobState | None) -> None:
        if state is None:
            say(f"{ref} is off the watchlist")
            return
        called = queries.display_name(state)
        say(f"{ref}{'' if called == ref.id else f' ({called})'}: {state.phase}")


def watch(args: Namespace) -> int:
    """`watch`: the engine without a screen; a line a change, until SIGTERM."""
    with opened(args) as library:
        library.fetch_keys()
        logfile.start(library.places.state)
        brought(_watch(library, as_json=args.json), told_to_end=OK)
    return OK


async def _watch(library: Library, *, as_json: bool) -> None:
    """Until the reader is gone."""
    ear = Ear(library.accounts)
    async with calling(library, say) as hooks:
        await _watched(library, Session(library, ear, hooks=hooks, aside=asyncio.to_thread), ear, as_json=as_json)


async def _watched(library: Library, session: Session, ear: Ear, *, as_json: bool) -> None:
    session.open()
    phases = {ref: state.phase for ref, state in session.states.items()}
    polling = asyncio.create_task(session.run())
    changing = asyncio.create_task(_changes(library, session, ear, phases, as_json=as_json))
    try:
        done, _ = await asyncio.wait({polling, changing}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        polling.cancel()
        changing.cancel()
        await asyncio.gather(polling, changing, return_exceptions=True)


async def _changes(library: Library, session: Session, ear: Ear, phases: dict[Ref, Phase], *, as_json: bool) -> None:
    """Writes every change of a phase, until nobody reads them any more."""
    while True:
        for ref in await ear.changed():
            state = session.states.get(ref)
            if state is None:
                phases.pop(ref, None)
                continue
            before = phases.setdefault(ref, Phase.NEW)
            phases[ref] = state.phase
            if before is not state.phase and not data(_told(library, before, state, as_json=as_json)):
                return


def _told(library: Library, before: Phase, state: JobState, *, as_json: bool) -> str:
    """A change in a line."""
    message = state.fault.message if state.fault else (state.report and state.report.message) or ""
    change = PhaseChange(state.job.ref, before, state.phase, None, state.phase_since or 0.0, message)
    if not as_json:
        return f"{line(change)}\n"
    job = json_output.job(state, library.provider_of(state.job.account), outlook(library))
    return f"{json_line({**json_output.phase_change(change), 'job': job})}\n"


def _prepared(library: Library, args: Namespace) -> list[Ref]:
    """The jobs that are to be asked, with all that can be wrong before. Those put away are asked only by name."""
    board = library.board()
    refs = chosen(library, args.refs, board)
    judged = outlook(library)
    asked = [ref for ref in refs if args.refs or not queries.is_archived(board[ref], judged)]
    never = [
        str(ref) for ref in asked if args.verb == "wait" and board[ref].job.archived and board[ref].phase not in ENDED
    ]
    if never:
        raise UsageError(
            f"archived jobs are not asked: bring them back with `babeltop archive --undo {' '.join(never)}`"
        )
    if len(asked) < len(refs):
        say(f"{len(refs) - len(asked)} archived jobs are left alone; name them to {args.verb} them")
    if not refs:
        say(f"no jobs in {library.places.watchlist}: add some with `babeltop add ID`")
    elif sys.stderr.isatty():
        say(f"{'waiting for' if args.verb == 'wait' else 'asking'} {len(asked)} job{'s' if len(asked) > 1 else ''}")
    library.fetch_keys()
    logfile.start(library.places.state)
    return asked


def brought(asking: Coroutine[Any, Any, T], told_to_end: int = INTERRUPTED) -> T:
    """What it brings. SIGTERM and SIGHUP end it cleanly, with the exit code `told_to_end`: raises SystemExit then."""

    async def heeding() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None, "a coroutine that runs is a task's"
        leave = task.cancel
        with ended_by_signals(lambda: loop.call_soon_threadsafe(leave), lambda: None, told_to_end):
            return await asking

    try:
        with asyncio.Runner(loop_factory=EngineLoop) as runner:
            return runner.run(heeding())
    except asyncio.CancelledError:
        raise SystemExit(told_to_end) from None
