"""Value types of `config.toml`, in addition to those of provider files.

Each has `parse(value)`, which raises ValueError with a reason for the operator.
"""

import re
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Self, cast
from urllib.parse import urlsplit

from tui.presentation.queries import SORT_ALIASES, SORTS, View
from tui.presentation.table_layout import COLUMN_ALIASES, COLUMN_TYPES
from tui.providers.fields import Duration
from tui.providers.table_decoder import suggest

if TYPE_CHECKING:
    from tui.presentation.filters.model import Filter


class PollInterval(Duration):
    """Seconds between polls, at least 2: no job is polled more often."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the interval. Raises ValueError for an invalid or too short duration."""
        seconds = super().parse(value)
        if seconds < 2:
            raise ValueError("expected at least '2s'")
        return seconds


class Timeout(Duration):
    """Seconds after which a program or request of the operator is cancelled, 1 to 300."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the timeout. Raises ValueError for an invalid duration, or one out of range."""
        seconds = super().parse(value)
        if not 1 <= seconds <= 300:
            raise ValueError("expected '1s' to '5m'")
        return seconds


class WebhookUrl(str):
    """URL for POST requests: http(s), perhaps with a query, without fragment and credentials.

    Such a URL is often a secret itself: only its host is ever shown.
    """

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the URL. Raises ValueError, without the value in its message."""
        written = value if isinstance(value, str) and value.isascii() and value.isprintable() else ""
        try:
            url = urlsplit(written)
            _ = url.port
        except ValueError:
            url = urlsplit("")
        if url.scheme not in {"http", "https"} or not url.hostname or " " in written:
            raise ValueError("expected an http(s) URL such as 'https://hooks.example.com/babeltop'")
        if url.fragment or url.username is not None:
            raise ValueError("a hook's URL must not have a fragment or credentials")
        return cls(value)

    @property
    def host(self) -> str:
        """Host alone, by which the operator recognizes the URL."""
        return urlsplit(self).hostname or ""


class Rate(float):
    """Requests per minute."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the rate. Raises ValueError unless it is a number above 0."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not (isfinite(value) and value > 0):
            raise ValueError("expected a number above 0")
        return cls(value)


class Weight(Rate):
    """Share, relative to the weights of others."""


class Concurrency(int):
    """Requests in flight at once, 1 to 64."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the number. Raises ValueError unless it is a whole number from 1 to 64."""
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 64:
            raise ValueError("expected a whole number from 1 to 64")
        return cls(value)


class FileSize(int):
    """Bytes, written as a number and kB, MB, GB or TB: `100 GB`."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the bytes. Raises ValueError if it is not a size above 0."""
        found = re.fullmatch(r"([0-9]{1,6}) ?([kMGT]B)", value) if isinstance(value, str) else None
        if found is None or not int(found[1]):
            raise ValueError(f"expected a size such as '500 MB' or '100 GB', got {value!r}")
        return cls(int(found[1]) * 1000 ** ("kMGT".index(found[2][0]) + 1))


class BoundKeys(tuple[str, ...]):
    """Keys that one command is bound to."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the keys. Raises ValueError unless it is a key or a list of keys."""
        keys = cast("list[object]", value) if isinstance(value, list) else [value]
        names = [key for key in keys if isinstance(key, str) and key]
        if len(names) != len(keys):
            raise ValueError("expected a key such as 'r', or a list of keys")
        return cls(names)


class JobFilter(str):
    """Filter of jobs, in the language of the dashboard's filter."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the filter's text. Raises ValueError with its first problem, or if it would match every job."""
        from tui.presentation.filters import grammar  # only a few files have one

        parsed = grammar.parse(value) if isinstance(value, str) else None
        if parsed is None or not (parsed.problems or parsed.filter.groups):
            raise ValueError("expected a filter such as 'tag:launch -account:test'")
        if parsed.problems:
            raise ValueError(parsed.problems[0].text)
        return cls(value)

    @cached_property
    def parsed(self) -> "Filter":
        """The filter itself."""
        from tui.presentation.filters import grammar

        return grammar.parse(self).filter


class ColumnId(str):
    """Column of the job table."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the column's id. Raises ValueError for an unknown column."""
        name = COLUMN_ALIASES.get(str(value), str(value))
        if not isinstance(value, str) or name not in COLUMN_TYPES:
            raise ValueError(f"no column {value!r}{suggest(str(value), COLUMN_TYPES)}")
        return cls(name)


class SortName(str):
    """Sort of the job table, reversed with `-` in front."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the sort. Raises ValueError for an unknown one."""
        written = value if isinstance(value, str) else ""
        sign, name = ("-", written[1:]) if written.startswith("-") else ("", written)
        name = SORT_ALIASES.get(name, name)
        if name not in SORTS:
            raise ValueError(f"no sort {value!r}{suggest(name, SORTS)}")
        return cls(sign + name)


class ViewName(str):
    """Name of a view that the operator defined: 1 to 20 printable characters, and not that of another view."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the name. Raises ValueError with the reason."""
        if not isinstance(value, str) or not (1 <= len(value) <= 20 and value.isprintable() and value == value.strip()):
            raise ValueError("expected 1 to 20 printable characters")
        if value.lower() in list(View):
            raise ValueError(f"{value!r} is a built-in view")
        return cls(value)
