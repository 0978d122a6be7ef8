"""`watch` under a service manager, which is a datagram socket here: sd_notify(3)."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.support.terminal import stat_fields
from tests.support.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.waits


class Manager:
    """Receives what a service notifies."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(DEADLINE)

    def receive(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))

    def wait_for(self, name: str) -> dict[str, str]:
        while name not in (assignments := self.receive()):
            pass
        return assignments

    def waiting(self) -> list[bytes]:
        """Return the datagrams that have arrived."""
        self.socket.setblocking(False)
        found = []
        try:
            while True:
                found.append(self.socket.recv(4096))
        except BlockingIOError:
            self.socket.settimeout(DEADLINE)
            return found


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.socket.close()


def test_watch_reports_ready_status_life_and_its_end(configured: Program, manager: Manager, tmp_path: Path):
    configured.with_jobs("heygen:video_one", "flixu:doc_two")
    configured.env |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2400000"}
    process = configured.start("watch")
    ready = manager.receive()
    assert ready["READY"] == "1"
    assert ready["STATUS"] == "2 of 2 jobs active"
    assert manager.wait_for("WATCHDOG")["STATUS"].endswith("of 2 jobs active")
    process.send_signal(signal.SIGTERM)
    manager.wait_for("STOPPING")
    assert configured.end(process).code == 0


def test_a_stopped_process_reports_no_life(configured: Program, manager: Manager, tmp_path: Path):
    configured.with_jobs("heygen:video_one")
    configured.env |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2400000"}
    process = configured.start("watch")
    manager.wait_for("WATCHDOG")
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: stat_fields(Path(f"/proc/{process.pid}/stat"))[0] == "T")
    manager.waiting()
    manager.socket.settimeout(2.4)  # a manager ends the process after this silence
    with pytest.raises(TimeoutError):
        manager.receive()
    manager.socket.settimeout(DEADLINE)
    process.send_signal(signal.SIGCONT)
    manager.wait_for("WATCHDOG")
    process.terminate()
    assert configured.end(process).code == 0


def test_a_status_names_the_accounts_with_problems(babeltop: Program, manager: Manager, tmp_path: Path):
    babeltop.with_accounts("heygen", flixu="http://127.0.0.1:9").with_jobs("heygen:video_one")
    del babeltop.env["SERVICE_KEY"]
    babeltop.env |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2400000"}
    process = babeltop.start("watch")
    assert "heygen: " in manager.wait_for("WATCHDOG")["STATUS"]
    process.terminate()
    babeltop.end(process)


def test_without_a_manager_or_with_one_that_is_gone_watch_goes_on(configured: Program, tmp_path: Path):
    configured.with_jobs("heygen:video_one")
    configured.env |= {"NOTIFY_SOCKET": str(tmp_path / "nothing"), "WATCHDOG_USEC": "x"}
    process = configured.start("watch")
    assert process.stdout is not None
    assert "heygen:video_one" in process.stdout.readline()
    process.terminate()
    assert configured.end(process).code == 0
