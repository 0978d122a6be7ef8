"""Subcommand watch: the engine alone, for a terminal, a pipe or a service manager."""

import asyncio
import os
from argparse import Namespace
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tui.cli.access_token import read_token
from tui.cli.commands.poll import run_until_signal
from tui.cli.commands.show import format_change
from tui.cli.context import evaluation_context, open_workspace
from tui.cli.output import OK, UsageError, json_line, print_message, write_stdout
from tui.cli.subscriber import EngineSubscriber
from tui.domain.hosts import is_loopback
from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import ACTIVE, Phase, Ref
from tui.engine.api import EngineEvent
from tui.engine.context import EngineContext
from tui.engine.engine import TICK_INTERVAL, Engine
from tui.engine.notifications.hooks import running_hooks
from tui.presentation import json_output
from tui.runtime import logfile
from tui.runtime.systemd import ServiceManager
from tui.storage.config.key_ring import METRICS_TOKEN_VARIABLE
from tui.storage.config.secrets import Secret
from tui.storage.extras import EXTRAS, install_command
from tui.storage.workspace import Workspace

if TYPE_CHECKING:
    from tui.cli.metrics.collector import EngineMetrics

STATUS_INTERVAL = 30.0
"""Seconds between two statuses for the service manager."""


def watch(args: Namespace) -> int:
    """Run `watch`: poll and print one line per change, until SIGTERM."""
    manager = ServiceManager(os.environ)
    metrics_token = _read_metrics_token(args)
    with open_workspace(args) as workspace:
        if refusal := workspace.polling_refusal():
            raise UsageError(refusal)
        workspace.keys.fetch_all()
        logfile.start_logging(workspace.paths.state_dir)
        watching = _Watch(workspace, manager, as_json=args.json)
        if args.metrics is None:
            run_until_signal(watching.run(), signal_exit_code=OK)
        else:
            run_until_signal(watching.run_with_metrics(args.metrics, metrics_token), signal_exit_code=OK)
    return OK


def _read_metrics_token(args: Namespace) -> Secret | None:
    """Return the token for scrapes. Raises UsageError if one is missing, or the extra is."""
    if args.metrics is None:
        return None
    if find_spec(EXTRAS["metrics"]) is None:
        raise UsageError(f"--metrics requires an extra: {install_command('metrics')}")
    token = read_token(METRICS_TOKEN_VARIABLE, args.metrics_token_file)
    host = args.metrics[0]
    if token is None and not is_loopback(host):
        raise UsageError(
            f"{host} exposes the metrics to the network: a token is required.\n"
            f"  Set {METRICS_TOKEN_VARIABLE} or use --metrics-token-file; "
            "`python3 -c 'import secrets; print(secrets.token_urlsafe())'` prints a new one"
        )
    return token


class _Watch:
    """Run of `watch`."""

    def __init__(self, workspace: Workspace, manager: ServiceManager, *, as_json: bool) -> None:
        self._workspace = workspace
        self._manager = manager
        self._as_json = as_json
        self._subscriber = EngineSubscriber(workspace.accounts)
        self._metrics: EngineMetrics | None = None

    async def run_with_metrics(self, address: tuple[str, int], token: Secret | None) -> None:
        """Poll until stdout is closed, and serve metrics meanwhile. Raises UsageError if the address can't be used."""
        from tui.cli.metrics.collector import EngineMetrics
        from tui.cli.metrics.server import serve_metrics

        host, port = address
        self._metrics = EngineMetrics(self._workspace)
        async with AsyncExitStack() as stack:
            try:
                url = await stack.enter_async_context(serve_metrics(host, port, token, self._metrics.render))
            except OSError as error:
                raise UsageError(f"--metrics {host}:{port}: {error.strerror}") from None
            print_message(f"metrics at {url}")
            await self.run()

    async def run(self) -> None:
        """Poll until stdout is closed."""
        async with running_hooks(self._workspace, self._on_hook_problem) as hooks:
            context = EngineContext.create(wall=self._workspace.wall, run_blocking=asyncio.to_thread)
            engine = Engine(
                self._workspace,
                self._publish,
                context,
                hooks=hooks.dispatch if hooks is not None and not self._workspace.is_team else None,
                team_hooks=hooks,
                is_worker=True,
            )
            await engine.open()
            if self._metrics is not None:
                self._metrics.attach(engine)
            phases = {ref: state.phase for ref, state in engine.states.items()}
            tasks = [
                asyncio.create_task(each)
                for each in (engine.run(), self._print_changes(engine, phases), self._notify_manager(engine))
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                self._manager.notify("STOPPING=1")
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _publish(self, event: EngineEvent) -> None:
        self._subscriber.publish(event)
        if self._metrics is not None:
            self._metrics.publish(event)

    def _on_hook_problem(self, message: str) -> None:
        print_message(message)
        if self._metrics is not None:
            self._metrics.count_hook_failure()

    async def _print_changes(self, engine: Engine, phases: dict[Ref, Phase]) -> None:
        """Print every phase change until stdout is closed."""
        while True:
            for ref in await self._subscriber.next_changes():
                state = engine.states.get(ref)
                if state is None:
                    phases.pop(ref, None)
                    continue
                before = phases.setdefault(ref, Phase.NEW)
                phases[ref] = state.phase
                if before is not state.phase and not write_stdout(self._format_change(before, state)):
                    return

    def _format_change(self, before: Phase, state: JobState) -> str:
        """Return a change as one line."""
        message = state.fault.message if state.fault else (state.report and state.report.message) or ""
        change = PhaseChange(state.job.ref, before, state.phase, None, state.phase_since or 0.0, message)
        if not self._as_json:
            return f"{format_change(change)}\n"
        workspace = self._workspace
        provider = workspace.config.provider_of(state.job.account)
        job = json_output.job(state, provider, evaluation_context(workspace))
        return f"{json_line({**json_output.phase_change(change), 'job': job})}\n"

    async def _notify_manager(self, engine: Engine) -> None:
        """Report readiness, status and, while the engine ticks, life to the service manager."""
        timeout = self._manager.watchdog_timeout
        interval = STATUS_INTERVAL if timeout is None else min(STATUS_INTERVAL, max(timeout / 2, 1.1 * TICK_INTERVAL))
        self._manager.notify("READY=1", self._status(engine))
        while self._manager.is_present:
            tick_count = engine.tick_count
            await asyncio.sleep(interval)
            if engine.tick_count > tick_count:
                self._manager.notify("WATCHDOG=1", self._status(engine))
        await asyncio.Event().wait()  # this task must not end before the others

    def _status(self, engine: Engine) -> str:
        """Return the status that `systemctl status` shows."""
        active = sum(state.phase in ACTIVE and not state.job.archived for state in engine.states.values())
        problems = self._subscriber.account_problems
        return f"STATUS={active} of {len(engine.states)} jobs active{''.join(f'; {each}' for each in problems)}"
