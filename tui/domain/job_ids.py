"""What an operator pasted, line by line: which id, whose it seems to be, and what stands against it. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from tui.domain import ids
from tui.domain.models import Ref


class Verdict(StrEnum):
    """What becomes of a line."""

    NEW = "new"
    THERE = "there already"
    TWICE = "twice, left out"
    UNCLEAR = "unclear"
    REFUSED = "refused"


class Candidate(Struct, frozen=True):
    """One line of what was pasted."""

    id: str
    verdict: Verdict
    account: str = ""
    """Whose it is; "" where that is unclear."""
    reason: str = ""
    """How the account was found, or what stands against the id."""

    @property
    def ref(self) -> Ref:
        """The job that it would be."""
        return Ref(self.account, self.id)


def sort_out(
    lines: Iterable[str],
    hints: Mapping[str, Sequence[re.Pattern[str]]],
    refs: Collection[Ref],
    account: str = "",
) -> tuple[Candidate, ...]:
    """The candidates in lines of ids, links or `account:id`; empty lines are passed over.

    `hints` are the shapes of every account's ids, by account; `account` is whose all of them are, if that was said.
    An id is an account's where that was said, where its shape fits that account's alone, or where there is no other.
    """
    shapes = [shape for found in hints.values() for shape in found]
    seen = set[Ref]()
    found: list[Candidate] = []
    for line in lines:
        if not line.strip():
            continue
        rest, whose = _named(line.strip(), hints, account)
        candidate = _judge(ids.from_paste(rest, shapes), hints, refs, whose)
        if candidate.verdict is Verdict.NEW and candidate.ref in seen:
            candidate = Candidate(candidate.id, Verdict.TWICE, candidate.account)
        seen.add(candidate.ref)
        found.append(candidate)
    return tuple(found)


def _named(line: str, hints: Mapping[str, Sequence[re.Pattern[str]]], account: str) -> tuple[str, str]:
    """The id and its account, where the line names it as `account:id` and no other was said for all."""
    name, colon, rest = line.partition(":")
    return (rest, name) if colon and name in hints and account in {"", name} else (line, account)


def _judge(
    job_id: str, hints: Mapping[str, Sequence[re.Pattern[str]]], refs: Collection[Ref], account: str
) -> Candidate:
    refusal = ids.refusal(job_id)
    if refusal is not None:
        return Candidate(job_id, Verdict.REFUSED, reason=refusal)
    fitting = ids.guess(job_id, hints)
    reason = ""
    if not account and len(fitting) == 1:
        account, reason = fitting[0], "by its shape"
    elif not account and len(hints) == 1:
        account, reason = next(iter(hints)), "the only account"
    if not account:
        return Candidate(job_id, Verdict.UNCLEAR, reason="choose its account" if hints else "there is no account yet")
    verdict = Verdict.THERE if Ref(account, job_id) in refs else Verdict.NEW
    return Candidate(job_id, verdict, account, reason)
