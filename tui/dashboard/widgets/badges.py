"""What an account's state is called and drawn like: in the top line, and in the dialog of accounts."""

from datetime import UTC
from typing import NamedTuple

from tui.engine.api import AccountState, Health
from tui.presentation import formatting


class Badge(NamedTuple):
    """An account at a glance."""

    glyph: str
    tone: str
    """The tone of sign and word: quiet, done, warning or failed."""
    text: str
    """What is to be known of it; "" while it is well."""


_BADGES = {
    Health.OK: ("●", "o", "done", ""),
    Health.UNTRIED: ("○", ".", "quiet", ""),
    Health.LIMITED: ("◐", "~", "warning", "waits"),
    Health.OFFLINE: ("◌", "!", "failed", "offline"),
    Health.REFUSED: ("⊘", "x", "failed", "key refused"),
    Health.NO_KEY: ("○", ".", "quiet", "no key"),
}


def account_badge(account: AccountState, now: float, *, ascii_only: bool) -> Badge:
    """The account's badge. One cut connection is no outage: only two in a row, or an open breaker, are `offline`."""
    health = account.health
    if health is Health.OFFLINE and account.consecutive_failures < 2 and account.waits_until is None:
        health = Health.OK if account.request_count > account.fault_count else Health.UNTRIED
    sign, plain, part, word = _BADGES[health]
    if health is Health.LIMITED and account.http_status is not None:
        word = str(account.http_status)
    if health in {Health.OK, Health.UNTRIED} and account.is_deprecated:
        part, word = "warning", sunset_text(account, now)
    return Badge(plain if ascii_only else sign, part, word)


def sunset_text(account: AccountState, now: float) -> str:
    """What the service says of its API's end; "": nothing."""
    if not account.is_deprecated and account.sunset_at is None:
        return ""
    if account.sunset_at is None:
        return "API will end"
    if account.sunset_at <= now:
        return "API is over"
    return f"API ends {formatting.instant(account.sunset_at, UTC, now).rsplit(' ', 1)[0]}"


def wait_text(account: AccountState, now: float) -> str:
    """For how long nothing is asked, `38s`; "": it does not wait."""
    return (
        formatting.duration(account.waits_until - now)
        if account.waits_until is not None and account.waits_until > now
        else ""
    )
