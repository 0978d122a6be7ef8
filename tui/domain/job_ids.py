"""Parser of job ids and refs that an operator types or pastes. It sends no request and knows no provider's name."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from tui.domain.models import Ref
from tui.domain.operator_input import nearest
from tui.errors import BabeltopError

MAX_ID_LENGTH = 512
"""Characters in an id, at most: ten times the longest seen, and an URL with it still passes every proxy."""
MAX_MATCHED_LENGTH = 100
"""Characters up to which a text can have a shape: twice the longest seen. What a shape may cost is reckoned with it."""

_QUOTES = "\"'`‘’“”«»"
_URL_SUFFIXES = (
    "(?i)download|edit|original|play|preview|result|share|status|view"
    r"|[^/]+\.(?:ass|docx|json|mov|mp3|mp4|pdf|srt|txt|vtt|wav|webm|zip)"
)
"""Path segments that services put behind an id. A text: `re` compiles it at its first use, and a start needs none."""


class UnknownRefError(BabeltopError):
    """A ref that names no job, or several. `str()` is one line for the operator."""

    def __init__(self, text: str, *, candidates: tuple[Ref, ...] = (), nearest: Ref | None = None) -> None:
        self.text = text
        self.candidates = candidates
        """The jobs that it may mean, where several accounts have the id."""
        self.nearest = nearest
        """The job whose ref is written most like it, where none has the id."""
        super().__init__(text, candidates, nearest)

    def __str__(self) -> str:
        if self.candidates:
            return f"{self.text!r} is in several accounts: say {' or '.join(map(str, self.candidates))}"
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"no job {self.text!r} on the watchlist{hint}"


def invalid_reason(text: str) -> str | None:
    """Why `text` cannot be an id, for an operator; None: it can. Shapes hint and never refuse."""
    if not text:
        return "there is no id"
    if len(text) > MAX_ID_LENGTH:
        return f"an id has {MAX_ID_LENGTH} characters at most, this has {len(text)}"
    if text in {".", ".."}:
        return "'.' and '..' would leave the path that is asked"
    if "/" in text or "\\" in text:
        return "an id holds no '/' or '\\': paste the id alone, or the whole link"
    if text.isprintable() and " " not in text:
        return None
    if any(character.isspace() for character in text):
        return "an id holds no white space"
    hidden = next(character for character in text if not character.isprintable())
    return f"it holds a character that does not show (U+{ord(hidden):04X}): type it, or copy it again"


def id_from_paste(line: str, patterns: Iterable[re.Pattern[str]] = ()) -> str:
    """The id in a pasted line: without white space and quotes, and out of an http(s) link.

    Of a link, the path segment or query value that fits one of `shapes` (the providers' hints), else the last path
    segment that is no well-known tail. It may be empty or refused: ask `refusal`.
    """
    text = line.strip().rstrip(",;").strip(_QUOTES).strip()
    if not text.lower().startswith(("http://", "https://")):
        return text
    try:
        link = urlsplit(text)
    except ValueError:  # brackets that are no IPv6 address
        return text
    segments = [unquote(segment) for segment in reversed(link.path.split("/")) if segment]
    values = [value for _, value in parse_qsl(link.query)]
    shaped = _first_match([*segments, *values], tuple(patterns))
    plain = next((segment for segment in segments if not re.fullmatch(_URL_SUFFIXES, segment)), "")
    return shaped or plain


def resolve_ref(text: str, refs: Collection[Ref], accounts: Collection[str]) -> Ref:
    """The job that `text` names among `refs`.

    What stands before the first ':' is the account if there is one of that name, in `accounts` or in `refs`; else the
    whole is an id, good where only one account has it. Raises UnknownRef.
    """
    name, colon, rest = text.partition(":")
    if colon and (name in accounts or any(ref.account == name for ref in refs)):
        ref = Ref(name, rest)
        if ref in refs:
            return ref
        raise UnknownRefError(text, nearest=_nearest_ref(text, {str(ref): ref for ref in refs}))
    matches = tuple(ref for ref in refs if ref.id == text)
    if len(matches) == 1:
        return matches[0]
    raise UnknownRefError(
        text, candidates=matches, nearest=None if matches else _nearest_ref(text, {ref.id: ref for ref in refs})
    )


def guess_accounts(text: str, id_patterns: Mapping[str, Sequence[re.Pattern[str]]]) -> tuple[str, ...]:
    """The accounts one of whose shapes fits the id `text`, in the order of `hints` (account to shapes)."""
    return tuple(account for account, shapes in id_patterns.items() if _first_match([text], shapes))


def _first_match(texts: Iterable[str], patterns: Sequence[re.Pattern[str]]) -> str | None:
    short = (text for text in texts if len(text) <= MAX_MATCHED_LENGTH)
    return next((text for text in short if any(shape.search(text) for shape in patterns)), None)


def _nearest_ref(text: str, refs: Mapping[str, Ref]) -> Ref | None:
    near = nearest(text, refs)
    return None if near is None else refs[near]


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
        candidate = _classify(id_from_paste(rest, shapes), id_patterns, refs, whose)
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
    refusal = invalid_reason(job_id)
    if refusal is not None:
        return Candidate(job_id, CandidateStatus.INVALID, reason=refusal)
    fitting = guess_accounts(job_id, id_patterns)
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
