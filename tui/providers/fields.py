"""The kinds of text and number that a provider file holds, each checked as it is read.

Each has `parse(value)`, which raises ValueError with a reason for the operator who wrote the file.
"""

import re
from datetime import datetime
from typing import ClassVar, Self
from urllib.parse import quote, urlsplit

from tui.domain import operator_input
from tui.domain.job_ids import MAX_MATCHED_LENGTH
from tui.presentation.sanitize import mask_url
from tui.providers import regex_safety

_NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_HEADER_PATTERN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PLACEHOLDER_PATTERN = r"\{([^{}]*)\}"
_UNSAFE_SEGMENTS = frozenset({"", ".", ".."})
"""What a part of a path cannot be: it would lead to another path."""


def _require_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text in quotes")  # noqa: TRY004 - msgspec turns only a ValueError into its own
    return value


class ProviderName(str):
    """A provider's name: what accounts and the command line write, so it has no ':', '/' or space."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError where it is no such name."""
        if not re.fullmatch(_NAME_PATTERN, _require_text(value)):
            raise ValueError(f"a name is letters, digits, '-', '_' and '.'; {value!r} is not")
        return cls(value)


class HeaderName(str):
    """The name of an HTTP header (RFC 9110 §5.1)."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError where it is no token."""
        if not re.fullmatch(_HEADER_PATTERN, _require_text(value)):
            raise ValueError(f"{value!r} cannot be the name of a header")
        return cls(value)


class KeyPrefix(str):
    """What stands before a key in its header: such as `Bearer `."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError where no header can begin with it."""
        written = _require_text(value)
        if not (written.isascii() and written.isprintable()) or written.startswith(" "):
            raise ValueError(f"{value!r} cannot begin a header: it takes visible ASCII, with no space in front")
        return cls(value)


class NullToken(str):
    """A text that means null, in lower case."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError where it is no text."""
        return cls(_require_text(value).strip().lower())


class Duration(float):
    """Seconds, written as a number and s, m, h or d: `7d`."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError where it is no duration."""
        seconds = operator_input.parse_duration(value) if isinstance(value, str) else None
        if seconds is None:
            raise ValueError(f"expected a duration such as {operator_input.DURATION_EXAMPLES}, got {value!r}")
        return cls(seconds)


class Instant(float):
    """Seconds since the epoch, written as a TOML date-time with an offset: `2026-10-31T00:00:00Z`."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError where the offset is missing, since such a time is another one in every zone."""
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise ValueError(f"expected a date-time with an offset such as 2026-10-31T00:00:00Z, got {value}")
        return cls(value.timestamp())


class Regex(str):
    """A regular expression, searched for in an id; `re` keeps it compiled."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError where it does not compile, or could take too long."""
        try:
            re.compile(_require_text(value))
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from None
        if regex_safety.max_backtracks(str(value), MAX_MATCHED_LENGTH) > regex_safety.MAX_BACKTRACKS:
            raise ValueError(
                f"{value!r} could take for ever: repeat no group that repeats something itself, "
                "and write '+' and '*' three times at most"
            )
        return cls(value)


class BaseUrl(str):
    """Where an API is: http(s), maybe with a path, without query, fragment or credentials."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError with what is wrong; a key that stands in the value is not in it."""
        url = urlsplit(_require_text(value))
        if url.scheme not in {"http", "https"} or not url.hostname:
            told = mask_url(str(value))
            raise ValueError(f"expected an http(s) address such as 'https://api.example.com', got {told!r}")
        if url.query or url.fragment or url.username is not None:
            raise ValueError("a base_url has no query, fragment or credentials: a key goes into api_key")
        return cls(value)


class PathTemplate(str):
    """A path below the base URL, whose `{parts}` are filled in for each ask; it may end with a query."""

    required_placeholders: ClassVar[frozenset[str]] = frozenset()
    """Parts without which the path would be the same for every job."""
    allowed_placeholders: ClassVar[frozenset[str]] = frozenset()
    """Parts that can be filled in."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError with what is wrong."""
        written = _require_text(value)
        parts = set(re.findall(_PLACEHOLDER_PATTERN, written))
        if not written.startswith("/") or "#" in written or any(map(str.isspace, written)):
            raise ValueError(f"a path starts with '/' and has neither '#' nor space; {value!r} is not so")
        if missing := sorted(cls.required_placeholders - parts):
            raise ValueError(f"{{{missing[0]}}} must stand in {value!r}")
        if strange := sorted(parts - cls.allowed_placeholders):
            raise ValueError(f"{{{strange[0]}}} in {value!r} cannot be filled in")
        return cls(value)

    def url(self, base_url: str, **values: str) -> str:
        """The URL below an account's base URL, whose own path stays; parts are percent-encoded whole.

        Raises ValueError for a part that is empty, `.` or `..`: it would lead to another path.
        """
        filled = str(self)
        for name, part in values.items():
            if part in _UNSAFE_SEGMENTS:
                raise ValueError(f"{part!r} cannot be an id")
            filled = filled.replace(f"{{{name}}}", quote(part, safe=""))
        return base_url.rstrip("/") + filled


class StatusPath(PathTemplate):
    """Where a job's status is asked: `{id}` stands in it."""

    required_placeholders = frozenset({"id"})
    allowed_placeholders = frozenset({"id"})


class ResultPath(PathTemplate):
    """Where a result is asked: `{result_id}` stands in it, which `status.result_id` finds; `{id}` may."""

    required_placeholders = frozenset({"result_id"})
    allowed_placeholders = frozenset({"id", "result_id"})
