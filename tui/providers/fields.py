"""Field types of a provider file, each checked when it is parsed.

Each has `parse(value)`, which raises ValueError with a reason for the author of the file.
"""

import re
from datetime import datetime
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from tui.domain import operator_input
from tui.presentation.sanitize import mask_url

if TYPE_CHECKING:
    from tui.providers.json_pointer import Pointer

_NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_HEADER_PATTERN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"


def _require_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text in quotes")  # noqa: TRY004 - msgspec turns only a ValueError into its own
    return value


class ProviderName(str):
    """Name of a provider, as accounts and the command line write it: without ':', '/' or space."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the checked name. Raises ValueError if it is invalid."""
        if not re.fullmatch(_NAME_PATTERN, _require_text(value)):
            raise ValueError(f"expected letters, digits, '-', '_' and '.', got {value!r}")
        return cls(value)


class HeaderName(str):
    """Name of an HTTP header (RFC 9110 §5.1)."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the checked name. Raises ValueError if it is not a token."""
        if not re.fullmatch(_HEADER_PATTERN, _require_text(value)):
            raise ValueError(f"invalid header name {value!r}")
        return cls(value)


class KeyPrefix(str):
    """Text before the key in its header, such as `Bearer `."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the checked prefix. Raises ValueError if no header value can start with it."""
        prefix = _require_text(value)
        if not (prefix.isascii() and prefix.isprintable()) or prefix.startswith(" "):
            raise ValueError(f"invalid header prefix {value!r}: use visible ASCII without a leading space")
        return cls(value)


class NullToken(str):
    """String that means null, in lower case."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the string in lower case. Raises ValueError if it is not a string."""
        return cls(_require_text(value).strip().lower())


class Duration(float):
    """Seconds, written as a number and s, m, h or d: `7d`."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the seconds. Raises ValueError if it is not a duration."""
        seconds = operator_input.parse_duration(value) if isinstance(value, str) else None
        if seconds is None:
            raise ValueError(f"expected a duration such as {operator_input.DURATION_EXAMPLES}, got {value!r}")
        return cls(seconds)


class Lifetime(float):
    """Seconds, written as a duration, or a pointer to seconds in the response."""

    pointer: "Pointer | None"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the seconds, or 0 with the pointer. Raises ValueError if it is neither."""
        from tui.providers.json_pointer import Pointer  # settings have durations, and no pointers

        pointer = Pointer.parse(value) if isinstance(value, str) and value.startswith(("/", "root:/")) else None
        lifetime = cls(0.0 if pointer is not None else Duration.parse(value))
        lifetime.pointer = pointer
        return lifetime


class FileSuffix(str):
    """Suffix of a file's name, such as `.srt`."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the suffix. Raises ValueError if it is none."""
        if not re.fullmatch(r"\.[A-Za-z0-9]{1,10}", _require_text(value)):
            raise ValueError(f"expected a suffix such as '.srt', got {value!r}")
        return cls(value)


class Instant(float):
    """Seconds since the epoch, written as a TOML date-time with an offset: `2026-10-31T00:00:00Z`."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the seconds. Raises ValueError without an offset: such a time differs from zone to zone."""
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise ValueError(f"expected a date-time with an offset such as 2026-10-31T00:00:00Z, got {value}")
        return cls(value.timestamp())


class Regex(str):
    """Regular expression that is searched for in an id; `re` caches the compiled form."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the checked expression. Raises ValueError if it does not compile or may take too long."""
        from tui.domain.job_ids import MAX_MATCHED_LENGTH
        from tui.providers import regex_safety

        try:
            re.compile(_require_text(value))
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{value!r} is not a regular expression: {error}") from None
        if regex_safety.max_backtracks(str(value), MAX_MATCHED_LENGTH) > regex_safety.MAX_BACKTRACKS:
            raise ValueError(
                f"{value!r} may take exponential time: do not repeat a group that contains a repetition, "
                "and use '+' and '*' at most three times"
            )
        return cls(value)


class BaseUrl(str):
    """Base URL of an API: http(s), optionally with a path, without query, fragment or credentials."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the checked URL. Raises ValueError with the reason, which does not quote a key in the value."""
        url = urlsplit(_require_text(value))
        if url.scheme not in {"http", "https"} or not url.hostname:
            masked = mask_url(str(value))
            raise ValueError(f"expected an http(s) URL such as 'https://api.example.com', got {masked!r}")
        if url.query or url.fragment or url.username is not None:
            raise ValueError("must not have a query, fragment or credentials; a key belongs in api_key")
        return cls(value)
