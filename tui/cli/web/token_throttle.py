"""Slow-down after wrong tokens, by address and over all addresses. Pure but for the clock that it is given."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address

FREE_FAILURES = 5
"""Wrong tokens of an address before it must wait: an operator mistypes."""
MAX_WAIT = 5.0
"""Seconds between two tokens of an address: guesses are few, and the operator is not locked out for long."""
FORGET_AFTER = 600.0
"""Seconds without a wrong token after which an address has none."""
OVERALL_FAILURES = 20
"""Wrong tokens of all addresses in OVERALL_WINDOW. At more, every address that has sent one waits."""
OVERALL_WINDOW = 10.0
"""Seconds."""
MAX_ADDRESSES = 1000
"""Addresses that are kept, the latest ones."""


@dataclass(frozen=True)
class _Failures:
    count: int = 0
    last_at: float = 0.0
    blocked_until: float = 0.0


class TokenThrottle:
    """Record of wrong tokens. An address that has sent none is never blocked, nor is a refused token counted."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds, monotonic."""
        self._clock = clock
        self._by_network = OrderedDict[str, _Failures]()
        self._recent = deque[float](maxlen=OVERALL_FAILURES)

    def wait(self, address: str) -> float:
        """Return the seconds until the next token of this address is checked; 0 for now."""
        now = self._clock()
        failures = self._by_network.get(_network(address))
        if failures is None or now - failures.last_at > FORGET_AFTER:
            return 0.0
        overall = self._recent[0] + OVERALL_WINDOW - now if len(self._recent) == OVERALL_FAILURES else 0.0
        return max(0.0, failures.blocked_until - now, overall)

    def record_failure(self, address: str) -> None:
        """Record a wrong token of this address."""
        now, network = self._clock(), _network(address)
        before = self._by_network.pop(network, _Failures())
        count = 1 + (before.count if now - before.last_at <= FORGET_AFTER else 0)
        excess = min(count - FREE_FAILURES, 10)
        delay = min(2.0**excess / 2, MAX_WAIT) if excess > 0 else 0.0
        self._by_network[network] = replace(before, count=count, last_at=now, blocked_until=now + delay)
        self._recent.append(now)
        if len(self._by_network) > MAX_ADDRESSES:
            self._by_network.popitem(last=False)


def _network(address: str) -> str:
    """Return the address, or the /64 that one client of IPv6 has to itself."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)
