"""The verb doctor: looks at all that can stand in the way, asks every account once, and says what to do."""

import asyncio
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tui.cli import text_table
from tui.cli.commands.doctor import checks, report
from tui.cli.commands.doctor.report import Finding, Level
from tui.cli.errors import is_expected
from tui.cli.output import FAULT, OK, USAGE, json_array, print_message, write_stdout
from tui.cli.parser import Namespace
from tui.domain.models import FaultKind, Job
from tui.engine.accounts.probe import PROBE_JOB_ID, ProbeResult, probe
from tui.presentation import sanitize
from tui.storage.config.secrets import Secret
from tui.storage.locks.poller_lease import Lease
from tui.storage.workspace import Workspace, WorkspacePaths

MAX_CLOCK_SKEW = 60.0
"""Seconds that two clocks may part."""
_KEY_ACCEPTED = frozenset({FaultKind.MISSING, FaultKind.PAYMENT})
"""Faults with which a service has taken the key."""


def doctor(args: Namespace) -> int:
    """`doctor`: 2 where something is wrong on this machine, 3 where an account cannot be asked, else 0."""
    places = WorkspacePaths.default(Path(args.watchlist).expanduser() if args.watchlist else None)
    found = [*checks.check_program(), *checks.check_files(places)]
    try:
        library = Workspace(places, os.environ, readonly=args.readonly)
    except Exception as error:
        if not is_expected(error):
            raise
        found.append(Finding("files", "settings", Level.ERROR, str(error), "correct the file, and run this again"))
    else:
        try:
            found += _check_workspace(library)
        finally:
            library.close()
    found += checks.check_terminal(os.environ)
    if args.json:
        write_stdout(json_array(map(report.finding_json, found)))
    else:
        write_stdout("".join(f"{line}\n" for line in report.format_findings(found, text_table.terminal_width())))
        wrong = sum(finding.level is Level.ERROR for finding in found)
        print_message(f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong" if wrong else "nothing is wrong")
    return _exit_code(found)


def _exit_code(found: Iterable[Finding]) -> int:
    wrong = [finding for finding in found if finding.level is Level.ERROR]
    if any(not finding.is_remote for finding in wrong):
        return USAGE
    return FAULT if wrong else OK


def _check_workspace(library: Workspace) -> Iterator[Finding]:
    """All that takes the settings."""
    yield checks.check_downloads(library.settings)
    yield from checks.check_hooks(library.settings, os.environ)
    yield from _check_journal(library)
    jobs: Sequence[Job] = ()
    try:
        reading = library.watchlist.read()
        jobs = reading.jobs
        level = Level.WARNING if reading.problems else Level.OK
        yield Finding("files", "jobs", level, "; ".join([f"{len(jobs)} jobs", *reading.problems]))
        accounts = list(library.accounts)
    except Exception as error:
        if not is_expected(error):
            raise
        yield Finding("files", "settings", Level.ERROR, str(error), "correct the file, and run this again")
        return
    if not accounts:
        names = ", ".join(variable for _, variable, _ in library.key_variables())
        do = f"set one of {names}, or write [accounts.NAME] in {library.paths.config_dir / 'config.toml'}"
        yield Finding("accounts", "accounts", Level.WARNING, "there is none yet", do)
        return
    library.fetch_keys()
    probes = asyncio.run(_probe_accounts(library, accounts, jobs))
    for name, found in zip(accounts, probes, strict=True):
        yield _account_finding(library, name, found)
    yield from _check_clocks(accounts, probes)
    unknown = sorted({job.account for job in jobs} - set(accounts))
    for name in unknown:
        yield Finding("accounts", name, Level.ERROR, "jobs are listed under it", library.why_unconfigured(name))
    for warning in dict.fromkeys(library.warnings):
        yield Finding("program", "warning", Level.WARNING, warning)


async def _probe_accounts(library: Workspace, accounts: Iterable[str], jobs: Iterable[Job]) -> list[ProbeResult]:
    newest: dict[str, Job] = {}
    for job in sorted(jobs, key=lambda job: job.added or 0.0):  # of two of the same instant the one further down
        if not job.archived:
            newest[job.account] = job
    return await asyncio.gather(*(probe(library, name, newest.get(name)) for name in accounts))


def _account_finding(library: Workspace, name: str, found: ProbeResult) -> Finding:
    """One account: whose key, and what came of the ask."""
    account, key = library.accounts[name], library.key(name)
    whose = f"{account.provider.title}, {account.key_source or 'no key'}"
    if isinstance(key, Secret):
        whose += f" (…{key.tail})" if key.tail else " (too short to show its end)"
    if found.moved_to:
        whose += f"; its API is over, {found.moved_to} answers"
    fault, took = found.fault, f" in {found.request_record.duration_ms:.0f} ms" if found.request_record else ""
    about = "a made-up id" if found.job.id == PROBE_JOB_ID else f"job {found.job.id}"
    if fault is None or fault.kind in _KEY_ACCEPTED:
        what = "asked" if fault is None else f"asked ({fault.http_status}: {fault.message})"
        return Finding("accounts", name, Level.OK, f"{whose}: {about} {what}{took}", is_remote=True)
    if fault.kind is FaultKind.REJECTED and found.job.id == PROBE_JOB_ID:
        do = f"the service is there; add a job to see whether the key is good: babeltop add {name}:ID"
        return Finding("accounts", name, Level.WARNING, f"{whose}: {about}: {fault.message}{took}", do, is_remote=True)
    return Finding(
        "accounts", name, Level.ERROR, f"{whose}: {fault.message}{took}", _remedy(fault.kind), is_remote=True
    )


def _remedy(kind: FaultKind) -> str:
    match kind:
        case FaultKind.REFUSED:
            return "see whether the key is of this organisation and still good; then set it anew, and run this again"
        case FaultKind.OFFLINE | FaultKind.TIMEOUT:
            return "see to the network, to HTTPS_PROXY and to the account's base_url"
        case FaultKind.TLS:
            return "see to this machine's certificates (SSL_CERT_FILE) and clock; a proxy may stand between"
        case FaultKind.LIMITED:
            return "wait until then; another program with this key may be asking too"
        case FaultKind.SERVER:
            return "the service is in trouble: see its status page; asking goes on by itself"
        case _:
            return "see the account's base_url and its provider file: babeltop providers"


def _check_clocks(accounts: Sequence[str], probes: Sequence[ProbeResult]) -> Iterator[Finding]:
    """Our clock beside the services'. One that stands alone is the service's own."""
    skews = {name: found.skew for name, found in zip(accounts, probes, strict=True) if found.skew is not None}
    if not skews:
        yield Finding("clock", "clock", Level.OK, "no service told the time")
        return
    off = {name: skew for name, skew in skews.items() if abs(skew) > MAX_CLOCK_SKEW}
    shown = ", ".join(f"{name} {skew:+.0f} s" for name, skew in (off or skews).items())
    do = "set this machine's clock: timedatectl set-ntp true. Link expiry goes by the service's clock meanwhile"
    level, do = (Level.WARNING, do) if off else (Level.OK, "")
    yield Finding("clock", "clock", level, f"the services' clocks beside ours: {shown}", do)


def _check_journal(library: Workspace) -> Iterator[Finding]:
    """Whether the journal can be used, and who polls."""
    file = library.paths.state_dir / "journal.db"
    try:
        trouble = library.ensure_journal()
        known = 0 if trouble else len(library.journal.states())
        beat = library.journal.heartbeats.latest(_lease(library).name)
        free = _lease(library).is_free()
    except Exception as error:
        if not (is_expected(error) or isinstance(error, OSError)):
            raise
        library.ensure_journal()
        yield Finding("journal", "journal", Level.ERROR, str(error), "see to the rights of the state folder")
        return
    if trouble:
        yield Finding("journal", "journal", Level.ERROR, trouble, f"see to the rights of {file.parent}")
        return
    size = f"{file.stat().st_size / 1024**2:.1f} MiB"
    yield Finding("journal", "journal", Level.OK, f"{sanitize.clean(str(file))}: {known} jobs were seen, {size}")
    if free:
        yield Finding("journal", "poller", Level.OK, "nobody polls this watchlist now")
    else:
        pid = beat.pid if beat else None
        yield Finding(
            "journal", "poller", Level.OK, f"PID {pid} polls this watchlist" if pid else "another process polls it"
        )


def _lease(library: Workspace) -> Lease:
    return Lease(library.paths.state_dir, library.paths.watchlist_file)
