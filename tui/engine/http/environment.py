"""Proxy and certificate settings of the environment, read so that each problem is named by its variable.

httpx reads the same variables, but ends with the first entry of NO_PROXY that it cannot parse, and names none.
"""

import os
import ssl
from collections.abc import Mapping
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import NamedTuple

import httpx

from tui.errors import BabeltopError
from tui.presentation.sanitize import clean
from tui.storage.extras import install_command

PROXY_VARIABLES = {"http": "HTTP_PROXY", "https": "HTTPS_PROXY", "all": "ALL_PROXY"}
"""Variables by URL scheme. Each counts in lower case first, as in curl."""
PROXY_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
UNREAD_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables of other programs that name root certificates."""


class EnvironmentSettingError(BabeltopError):
    """Unusable proxy or certificate variable; the message names it and the remedy, never its value."""


class CertificateError(EnvironmentSettingError):
    """Root certificates that cannot be read."""


class NoProxy(NamedTuple):
    """Hosts for which no proxy is used."""

    everywhere: bool
    names: tuple[str, ...]
    """Names in lower case without a leading dot; each stands for its subdomains too."""
    networks: tuple[IPv4Network | IPv6Network, ...]
    ignored: tuple[str, ...]
    """Entries that cannot be read."""

    def covers(self, host: str) -> bool:
        """Return whether requests to a host use no proxy."""
        name = host.lower().strip("[]").removesuffix(".")
        try:
            address = ip_address(name)
        except ValueError:
            return self.everywhere or any(name == each or name.endswith(f".{each}") for each in self.names)
        return self.everywhere or any(address in network for network in self.networks)


def no_proxy(environ: Mapping[str, str]) -> NoProxy:
    """Return the exceptions of NO_PROXY: names, addresses and networks in CIDR form, separated by commas."""
    names, networks, ignored = list[str](), list[IPv4Network | IPv6Network](), list[str]()
    entries = [entry.strip() for entry in _value(environ, "NO_PROXY").split(",")]
    for entry in filter(None, entries):
        host = entry.partition("://")[2] or entry
        try:
            networks.append(ip_network(host.strip("[]"), strict=False))
        except ValueError:
            name = host.lower().removeprefix("*").removeprefix(".")
            if name and all(part.replace("-", "").replace("_", "").isalnum() for part in name.split(".")):
                names.append(name)
            elif entry != "*":
                ignored.append(clean(entry, 60))
    return NoProxy("*" in entries, tuple(names), tuple(networks), tuple(ignored))


def proxies(environ: Mapping[str, str]) -> dict[str, httpx.Proxy]:
    """Return the proxy by URL prefix (`https://`, `all://`). Raises EnvironmentSettingError."""
    found: dict[str, httpx.Proxy] = {}
    for scheme, variable in PROXY_VARIABLES.items():
        if value := _value(environ, variable):
            found[f"{scheme}://"] = _proxy(variable, value if "://" in value else f"http://{value}")
    return found


def _proxy(variable: str, url: str) -> httpx.Proxy:
    try:
        proxy = httpx.Proxy(url)
    except (ValueError, httpx.InvalidURL):
        proxy = None
    if proxy is None or proxy.url.scheme not in PROXY_SCHEMES or not proxy.url.host or not _is_port(proxy.url.port):
        raise EnvironmentSettingError(f"{variable} is no proxy URL: set it to http://HOST:PORT, or unset it")
    if proxy.url.scheme.startswith("socks") and not find_spec("socksio"):
        raise EnvironmentSettingError(
            f"{variable} names a SOCKS proxy, which requires an extra: {install_command('socks')}"
        )
    return proxy


def _is_port(number: int | None) -> bool:
    return number is None or 0 < number < 65536


def create_tls_context() -> ssl.SSLContext:
    """Return the context with the root certificates of the environment, or built-in ones. Raises CertificateError."""
    context = _environment_context(os.environ)
    if isinstance(context, str):
        raise CertificateError(context)
    return context or httpx.create_ssl_context(trust_env=False)


def certificate_problem(environ: Mapping[str, str]) -> str:
    """Return what is wrong with SSL_CERT_FILE or SSL_CERT_DIR, of which the first counts; "": nothing."""
    context = _environment_context(environ)
    return context if isinstance(context, str) else ""


def _environment_context(environ: Mapping[str, str]) -> ssl.SSLContext | str | None:
    """Return the context with the environment's root certificates, or what is wrong with them; None: it names none.

    They are read once: a file may be a pipe.
    """
    if file := environ.get("SSL_CERT_FILE"):
        try:
            return ssl.create_default_context(cafile=file)
        except ssl.SSLError:
            return f"SSL_CERT_FILE names a file without PEM certificates: {clean(file, 200)}"
        except OSError as error:
            return f"SSL_CERT_FILE names a file that cannot be read ({error.strerror}): {clean(file, 200)}"
    if folder := environ.get("SSL_CERT_DIR"):
        return _folder_problem(Path(folder)) or ssl.create_default_context(capath=folder)
    return None


def _folder_problem(path: Path) -> str:
    try:
        is_empty = not any(path.iterdir())
    except OSError as error:
        return f"SSL_CERT_DIR names a folder that cannot be read ({error.strerror}): {clean(str(path), 200)}"
    return f"SSL_CERT_DIR names an empty folder: {clean(str(path), 200)}" if is_empty else ""


def unread_certificates(environ: Mapping[str, str]) -> str:
    """Return a hint if root certificates are set for other programs only; "": they are not."""
    if environ.get("SSL_CERT_FILE") or environ.get("SSL_CERT_DIR"):
        return ""
    found = next((variable for variable in UNREAD_CERTIFICATES if environ.get(variable)), "")
    return f"{found} is not read: set SSL_CERT_FILE to the same file" if found else ""


def warnings(environ: Mapping[str, str]) -> list[str]:
    """Return what is ignored: entries of NO_PROXY, and certificates that other programs read."""
    ignored = [f"NO_PROXY: entry {entry!r} is ignored: not a host or network" for entry in no_proxy(environ).ignored]
    hint = unread_certificates(environ)
    return [*ignored, hint] if hint else ignored


def _value(environ: Mapping[str, str], variable: str) -> str:
    return environ.get(variable.lower()) or environ.get(variable) or ""
