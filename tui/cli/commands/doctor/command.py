"""Subcommand doctor: checks this machine, polls every account once, and names remedies."""

import asyncio
import os
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing

from tui.cli import text_table
from tui.cli.commands.doctor import checks, report
from tui.cli.commands.doctor.report import Finding, Level, isolated, problem
from tui.cli.context import workspace_paths
from tui.cli.errors import is_expected
from tui.cli.output import FAULT, OK, USAGE, json_array, print_message, write_stdout
from tui.domain.models import FaultKind, Job
from tui.engine.accounts.probe import PROBE_JOB_ID, ProbeResult, probe
from tui.engine.accounts.retirement import GONE
from tui.presentation import formatting, sanitize
from tui.storage.config.secrets import Secret, SecretError
from tui.storage.locks.poller_lease import Lease
from tui.storage.workspace import Workspace

MAX_CLOCK_SKEW = 60.0
"""Seconds."""
_KEY_ACCEPTED = frozenset({FaultKind.MISSING, FaultKind.PAYMENT})
"""Faults that prove that the service accepted the key."""


def doctor(args: Namespace) -> int:
    """Run `doctor`. Returns 2 for a local error, 3 if an account cannot be polled, else 0."""
    found = [
        *isolated("program", "program", checks.check_program()),
        *isolated("files", "files", _check_files(args)),
        *isolated("network", "environment", checks.check_environment(os.environ)),
        *isolated("terminal", "terminal", checks.check_terminal(os.environ)),
    ]
    if args.json:
        write_stdout(json_array(map(report.finding_json, found)))
    else:
        write_stdout("".join(f"{line}\n" for line in report.format_findings(found, text_table.terminal_width())))
        count = sum(finding.level is Level.ERROR for finding in found)
        print_message(f"{formatting.count_of(count, 'error')} found" if count else "no errors found")
    return _exit_code(found)


def _exit_code(found: Iterable[Finding]) -> int:
    errors = [finding for finding in found if finding.level is Level.ERROR]
    if any(not finding.is_remote for finding in errors):
        return USAGE
    return FAULT if errors else OK


def _check_files(args: Namespace) -> Iterator[Finding]:
    """Yield the findings about files, and about what the settings name."""
    places = workspace_paths(args)
    yield from checks.check_files(places)
    try:
        workspace = Workspace.open(places, os.environ, readonly=args.readonly)
    except Exception as error:  # noqa: BLE001 - doctor must survive what it diagnoses
        yield problem("files", "settings", error)
        return
    with closing(workspace):
        yield from isolated("files", "downloads", checks.check_downloads(workspace.settings))
        yield from isolated("files", "dashboard", checks.check_dashboard(workspace.config))
        yield from checks.check_hooks(workspace.settings, workspace.keys)
        yield from isolated("journal", "journal", _check_journal(workspace))
        if workspace.is_team:
            yield from isolated("team", "database", checks.check_team(workspace))
        jobs, finding = _read_jobs(workspace)
        yield finding
        yield from isolated("accounts", "accounts", _check_accounts(workspace, jobs))
        for warning in dict.fromkeys(workspace.warnings):
            yield Finding("program", "warning", Level.WARNING, warning)


def _read_jobs(workspace: Workspace) -> tuple[Sequence[Job], Finding]:
    try:
        content = workspace.watchlist.read()
    except Exception as error:  # noqa: BLE001 - the accounts can be polled without jobs
        return (), problem("files", "jobs", error)
    text = "; ".join([formatting.count_of(len(content.jobs), "job"), *content.problems])
    return content.jobs, Finding("files", "jobs", Level.WARNING if content.problems else Level.OK, text)


def _check_accounts(workspace: Workspace, jobs: Sequence[Job]) -> Iterator[Finding]:
    """Yield what a poll of each account shows, and the accounts that only the watchlist names."""
    accounts = list(workspace.accounts)
    if not accounts:
        yield Finding("accounts", "accounts", Level.WARNING, "no accounts configured", workspace.account_hint())
        return
    workspace.keys.fetch_all()
    results = dict(zip(accounts, asyncio.run(_probe_accounts(workspace, accounts, jobs)), strict=True))
    probes = {name: result for name, result in results.items() if isinstance(result, ProbeResult)}
    for name, result in results.items():
        if workspace.is_team and isinstance(workspace.keys.get(name), SecretError):
            yield Finding("accounts", name, Level.OK, "no key here: a worker of the team polls")
        elif isinstance(result, Exception):
            yield problem("accounts", name, result)
        elif name in probes:
            yield _account_finding(workspace, name, probes[name])
    yield from _check_clocks(probes)
    for name in sorted({job.account for job in jobs} - set(accounts)):
        reason = workspace.config.why_unconfigured(name)
        yield Finding("accounts", name, Level.ERROR, "jobs on the watchlist, but no such account", reason)


