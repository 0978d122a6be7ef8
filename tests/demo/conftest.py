import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.virtual_time import EPOCH
from tui.demo import demo_workspace
from tui.engine.http.client import TransportFactory
from tui.storage.workspace import Workspace


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail on every DNS look-up, connection and listening socket."""

    def refused(*where: object) -> None:
        raise AssertionError(f"the demo used the network: {where}")

    for name in ("connect", "connect_ex", "bind"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the parent of temporary folders, used by this test alone."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def stage() -> Iterator[tuple[Workspace, TransportFactory]]:
    with demo_workspace(now=lambda: EPOCH) as stage:
        yield stage
