"""Notifications to the service manager, by the protocol of sd_notify(3): a datagram of VARIABLE=VALUE lines."""

import os
import socket
from collections.abc import MutableMapping


class ServiceManager:
    """Service manager that started this process. Without one, nothing is sent."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        """Take the manager's variables out of `environ`: they are not for programs that this process starts."""
        address = environ.pop("NOTIFY_SOCKET", "")
        microseconds, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_timeout: float | None = None
        """Seconds without `WATCHDOG=1` after which the manager ends this process; None: it does not watch."""
        if microseconds.isascii() and microseconds.isdecimal() and int(microseconds) and pid in {"", str(os.getpid())}:
            self.watchdog_timeout = int(microseconds) / 1e6

    @property
    def is_present(self) -> bool:
        """Whether a service manager started this process."""
        return bool(self._address)

    def notify(self, *assignments: str) -> None:
        """Send assignments such as "READY=1". A manager that cannot be reached is no error of this process."""
        if not self._address:
            return
        lines = "\n".join(each.replace("\n", " ") for each in assignments)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)  # a full queue must not hold the engine
                channel.sendto(lines.encode(), self._address)
        except OSError:
            pass
