"""Subcommand hook test: sends a marked event through the delivery of real ones, and reports its result."""

import asyncio
import time
from argparse import Namespace
from collections.abc import Iterable

from tui.cli.commands.poll import run_until_signal
from tui.cli.context import open_workspace
from tui.cli.output import FAULT, OK, UsageError, print_message
from tui.engine.notifications.events import SUMMARY, EventName
from tui.engine.notifications.hooks import HookDispatcher
from tui.engine.notifications.sample_event import EVENTS, sample_event
from tui.providers.table_decoder import suggest
from tui.runtime import logfile
from tui.storage.config.settings import Hook
from tui.storage.workspace import Workspace


def send_test(args: Namespace) -> int:
    """Run `hook test`: send a test event to one hook, or to each. Returns 3 if a delivery failed."""
    if args.event is not None and args.event not in EVENTS:
        raise UsageError(f"unknown event {args.event!r}{suggest(args.event, EVENTS)}")
    with open_workspace(args) as workspace:
        hooks = _select_hooks(workspace, args.number)
        logfile.start_logging(workspace.paths.state_dir)
        return run_until_signal(_send(workspace, hooks, args.event))


def _select_hooks(workspace: Workspace, number: int | None) -> list[tuple[int, Hook]]:
    """Return the hooks with their numbers, from 1 in the file's order. Raises UsageError."""
    if workspace.readonly:
        raise UsageError("--readonly disables hooks")
    hooks = list(enumerate(workspace.settings.hooks, 1))
    if not hooks:
        raise UsageError(f"no [[hook]] in {workspace.paths.config_dir / 'config.toml'}")
    if number is not None and number > len(hooks):
        raise UsageError(f"no hook {number}: config.toml has {len(hooks)}")
    return hooks if number is None else [hooks[number - 1]]


def _unsubscribed(event: EventName, hook: Hook) -> str:
    """Return why the hook would not get such an event, if it would not."""
    if event == SUMMARY:
        return "; `ignore_quiet` keeps it from the hook" if hook.ignore_quiet else ""
    return "" if event in hook.on else f"; its `on` does not list {event!r}"


async def _send(workspace: Workspace, hooks: Iterable[tuple[int, Hook]], event: EventName | None) -> int:
    """Deliver to one hook after the other, without a time limit but their own."""
    problems: list[str] = []
    account = next(iter(workspace.accounts), "example")
    provider = workspace.config.provider_of(account) or account
    dispatcher = HookDispatcher(workspace, problems.append)
    running = asyncio.create_task(dispatcher.run())
    try:
        for number, hook in hooks:
            name: EventName = event or (hook.on[0] if hook.on else "done")
            before = len(problems)
            dispatcher.send_to(number, sample_event(name, account, provider, time.time()))
            await dispatcher.finish(None)
            if len(problems) == before:
                print_message(f"hook {number}: test event {name!r} delivered{_unsubscribed(name, hook)}")
            for problem in problems[before:]:
                print_message(problem)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await dispatcher.close()
    return FAULT if problems else OK
