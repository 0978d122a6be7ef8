"""Subcommand doctor: checks this machine, polls every account once, and names remedies."""

import asyncio
import os
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence

from tui.cli import text_table
from tui.cli.commands.doctor import checks, report
from tui.cli.commands.doctor.report import Finding, Level
from tui.cli.context import workspace_paths
from tui.cli.errors import is_expected
from tui.cli.output import FAULT, OK, USAGE, json_array, print_message, write_stdout
from tui.domain.models import FaultKind, Job
from tui.engine.accounts.probe import PROBE_JOB_ID, ProbeResult, probe
from tui.engine.accounts.retirement import GONE
from tui.presentation import sanitize
from tui.storage.config.secrets import Secret
from tui.storage.locks.poller_lease import Lease
from tui.storage.workspace import Workspace

MAX_CLOCK_SKEW = 60.0
"""Seconds."""
_KEY_ACCEPTED = frozenset({FaultKind.MISSING, FaultKind.PAYMENT})
"""Faults that prove that the service accepted the key."""


def doctor(args: Namespace) -> int:
    """Run `doctor`. Returns 2 for a local error, 3 if an account cannot be polled, else 0."""
    places = workspace_paths(args)
    found = [*checks.check_program(), *checks.check_files(places)]
    try:
        workspace = Workspace.open(places, os.environ, readonly=args.readonly)
    except Exception as error:
        if not is_expected(error):
            raise
        found.append(Finding("files", "settings", Level.ERROR, str(error), "correct the file, then run doctor again"))
    else:
        try:
            found += _check_workspace(workspace)
        finally:
            workspace.close()
    found += checks.check_terminal(os.environ)
    if args.json:
        write_stdout(json_array(map(report.finding_json, found)))
    else:
        write_stdout("".join(f"{line}\n" for line in report.format_findings(found, text_table.terminal_width())))
        count = sum(finding.level is Level.ERROR for finding in found)
        print_message(f"{count} error{'s' * (count > 1)} found" if count else "no errors found")
    return _exit_code(found)


def _exit_code(found: Iterable[Finding]) -> int:
    errors = [finding for finding in found if finding.level is Level.ERROR]
    if any(not finding.is_remote for finding in errors):
        return USAGE
    return FAULT if errors else OK


def _check_workspace(workspace: Workspace) -> Iterator[Finding]:
    """Yield the findings that depend on the settings."""
    yield checks.check_downloads(workspace.settings)
    yield from checks.check_hooks(workspace.settings, workspace.keys)
    yield from _check_journal(workspace)
    jobs: Sequence[Job] = ()
    try:
        reading = workspace.watchlist.read()
        jobs = reading.jobs
        level = Level.WARNING if reading.problems else Level.OK
        yield Finding(
            "files", "jobs", level, "; ".join([f"{len(jobs)} job{'s' * (len(jobs) != 1)}", *reading.problems])
        )
        accounts = list(workspace.accounts)
    except Exception as error:
        if not is_expected(error):
            raise
        yield Finding("files", "settings", Level.ERROR, str(error), "correct the file, then run doctor again")
        return
    if not accounts:
        names = ", ".join(variable for _, variable, _ in workspace.key_variables())
        remedy = f"set an API key in {names}, or add [accounts.NAME] to {workspace.paths.config_dir / 'config.toml'}"
        yield Finding("accounts", "accounts", Level.WARNING, "no accounts configured", remedy)
        return
    workspace.keys.fetch_all()
    probes = asyncio.run(_probe_accounts(workspace, accounts, jobs))
    for name, found in zip(accounts, probes, strict=True):
        yield _account_finding(workspace, name, found)
    yield from _check_clocks(accounts, probes)
    unknown = sorted({job.account for job in jobs} - set(accounts))
    for name in unknown:
        yield Finding(
            "accounts",
            name,
            Level.ERROR,
            "jobs on the watchlist, but no such account",
            workspace.config.why_unconfigured(name),
        )
    for warning in dict.fromkeys(workspace.warnings):
        yield Finding("program", "warning", Level.WARNING, warning)


async def _probe_accounts(workspace: Workspace, accounts: Iterable[str], jobs: Iterable[Job]) -> list[ProbeResult]:
    newest: dict[str, Job] = {}
    for job in sorted(jobs, key=lambda job: job.added or 0.0):  # of two at the same instant, the later in the file
        if not job.archived:
            newest[job.account] = job
    return await asyncio.gather(*(probe(workspace, name, newest.get(name)) for name in accounts))


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


def _check_clocks(accounts: Sequence[str], probes: Sequence[ProbeResult]) -> Iterator[Finding]:
    """Yield the difference between this clock and those of the services."""
    skews = {name: found.skew for name, found in zip(accounts, probes, strict=True) if found.skew is not None}
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
        "journal", "journal", Level.OK, f"{sanitize.clean(str(file))}: {known} job{'s' * (known != 1)}, {size}"
    )
    if free:
        yield Finding("journal", "poller", Level.OK, "no process polls this watchlist")
    else:
        pid = beat.pid if beat else None
        yield Finding(
            "journal", "poller", Level.OK, f"PID {pid} polls this watchlist" if pid else "another process polls it"
        )


def _lease(workspace: Workspace) -> Lease:
    return Lease(workspace.paths.state_dir, workspace.paths.watchlist_file)
