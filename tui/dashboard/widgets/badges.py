"""Badges: glyph, colour and text of an account's health, in the top bar, the accounts dialog and the help."""

from datetime import UTC

from msgspec import Struct
from msgspec.structs import replace

from tui.engine.api import AccountState, Health
from tui.presentation import formatting


class Badge(Struct, frozen=True):
    """Health of an account at a glance."""

    glyph: str
    tone: str
    """Of glyph and text: quiet, done, warning or failed."""
    text: str
    """"" while the account is OK."""


_BADGES = {
    Health.OK: ("●", "o", "done", ""),
    Health.UNTRIED: ("○", ".", "quiet", ""),
    Health.LIMITED: ("◐", "~", "warning", "waiting"),
    Health.OFFLINE: ("◌", "!", "failed", "offline"),
    Health.REFUSED: ("⊘", "x", "failed", "key refused"),
    Health.NO_KEY: ("○", ".", "quiet", "no key"),
    Health.UNKNOWN: ("?", "?", "quiet", "unknown"),
}
HEALTH_TEXTS = {
    Health.OK: "OK",
    Health.UNTRIED: "not polled yet, or no key",
    Health.LIMITED: "rate-limited, with the seconds to wait",
    Health.OFFLINE: "offline",
    Health.REFUSED: "key refused",
    Health.UNKNOWN: "not known: no process that polls it responds",
}
"""The legend's text per glyph."""


def health_badge(health: Health, *, ascii_only: bool) -> Badge:
    """Return the badge of a health."""
    glyph, ascii_glyph, tone, text = _BADGES[health]
    return Badge(ascii_glyph if ascii_only else glyph, tone, text)


def account_badge(account: AccountState, now: float, *, ascii_only: bool) -> Badge:
    """Return the account's badge. One lost connection is no outage: only two in a row, or an open breaker, are."""
    health = account.health
    if health is Health.OFFLINE and account.consecutive_failures < 2 and account.waits_until is None:
        health = Health.OK if account.request_count > account.fault_count else Health.UNTRIED
    badge = health_badge(health, ascii_only=ascii_only)
    if health is Health.LIMITED and account.http_status is not None:
        return replace(badge, text=str(account.http_status))
    if health in {Health.OK, Health.UNTRIED} and account.is_deprecated:
        return replace(badge, tone="warning", text=sunset_text(account, now))
    return badge


def sunset_text(account: AccountState, now: float) -> str:
    """Return what the service announces of its API's end; "": nothing."""
    if not account.is_deprecated and account.sunset_at is None:
        return ""
    if account.sunset_at is None:
        return "API deprecated"
    if account.sunset_at <= now:
        return "API retired"
    return f"API ends {formatting.instant(account.sunset_at, UTC, now).rsplit(' ', 1)[0]}"


def wait_text(account: AccountState, now: float) -> str:
    """Return how long the account waits, `38s`; "": it does not wait."""
    if account.waits_until is None or account.waits_until <= now:
        return ""
    return formatting.duration(account.waits_until - now)
