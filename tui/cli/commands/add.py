"""The verb add: ids, links and records from arguments and stdin become jobs of the accounts that they fit.

What is clear is added, even where the rest is not.
"""

import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tui.cli.commands.edit import print_refs, sanitize_option
from tui.cli.context import open_workspace
from tui.cli.import_parser import ImportRecord, InvalidRecord, parse_records
from tui.cli.output import OK, USAGE, UsageError, print_message
from tui.cli.parser import Namespace
from tui.domain import job_ids
from tui.domain.job_ids import Candidate, CandidateStatus, parse_pasted
from tui.domain.models import Job
from tui.presentation.sanitize import clean
from tui.providers.model import UnknownKind
from tui.storage.watchlist.file import Add
from tui.storage.workspace import Account, Workspace

MAX_QUOTED_LENGTH = 80
"""Characters of a refused id that are repeated."""

IdPatterns = Mapping[str, Sequence[re.Pattern[str]]]


class _ClassifiedRecord(NamedTuple):
    """One job that was meant, and what was said of it."""

    candidate: Candidate
    fields: Mapping[str, Any]


def add(args: Namespace) -> int:
    """`add`: 2 where anything was left out, which is named."""
    with open_workspace(args) as library:
        accounts = _select_accounts(library, args.account)
        hints = {name: _id_patterns(account, accounts) for name, account in accounts.items()}
        found = [_classify_record(record, hints, args.account or "") for record in _read_records(args.ids)]
        jobs = [
            _build_job(each, args)
            for each in _resolve_accounts(found, hints, interactive=_is_interactive(args.ids))
            if _is_known_kind(each, accounts, args.kind)
        ]
        if jobs:
            _, outcome = library.edit_watchlist(Add(tuple(jobs)))
            print_refs("added", outcome.added)
            print_refs("there already", outcome.unchanged)
        if not found:
            raise UsageError("there was no id to add")
        return OK if len(jobs) == len(found) else USAGE


def _select_accounts(library: Workspace, name: str | None) -> Mapping[str, Account]:
    """Every account. Raises UsageError where there is none, or not the one that was named."""
    if name is not None and name not in library.accounts:
        raise UsageError(library.why_unconfigured(name))
    if not library.accounts:
        variables = ", ".join(variable for _, variable, _ in library.key_variables())
        raise UsageError(
            f"there is no account yet: set the key of one in {variables},\n"
            f"  or write [accounts.NAME] in {library.paths.config_dir / 'config.toml'}"
        )
    return library.accounts


def _id_patterns(account: Account, accounts: Mapping[str, Account]) -> list[re.Pattern[str]]:
    """The shapes of an account's ids; none for a successor beside its predecessor, which has the same."""
    successors = {each.provider.successor for each in accounts.values()}
    return [] if account.provider.name in successors else [re.compile(shape) for shape in account.provider.id_patterns]


def _read_records(texts: Iterable[str]) -> Iterator[ImportRecord | InvalidRecord]:
    """The ids as given; in the place of `-` what stdin holds."""
    for text in texts:
        yield from parse_records(sys.stdin.read()) if text == "-" else (ImportRecord(text, {}),)


def _classify_record(record: ImportRecord | InvalidRecord, id_patterns: IdPatterns, account: str) -> _ClassifiedRecord:
    """A record's candidate. Its account is the one that was said for all, else its own."""
    if isinstance(record, InvalidRecord):
        return _ClassifiedRecord(Candidate(record.location, CandidateStatus.INVALID, reason=record.reason), {})
    own = record.fields.get("account", "")
    if own and not record.id.lower().startswith(("http://", "https://")):
        return _ClassifiedRecord(_candidate_with_account(record.id, account or own, id_patterns), record.fields)
    none = Candidate("", CandidateStatus.INVALID, reason="there is no id")
    return _ClassifiedRecord(
        next(iter(parse_pasted([record.id], id_patterns, (), account or own)), none), record.fields
    )


def _candidate_with_account(job_id: str, account: str, id_patterns: IdPatterns) -> Candidate:
    """The candidate of an id that stands beside its account: it was not pasted, and is taken as it is."""
    if account not in id_patterns:
        reason = f"there is no account {clean(account, MAX_QUOTED_LENGTH)!r}: say another with --account"
        return Candidate(job_id, CandidateStatus.INVALID, reason=reason)
    refusal = job_ids.invalid_reason(job_id)
    return Candidate(job_id, CandidateStatus.INVALID if refusal else CandidateStatus.NEW, account, refusal or "")


def _resolve_accounts(
    found: Iterable[_ClassifiedRecord], id_patterns: IdPatterns, *, interactive: bool
) -> Iterator[_ClassifiedRecord]:
    """Those whose account is known, or told by the operator; the others are named."""
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
            unclear = f"say whose it is with --account: {', '.join(id_patterns)}"
            reason = unclear if candidate.status is CandidateStatus.AMBIGUOUS else candidate.reason
            print_message(f"not added: {_quote(candidate.id)}: {reason}")


def _is_known_kind(each: _ClassifiedRecord, accounts: Mapping[str, Account], kind: str | None) -> bool:
    """Whether the account's provider has the kind that was said; if not, it is named."""
    candidate = each.candidate
    try:
        accounts[candidate.account].provider.endpoint(kind or each.fields.get("kind", ""))
    except UnknownKind as error:
        print_message(f"not added: {candidate.account}:{candidate.id}: {error}")
        return False
    return True


def _build_job(each: _ClassifiedRecord, args: Namespace) -> Job:
    """The job. What the command line says holds for all; its tags come to those that a record has."""
    given = {key: getattr(args, key) for key in ("kind", "label", "note") if getattr(args, key) is not None}
    typed = {key: sanitize_option(value) for key, value in given.items()}
    tags = tuple(dict.fromkeys((*each.fields.get("tags", ()), *_option_tags(args))))
    whose = {"account": each.candidate.account, "id": each.candidate.id}
    return Job(**{"added": float(int(time.time())), **each.fields, **typed, "tags": tags, **whose})  # pyright: ignore[reportArgumentType] - `said` keeps the kind of each


def _option_tags(args: Namespace) -> Sequence[str]:
    return () if args.tags is None else sanitize_option(args.tags)  # pyright: ignore[reportReturnType] - the same


def _is_interactive(given: Sequence[str]) -> bool:
    return "-" not in given and sys.stdin.isatty() and sys.stderr.isatty()


def _prompt_for_account(each: Candidate, names: Sequence[str]) -> str | None:
    """The account that the operator picks for an id; None: none."""
    print(f"Which account is {each.id} in?", file=sys.stderr)
    for number, name in enumerate(names, 1):
        print(f"  {number}  {name}", file=sys.stderr)
    print("number or name, nothing leaves it out: ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip()
    if answer.isdigit() and 1 <= int(answer) <= len(names):
        return names[int(answer) - 1]
    return answer if answer in names else None


def _quote(text: str) -> str:
    return repr(text if len(text) <= MAX_QUOTED_LENGTH else f"{text[:MAX_QUOTED_LENGTH]}…")
