"""Hosts that are this machine or its private network, by their names. Nothing is resolved.

One predicate decides about plain http, proxies and the addresses to which a service may send a download.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

_IPV4_NUMBERS = r"(?i)(?:(?:0x[0-9a-f]+|[0-9]+)(?:\.|$)){1,4}"
"""Forms of an IPv4 address that inet_aton(3), and so name resolution, accepts: 127.1, 0x7f000001, 2130706433."""


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: any spelling of 127.0.0.0/8 or ::1, localhost and its subdomains."""
    if (address := _address(host)) is not None:
        return address.is_loopback
    name = host.lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")  # RFC 6761 §6.3


def is_private(host: str) -> bool:
    """Return whether a host is this machine, or its name is an address that the public network does not route."""
    address = _address(host)
    return is_loopback(host) or (address is not None and not address.is_global)


def is_local_address(address: str) -> bool:
    """Return whether an address is this machine's, or on its own link, where clouds offer the machine's credentials.

    Other private addresses may be a store: in clouds and behind some proxies, names resolve to them.
    """
    found = _address(address)
    return found is not None and (found.is_loopback or found.is_link_local or found.is_unspecified)


def is_plaintext_remote(url: str) -> bool:
    """Return whether requests to this valid URL can be read on the way: plain http to another machine."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a valid URL."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").removesuffix("."), parts.port or {"https": 443, "http": 80}.get(scheme, 0)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is, in IPv4 if it is one mapped to IPv6; None for a name."""
    host = host.strip("[]").partition("%")[0]  # without a scope
    try:
        address = ip_address(host)
    except ValueError:
        if not re.fullmatch(_IPV4_NUMBERS, host):
            return None
        from socket import inet_aton  # `list` has no such host

        try:
            return IPv4Address(inet_aton(host))
        except OSError:
            return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
