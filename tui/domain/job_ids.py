"""Parser of job ids and refs that an operator types or pastes. It sends no request and knows no provider's name."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from tui.domain.models import Ref
from tui.domain.operator_input import nearest
from tui.errors import BabeltopError

UNSAFE_SEGMENTS = frozenset({"", ".", ".."})
"""Path segments that would lead to another path."""
MAX_ID_LENGTH = 512
"""Characters: ten times the longest id seen, and a URL with it still passes every proxy."""
MAX_MATCHED_LENGTH = 100
"""Characters of a text that id patterns are matched with: twice the longest id seen. It bounds their cost."""

_QUOTES = "\"'`‘’“”«»"
_URL_SUFFIXES = (
    "(?i)download|edit|original|play|preview|result|share|status|view"
    r"|[^/]+\.(?:ass|docx|json|mov|mp3|mp4|pdf|srt|txt|vtt|wav|webm|zip)"
)
"""Path segments that services append to an id. A string: `re` compiles it at its first use, not at the start."""


class UnknownRefError(BabeltopError):
    """A ref matches no job, or several. `str()` is one line for the operator."""

    def __init__(self, text: str, *, candidates: tuple[Ref, ...] = (), nearest: Ref | None = None) -> None:
        self.text = text
        self.candidates = candidates
        """Jobs of several accounts with the id."""
        self.nearest = nearest
        """Job with the most similar ref, if no account has the id."""
        super().__init__(text, candidates, nearest)

    def __str__(self) -> str:
        if self.candidates:
            return f"{self.text!r} is ambiguous: use {' or '.join(map(str, self.candidates))}"
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"no job {self.text!r} on the watchlist{hint}"


def invalid_reason(text: str, *, has_slashes: bool = False) -> str | None:
    """Return why `text` is no valid id, for the operator; None: it is valid. No pattern has to match.

    `has_slashes`: '/' may separate parts of the id.
    """
    if not text:
        return "empty id"
    if len(text) > MAX_ID_LENGTH:
        return f"an id has at most {MAX_ID_LENGTH} characters, this one has {len(text)}"
    if text in UNSAFE_SEGMENTS:
        return "'.' and '..' would change the request path"
    if ("/" in text and not has_slashes) or "\\" in text:
        return "an id contains no '/' or '\\': paste the id alone, or the whole link"
    if "/" in text and not UNSAFE_SEGMENTS.isdisjoint(text.split("/")):
        return "a part of the id between '/' is empty, '.' or '..'"
    if text.isprintable() and " " not in text:
        return None
    if any(character.isspace() for character in text):
        return "an id contains no white space"
    hidden = next(character for character in text if not character.isprintable())
    return f"the id contains an invisible character (U+{ord(hidden):04X}): type it, or copy it again"


def id_from_paste(line: str, patterns: Iterable[re.Pattern[str]] = ()) -> str:
    """Return the id in a pasted line, without white space and quotes; it may be empty or invalid.

    Of an http(s) link it is the path segment or query value that matches one of `patterns`, else the last path segment
    that is no known suffix.
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
    matching = _first_match([*segments, *values], tuple(patterns))
    return matching or next((segment for segment in segments if not re.fullmatch(_URL_SUFFIXES, segment)), "")


def resolve_ref(text: str, refs: Collection[Ref], accounts: Collection[str]) -> Ref:
    """Return the ref that `text` names among `refs`.

    The text before the first ':' is the account if `accounts` or `refs` have one of that name. Otherwise all of it is
    an id, valid if only one account has it. Raises UnknownRefError.
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
    """Return the accounts with an id pattern that matches `text`, in the order of `id_patterns`."""
    return tuple(account for account, patterns in id_patterns.items() if _first_match([text], patterns))


def _first_match(texts: Iterable[str], patterns: Sequence[re.Pattern[str]]) -> str | None:
    short = (text for text in texts if len(text) <= MAX_MATCHED_LENGTH)
    return next((text for text in short if any(pattern.search(text) for pattern in patterns)), None)


def _nearest_ref(text: str, refs: Mapping[str, Ref]) -> Ref | None:
    near = nearest(text, refs)
    return None if near is None else refs[near]


class CandidateStatus(StrEnum):
    """Status of a pasted line."""

    NEW = "new"
    LISTED = "already on the watchlist"
    DUPLICATE = "duplicate"
    AMBIGUOUS = "ambiguous"
    INVALID = "invalid"


class Candidate(Struct, frozen=True):
    """Job in a pasted line."""

    id: str
    status: CandidateStatus
    account: str = ""
    """"": ambiguous."""
    reason: str = ""
    """How the account was found, or why the id is invalid."""

    @property
    def ref(self) -> Ref:
        """Key of the job."""
        return Ref(self.account, self.id)


def parse_pasted(
    lines: Iterable[str],
    id_patterns: Mapping[str, Sequence[re.Pattern[str]]],
    refs: Collection[Ref],
    account: str = "",
    slashed: Collection[str] = (),
) -> tuple[Candidate, ...]:
    """Return a candidate for each line with an id, a link or `account:id`; empty lines are skipped.

    `id_patterns` are by account. The account of an id is `account` if given, else the only one with a matching
    pattern, else the only one there is. `slashed`: accounts whose ids may contain '/'.
    """
    patterns = [pattern for found in id_patterns.values() for pattern in found]
    seen = set[Ref]()
    found: list[Candidate] = []
    for line in lines:
        if not line.strip():
            continue
        text, line_account = _split_account(line.strip(), id_patterns, account)
        candidate = _classify(id_from_paste(text, patterns), id_patterns, refs, line_account, slashed)
        if candidate.status is CandidateStatus.NEW and candidate.ref in seen:
            candidate = Candidate(candidate.id, CandidateStatus.DUPLICATE, candidate.account)
        seen.add(candidate.ref)
        found.append(candidate)
    return tuple(found)


def _split_account(line: str, id_patterns: Mapping[str, Sequence[re.Pattern[str]]], account: str) -> tuple[str, str]:
    """Return id and account of `account:id`, unless `account` names another one."""
    name, colon, rest = line.partition(":")
    return (rest, name) if colon and name in id_patterns and account in {"", name} else (line, account)


def _classify(
    job_id: str,
    id_patterns: Mapping[str, Sequence[re.Pattern[str]]],
    refs: Collection[Ref],
    account: str,
    slashed: Collection[str],
) -> Candidate:
    invalid = invalid_reason(job_id, has_slashes=account in slashed if account else bool(slashed))
    if invalid is not None:
        return Candidate(job_id, CandidateStatus.INVALID, reason=invalid)
    if "/" in job_id and not account:
        id_patterns = {name: id_patterns[name] for name in id_patterns if name in slashed}
    matching = guess_accounts(job_id, id_patterns)
    reason = ""
    if not account and len(matching) == 1:
        account, reason = matching[0], "account detected"
    elif not account and len(id_patterns) == 1:
        account, reason = next(iter(id_patterns)), "the only account"
    if not account:
        reason = "select an account" if id_patterns else "no account configured"
        return Candidate(job_id, CandidateStatus.AMBIGUOUS, reason=reason)
    status = CandidateStatus.LISTED if Ref(account, job_id) in refs else CandidateStatus.NEW
    return Candidate(job_id, status, account, reason)
