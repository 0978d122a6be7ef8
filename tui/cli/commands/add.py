"""Subcommand add: ids, links and records from arguments and stdin become jobs of the matching accounts.

Adds the valid ones even if others are rejected.
"""

import re
import sys
import time
from argparse import Namespace
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tui.cli import job_secrets
from tui.cli.commands.edit import print_refs, sanitize_option, sanitize_tags
from tui.cli.context import edit_watchlist, open_workspace, require_accounts
from tui.cli.import_parser import ImportRecord, InvalidRecord, decode, parse_records
from tui.cli.job_secrets import JobSecret
from tui.cli.output import OK, USAGE, UsageError, print_message, write_stdout
from tui.domain import job_ids
from tui.domain.job_ids import Candidate, CandidateStatus, parse_pasted
from tui.domain.models import Job, Ref
from tui.presentation.sanitize import clean
from tui.providers.model import UnknownKind
from tui.storage.config.configuration import Account
from tui.storage.config.secrets import SecretError
from tui.storage.watchlist.operations import Add
from tui.storage.workspace import Workspace

MAX_QUOTED_LENGTH = 80
"""Characters of a rejected id in its message."""

IdPatterns = Mapping[str, Sequence[re.Pattern[str]]]


class _ClassifiedRecord(NamedTuple):
    """Candidate job with the fields of its record."""

    candidate: Candidate
    fields: Mapping[str, Any]


def add(args: Namespace) -> int:
    """Run `add`. Returns 2 if any id was rejected."""
    with open_workspace(args) as workspace:
        accounts = require_accounts(workspace, [] if args.account is None else [args.account])
        hints = {name: list(map(re.compile, each.provider.id_patterns)) for name, each in accounts.items()}
        slashed = {name for name, account in accounts.items() if account.provider.has_slashes}
        found = [_classify_record(record, hints, args.account or "", slashed) for record in _read_records(args.ids)]
        job_secrets.check_names(dict(args.secrets), accounts)
        jobs: list[Job] = []
        secrets: dict[Ref, dict[str, JobSecret]] = {}
        for each in _resolve_accounts(found, hints, interactive=_is_interactive(args.ids)):
            if _fits_account(each, accounts, args.kind):
                jobs.append(job := _build_job(each, args))
                needed = accounts[job.account].provider.secrets
                options = {name: source for name, source in args.secrets if name in needed}
                secrets.setdefault(job.ref, {**each.fields.get("secrets", {}), **options})
        if args.dry_run:
            _print_plan(workspace, [job.ref for job in jobs])
        elif jobs:
            _add_jobs(workspace, jobs, secrets, interactive=_is_interactive(args.ids))
        if not found:
            raise UsageError("no ids to add")
        return OK if len(jobs) == len(found) else USAGE


def _add_jobs(
    workspace: Workspace, jobs: Sequence[Job], secrets: dict[Ref, dict[str, JobSecret]], *, interactive: bool
) -> None:
    """Add the jobs with their secrets, prompting for missing ones, and print what was added and what is missing."""
    remote = _remote_accounts(workspace, {job.account for job in jobs})
    if interactive:
        listed = {job.ref for job in workspace.watchlist.read().jobs}
        new = [job.ref for job in jobs if job.ref not in listed and job.account not in remote]
        for ref, typed in job_secrets.prompt(job_secrets.missing_secrets(new, workspace.accounts, secrets)).items():
            secrets[ref] |= typed
    result = edit_watchlist(workspace, Add(tuple(jobs), secrets))
    print_refs("added", result.added)
    print_refs("already on the watchlist", result.unchanged)
    here = [ref for ref in result.added if ref.account not in remote]
    job_secrets.print_missing(
        job_secrets.missing_secrets(here, workspace.accounts, secrets), workspace.paths.watchlist_file
    )
    job_secrets.print_remote([ref for ref in result.added if ref.account in remote], workspace.accounts)


def _remote_accounts(workspace: Workspace, accounts: Collection[str]) -> frozenset[str]:
    """Return those of the accounts whose jobs' secrets are needed where their keys are: at a worker of the team."""
    if not workspace.is_team:
        return frozenset()
    return frozenset(
        name
        for name in accounts
        if workspace.accounts[name].provider.secrets and isinstance(workspace.keys.get(name), SecretError)
    )


def _print_plan(workspace: Workspace, refs: Sequence[Ref]) -> None:
    """Print the refs that would be added to stdout, one per line, and name the others."""
    listed = {job.ref for job in workspace.watchlist.read().jobs}
    unique = dict.fromkeys(refs)
    write_stdout("".join(f"{ref}\n" for ref in unique if ref not in listed))
    print_refs("already on the watchlist", [ref for ref in unique if ref in listed])


def _read_records(texts: Iterable[str]) -> Iterator[ImportRecord | InvalidRecord]:
    """Yield the records of the arguments, with those of stdin in place of `-`."""
    for text in texts:
        yield from parse_records(_read_stdin()) if text == "-" else (ImportRecord(text, {}),)


