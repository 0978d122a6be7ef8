"""The kinds of number and text that `config.toml` holds beside those of a provider file, each checked as it is read.

Each has `parse(value)`, which raises ValueError with a reason for the operator who wrote the file.
"""

from ipaddress import ip_address
from math import isfinite
from typing import Self, cast
from urllib.parse import urlsplit

from tui.providers.fields import Duration


class PollInterval(Duration):
    """Seconds between asks, at least the two below which no job is asked."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError where it is no duration, or too short a one."""
        seconds = super().parse(value)
        if seconds < 2:
            raise ValueError("expected at least '2s'")
        return seconds


class Timeout(Duration):
    """Seconds that something of the operator's may take."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError where it is no duration, or one that makes no sense."""
        seconds = super().parse(value)
        if not 1 <= seconds <= 300:
            raise ValueError("expected '1s' to '5m'")
        return seconds


class WebhookUrl(str):
    """Where something is sent by POST: http(s), maybe with a query, without fragment or credentials.

    Such an address is often a secret itself: nothing repeats it but its host.
    """

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError with what is wrong; the value is not in it."""
        written = value if isinstance(value, str) and value.isascii() and value.isprintable() else ""
        try:
            url = urlsplit(written)
            _ = url.port
        except ValueError:
            url = urlsplit("")
        if url.scheme not in {"http", "https"} or not url.hostname or " " in written:
            raise ValueError("expected an http(s) URL such as 'https://hooks.example.com/babeltop'")
        if url.fragment or url.username is not None:
            raise ValueError("a hook's address has no fragment or credentials")
        return cls(value)

    @property
    def host(self) -> str:
        """The host alone, by which a person knows it."""
        return urlsplit(self).hostname or ""


class Rate(float):
    """Requests a minute."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError where it is no number above 0."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not (isfinite(value) and value > 0):
            raise ValueError("expected a number above 0")
        return cls(value)


class Concurrency(int):
    """Requests in flight at once."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError where it is no whole number from 1 to 64."""
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 64:
            raise ValueError("expected a whole number from 1 to 64")
        return cls(value)


class BoundKeys(tuple[str, ...]):
    """The keys that one command is bound to."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError where it is neither a key nor a list of keys."""
        keys = cast("list[object]", value) if isinstance(value, list) else [value]
        names = [key for key in keys if isinstance(key, str) and key]
        if len(names) != len(keys):
            raise ValueError("expected a key such as 'r', or a list of keys")
        return cls(names)


def is_plaintext_remote(url: str) -> bool:
    """What is sent to this valid URL can be read on the way: plain http to another host than this one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        return parts.scheme == "http" and not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
