"""What an operator types or pastes as an id or a ref. It asks no service and knows no provider."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from urllib.parse import parse_qsl, unquote, urlsplit

from tui.domain.models import Ref
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
        raise UnknownRefError(text, nearest=_nearest(text, {str(ref): ref for ref in refs}))
    matches = tuple(ref for ref in refs if ref.id == text)
    if len(matches) == 1:
        return matches[0]
    raise UnknownRefError(
        text, candidates=matches, nearest=None if matches else _nearest(text, {r.id: r for r in refs})
    )


def guess_accounts(text: str, id_patterns: Mapping[str, Sequence[re.Pattern[str]]]) -> tuple[str, ...]:
    """The accounts one of whose shapes fits the id `text`, in the order of `hints` (account to shapes)."""
    return tuple(account for account, shapes in id_patterns.items() if _first_match([text], shapes))


def _first_match(texts: Iterable[str], patterns: Sequence[re.Pattern[str]]) -> str | None:
    short = (text for text in texts if len(text) <= MAX_MATCHED_LENGTH)
    return next((text for text in short if any(shape.search(text) for shape in patterns)), None)


def _nearest(text: str, refs: Mapping[str, Ref]) -> Ref | None:
    from difflib import get_close_matches  # only where a ref is wrong: `list` starts without it

    return next((refs[match] for match in get_close_matches(text, refs, n=1)), None)
