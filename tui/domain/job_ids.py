"""What an operator pasted, line by line: which id, whose it seems to be, and what stands against it. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from tui.domain import ids
from tui.domain.models import Ref


class CandidateStatus(StrEnum):
    """What becomes of a line."""

    NEW = "new"
    LISTED = "there already"
    DUPLICATE = "twice, left out"
    AMBIGUOUS = "unclear"
    INVALID = "refused"


class Candidate(Struct, frozen=True):
    """One line of what was pasted."""

    id: str
    status: CandidateStatus
    account: str = ""
    """Whose it is; "" where that is unclear."""
    reason: str = ""
    """How the account was found, or what stands against the id."""

    @property
    def ref(self) -> Ref:
        """The job that it would be."""
        return Ref(self.account, self.id)


def parse_pasted(
    lines: Iterable[str],
    id_patterns: Mapping[str, Sequence[re.Pattern[str]]],
    refs: Collection[Ref],
    account: str = "",
) -> tuple[Candidate, ...]:
    """The candidates in lines of ids, links or `account:id`; empty lines are passed over.

    `hints` are the shapes of every account's ids, by account; `account` is whose all of them are, if that was said.
    An id is an account's where that was said, where its shape fits that account's alone, or where there is no other.
    """
    shapes = [shape for found in id_patterns.values() for shape in found]
    seen = set[Ref]()
    found: list[Candidate] = []
    for line in lines:
        if not line.strip():
            continue
        rest, whose = _split_account(line.strip(), id_patterns, account)
        candidate = _classify(ids.id_from_paste(rest, shapes), id_patterns, refs, whose)
        if candidate.status is CandidateStatus.NEW and candidate.ref in seen:
            candidate = Candidate(candidate.id, CandidateStatus.DUPLICATE, candidate.account)
        seen.add(candidate.ref)
        found.append(candidate)
    return tuple(found)


def _split_account(line: str, id_patterns: Mapping[str, Sequence[re.Pattern[str]]], account: str) -> tuple[str, str]:
    """The id and its account, where the line names it as `account:id` and no other was said for all."""
    name, colon, rest = line.partition(":")
    return (rest, name) if colon and name in id_patterns and account in {"", name} else (line, account)


def _classify(
    job_id: str, id_patterns: Mapping[str, Sequence[re.Pattern[str]]], refs: Collection[Ref], account: str
) -> Candidate:
    refusal = ids.invalid_reason(job_id)
    if refusal is not None:
        return Candidate(job_id, CandidateStatus.INVALID, reason=refusal)
    fitting = ids.guess_accounts(job_id, id_patterns)
    reason = ""
    if not account and len(fitting) == 1:
        account, reason = fitting[0], "by its shape"
    elif not account and len(id_patterns) == 1:
        account, reason = next(iter(id_patterns)), "the only account"
    if not account:
        return Candidate(
            job_id, CandidateStatus.AMBIGUOUS, reason="choose its account" if id_patterns else "there is no account yet"
        )
    verdict = CandidateStatus.LISTED if Ref(account, job_id) in refs else CandidateStatus.NEW
    return Candidate(job_id, verdict, account, reason)