def _read_stdin() -> str:
    """Return stdin as text; a terminal has an encoding of its own. Raises UsageError for bytes that are no text."""
    if sys.stdin.isatty():
        return sys.stdin.read()
    try:
        return decode(sys.stdin.buffer.read())
    except ValueError as error:
        raise UsageError(f"stdin {error}. Nothing was added") from None


def _classify_record(
    record: ImportRecord | InvalidRecord, id_patterns: IdPatterns, account: str, slashed: Collection[str]
) -> _ClassifiedRecord:
    """Return a record's candidate, in the account of the option or else of the record."""
    if isinstance(record, InvalidRecord):
        return _ClassifiedRecord(Candidate(record.location, CandidateStatus.INVALID, reason=record.reason), {})
    own = record.fields.get("account", "")
    if own and not record.id.lower().startswith(("http://", "https://")):
        return _ClassifiedRecord(
            _candidate_with_account(record.id, account or own, id_patterns, slashed), record.fields
        )
    none = Candidate("", CandidateStatus.INVALID, reason="empty id")
    return _ClassifiedRecord(
        next(iter(parse_pasted([record.id], id_patterns, (), account or own, slashed)), none), record.fields
    )


def _candidate_with_account(job_id: str, account: str, id_patterns: IdPatterns, slashed: Collection[str]) -> Candidate:
    """Return the candidate of an id whose account is given: no pattern has to match."""
    if account not in id_patterns:
        reason = f"unknown account {clean(account, MAX_QUOTED_LENGTH)!r}: use --account"
        return Candidate(job_id, CandidateStatus.INVALID, reason=reason)
    reason = job_ids.invalid_reason(job_id, has_slashes=account in slashed)
    return Candidate(job_id, CandidateStatus.INVALID if reason else CandidateStatus.NEW, account, reason or "")


def _resolve_accounts(
    found: Iterable[_ClassifiedRecord], id_patterns: IdPatterns, *, interactive: bool
) -> Iterator[_ClassifiedRecord]:
    """Yield the records with an account, if need be by prompt, and print the others."""
    for each in found:
        candidate = each.candidate
        if candidate.status is CandidateStatus.NEW:
            yield each
        elif (
            candidate.status is CandidateStatus.AMBIGUOUS
            and interactive
            and (account := _prompt_for_account(candidate, list(id_patterns)))
        ):
            yield each._replace(candidate=Candidate(candidate.id, CandidateStatus.NEW, account))
        else:
            ambiguous = f"ambiguous: select an account with --account: {', '.join(id_patterns)}"
            reason = ambiguous if candidate.status is CandidateStatus.AMBIGUOUS else candidate.reason
            print_message(f"not added: {_quote(candidate.id)}: {reason}")


def _fits_account(each: _ClassifiedRecord, accounts: Mapping[str, Account], kind: str | None) -> bool:
    """Return whether the provider has the job's kind and the id all its parts, and print the job if not."""
    candidate = each.candidate
    account = accounts[candidate.account]
    try:
        job_kind = kind or each.fields.get("kind", "")
        values = account.provider.values(job_kind, candidate.id, account.variables)
        account.provider.endpoint(job_kind).status.fill(account.base_url, values)
    except (UnknownKind, ValueError) as error:
        print_message(f"not added: {candidate.account}:{candidate.id}: {error}")
        return False
    return True


def _build_job(each: _ClassifiedRecord, args: Namespace) -> Job:
    """Return the job: options replace a record's fields, tags are added to its tags."""
    given = {key: getattr(args, key) for key in ("kind", "label", "note") if getattr(args, key) is not None}
    typed = {key: sanitize_option(value) for key, value in given.items()}
    tags = tuple(dict.fromkeys((*each.fields.get("tags", ()), *_option_tags(args))))
    ref = {"account": each.candidate.account, "id": each.candidate.id}
    fields = {key: value for key, value in each.fields.items() if key != "secrets"}
    return Job(**{"added": float(int(time.time())), **fields, **typed, "tags": tags, **ref})  # pyright: ignore[reportArgumentType] - sanitize_option keeps the type


def _option_tags(args: Namespace) -> Sequence[str]:
    return sanitize_tags(args.tags or ())


def _is_interactive(given: Sequence[str]) -> bool:
    return "-" not in given and sys.stdin.isatty() and sys.stderr.isatty()


def _prompt_for_account(each: Candidate, names: Sequence[str]) -> str | None:
    """Return the account that the operator selects, or None."""
    print(f"Account of {each.id}:", file=sys.stderr)
    for number, name in enumerate(names, 1):
        print(f"  {number}  {name}", file=sys.stderr)
    print("number or name, Enter skips: ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip()
    if answer.isdigit() and 1 <= int(answer) <= len(names):
        return names[int(answer) - 1]
    return answer if answer in names else None


def _quote(text: str) -> str:
    return repr(text if len(text) <= MAX_QUOTED_LENGTH else f"{text[:MAX_QUOTED_LENGTH]}…")
