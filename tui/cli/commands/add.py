"""The verb add: ids, links and records from arguments and stdin become jobs of the accounts that they fit.

What is clear is added, even where the rest is not.
"""

import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tui.cli.commands.edit import said, tell
from tui.cli.context import opened
from tui.cli.import_parser import Record, Wrong, records
from tui.cli.output import OK, USAGE, UsageError, say
from tui.cli.parser import Namespace
from tui.domain import ids
from tui.domain.job_ids import Candidate, CandidateStatus, parse_pasted
from tui.domain.models import Job
from tui.presentation.formatting import clean
from tui.providers.model import UnknownKind
from tui.storage.watchlist.file import Add
from tui.storage.workspace import Account, Library

SHOWN = 80
"""Characters of a refused id that are repeated."""

Hints = Mapping[str, Sequence[re.Pattern[str]]]


class _Found(NamedTuple):
    """One job that was meant, and what was said of it."""

    candidate: Candidate
    said: Mapping[str, Any]


def add(args: Namespace) -> int:
    """`add`: 2 where anything was left out, which is named."""
    with opened(args) as library:
        accounts = _accounts(library, args.account)
        hints = {name: _shapes(account, accounts) for name, account in accounts.items()}
        found = [_sorted(record, hints, args.account or "") for record in _given(args.ids)]
        jobs = [
            _job(each, args)
            for each in _cleared(found, hints, ask=_may_ask(args.ids))
            if _fits(each, accounts, args.kind)
        ]
        if jobs:
            _, outcome = library.change(Add(tuple(jobs)))
            tell("added", outcome.added)
            tell("there already", outcome.already)
        if not found:
            raise UsageError("there was no id to add")
        return OK if len(jobs) == len(found) else USAGE


def _accounts(library: Library, wanted: str | None) -> Mapping[str, Account]:
    """Every account. Raises UsageError where there is none, or not the one that was named."""
    if wanted is not None and wanted not in library.accounts:
        raise UsageError(library.unconfigured(wanted))
    if not library.accounts:
        variables = ", ".join(variable for _, variable, _ in library.key_variables())
        raise UsageError(
            f"there is no account yet: set the key of one in {variables},\n"
            f"  or write [accounts.NAME] in {library.places.config / 'config.toml'}"
        )
    return library.accounts


def _shapes(account: Account, accounts: Mapping[str, Account]) -> list[re.Pattern[str]]:
    """The shapes of an account's ids; none for a successor beside its predecessor, which has the same."""
    successors = {each.provider.successor for each in accounts.values()}
    return [] if account.provider.name in successors else [re.compile(shape) for shape in account.provider.ids]


def _given(texts: Iterable[str]) -> Iterator[Record | Wrong]:
    """The ids as given; in the place of `-` what stdin holds."""
    for text in texts:
        yield from records(sys.stdin.read()) if text == "-" else (Record(text, {}),)


def _sorted(record: Record | Wrong, hints: Hints, account: str) -> _Found:
    """A record's candidate. Its account is the one that was said for all, else its own."""
    if isinstance(record, Wrong):
        return _Found(Candidate(record.where, CandidateStatus.INVALID, reason=record.reason), {})
    own = record.said.get("account", "")
    if own and not record.id.lower().startswith(("http://", "https://")):
        return _Found(_exact(record.id, account or own, hints), record.said)
    none = Candidate("", CandidateStatus.INVALID, reason="there is no id")
    return _Found(next(iter(parse_pasted([record.id], hints, (), account or own)), none), record.said)


def _exact(job_id: str, account: str, hints: Hints) -> Candidate:
    """The candidate of an id that stands beside its account: it was not pasted, and is taken as it is."""
    if account not in hints:
        reason = f"there is no account {clean(account, SHOWN)!r}: say another with --account"
        return Candidate(job_id, CandidateStatus.INVALID, reason=reason)
    refusal = ids.invalid_reason(job_id)
    return Candidate(job_id, CandidateStatus.INVALID if refusal else CandidateStatus.NEW, account, refusal or "")


def _cleared(found: Iterable[_Found], hints: Hints, *, ask: bool) -> Iterator[_Found]:
    """Those whose account is known, or told by the operator; the others are named."""
    for each in found:
        candidate = each.candidate
        if candidate.status is CandidateStatus.NEW:
            yield each
        elif candidate.status is CandidateStatus.AMBIGUOUS and ask and (account := _asked(candidate, list(hints))):
            yield each._replace(candidate=Candidate(candidate.id, CandidateStatus.NEW, account))
        else:
            unclear = f"say whose it is with --account: {', '.join(hints)}"
            reason = unclear if candidate.status is CandidateStatus.AMBIGUOUS else candidate.reason
            say(f"not added: {_shown(candidate.id)}: {reason}")


def _fits(each: _Found, accounts: Mapping[str, Account], kind: str | None) -> bool:
    """Whether the account's provider has the kind that was said; if not, it is named."""
    candidate = each.candidate
    try:
        accounts[candidate.account].provider.endpoint(kind or each.said.get("kind", ""))
    except UnknownKind as error:
        say(f"not added: {candidate.account}:{candidate.id}: {error}")
        return False
    return True


def _job(each: _Found, args: Namespace) -> Job:
    """The job. What the command line says holds for all; its tags come to those that a record has."""
    given = {key: getattr(args, key) for key in ("kind", "label", "note") if getattr(args, key) is not None}
    typed = {key: said(value) for key, value in given.items()}
    tags = tuple(dict.fromkeys((*each.said.get("tags", ()), *_tags(args))))
    whose = {"account": each.candidate.account, "id": each.candidate.id}
    return Job(**{"added": float(int(time.time())), **each.said, **typed, "tags": tags, **whose})  # pyright: ignore[reportArgumentType] - `said` keeps the kind of each


def _tags(args: Namespace) -> Sequence[str]:
    return () if args.tags is None else said(args.tags)  # pyright: ignore[reportReturnType] - the same


def _may_ask(given: Sequence[str]) -> bool:
    return "-" not in given and sys.stdin.isatty() and sys.stderr.isatty()


def _asked(each: Candidate, names: Sequence[str]) -> str | None:
    """The account that the operator picks for an id; None: none."""
    print(f"Which account is {each.id} in?", file=sys.stderr)
    for number, name in enumerate(names, 1):
        print(f"  {number}  {name}", file=sys.stderr)
    print("number or name, nothing leaves it out: ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip()
    if answer.isdigit() and 1 <= int(answer) <= len(names):
        return names[int(answer) - 1]
    return answer if answer in names else None


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