async def _probe_accounts(
    workspace: Workspace, accounts: Iterable[str], jobs: Iterable[Job]
) -> list[ProbeResult | BaseException]:
    newest: dict[str, Job] = {}
    for job in sorted(jobs, key=lambda job: job.added or 0.0):  # of two at the same instant, the later in the file
        if not job.archived:
            newest[job.account] = job
    return await asyncio.gather(
        *(probe(workspace, name, newest.get(name)) for name in accounts), return_exceptions=True
    )


def _account_finding(workspace: Workspace, name: str, found: ProbeResult) -> Finding:
    """Return the finding about one account: its key, and the result of its poll."""
    account, key = workspace.accounts[name], workspace.keys.get(name)
    key_source = f"{account.provider.title}, {account.key_source or 'no key'}"
    if isinstance(key, Secret):
        key_source += f" (…{key.tail})" if key.tail else " (too short to show its end)"
    if found.moved_to:
        key_source += f"; API retired, uses {found.moved_to}"
    fault, duration = found.fault, f" ({found.request_record.duration_ms:.0f} ms)" if found.request_record else ""
    about = "test id" if found.job.id == PROBE_JOB_ID else f"job {found.job.id}"
    if fault is None or (fault.kind in _KEY_ACCEPTED and fault.http_status != GONE):
        what = "polled" if fault is None else f"polled ({fault.http_status}: {fault.message})"
        return Finding("accounts", name, Level.OK, f"{key_source}: {about} {what}{duration}", is_remote=True)
    if fault.kind is FaultKind.LIMITED and workspace.is_team and found.request_record is None:
        return Finding("accounts", name, Level.OK, f"{key_source}: not polled: {fault.message}")
    if fault.kind is FaultKind.REJECTED and found.job.id == PROBE_JOB_ID:
        remedy = f"the service responds; to check the key, add a job: babeltop add {name}:ID"
        return Finding(
            "accounts", name, Level.WARNING, f"{key_source}: {about}: {fault.message}{duration}", remedy, is_remote=True
        )
    return Finding(
        "accounts", name, Level.ERROR, f"{key_source}: {fault.message}{duration}", _remedy(fault.kind), is_remote=True
    )


def _remedy(kind: FaultKind) -> str:
    match kind:
        case FaultKind.REFUSED:
            return "check that the key is valid and of this organisation, then run doctor again"
        case FaultKind.OFFLINE | FaultKind.TIMEOUT:
            return "check the network, HTTPS_PROXY and the account's base_url"
        case FaultKind.TLS:
            return "check this machine's certificates (SSL_CERT_FILE), its clock, and proxies"
        case FaultKind.LIMITED:
            return "wait until then; another program may use the same key"
        case FaultKind.SERVER:
            return "see the service's status page; polling continues"
        case _:
            return "check the account's base_url and its provider file: babeltop providers"


def _check_clocks(probes: Mapping[str, ProbeResult]) -> Iterator[Finding]:
    """Yield the difference between this clock and those of the services."""
    skews = {name: found.skew for name, found in probes.items() if found.skew is not None}
    if not skews:
        yield Finding("clock", "clock", Level.OK, "no service sent its time")
        return
    off = {name: skew for name, skew in skews.items() if abs(skew) > MAX_CLOCK_SKEW}
    shown = ", ".join(f"{name} {skew:+.0f} s" for name, skew in (off or skews).items())
    remedy = "set this machine's clock: timedatectl set-ntp true (link expiry uses the service's clock)"
    level, remedy = (Level.WARNING, remedy) if off else (Level.OK, "")
    yield Finding("clock", "clock", level, f"difference to this clock: {shown}", remedy)


def _check_journal(workspace: Workspace) -> Iterator[Finding]:
    """Yield whether the journal is usable, and which process polls."""
    file = workspace.paths.state_dir / "journal.db"
    try:
        trouble = workspace.ensure_journal()
        known = 0 if trouble else len(workspace.journal.states())
        beat = workspace.journal.heartbeats.latest(_lease(workspace).name)
        free = _lease(workspace).is_free()
    except Exception as error:
        if not (is_expected(error) or isinstance(error, OSError)):
            raise
        workspace.ensure_journal()
        yield Finding("journal", "journal", Level.ERROR, str(error), "correct the permissions of the state folder")
        return
    if trouble:
        yield Finding("journal", "journal", Level.ERROR, trouble, f"correct the permissions of {file.parent}")
        return
    size = f"{file.stat().st_size / 1024**2:.1f} MiB"
    yield Finding(
        "journal", "journal", Level.OK, f"{sanitize.clean(str(file))}: {formatting.count_of(known, 'job')}, {size}"
    )
    if workspace.is_team:
        return
    if free:
        yield Finding("journal", "poller", Level.OK, "no process polls this watchlist")
    else:
        pid = beat.pid if beat else None
        yield Finding(
            "journal", "poller", Level.OK, f"PID {pid} polls this watchlist" if pid else "another process polls it"
        )


def _lease(workspace: Workspace) -> Lease:
    return Lease(workspace.paths.state_dir, workspace.paths.watchlist_file)
