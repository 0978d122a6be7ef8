"""Simulator for the consoles of a team."""

import pytest

from tests.support.servers import serve_app
from tui.simulator.app import Simulator


@pytest.fixture
def simulator():
    return Simulator(speed=3000.0)


@pytest.fixture
def service(simulator):
    """Return the simulator's URL."""
    with serve_app(simulator) as url:
        yield url
