"""Internal error of the dashboard in a real pseudo-terminal: exit code 70, one line, and the traceback in the log."""

from pathlib import Path

from tests.support.dashboard_terminal import DashboardTerminal

CRASH = """
import sys
from tui.cli.main import run
from tui.dashboard.screen import Dashboard

def sabotage(*_):
    raise RuntimeError("sabotage")

Dashboard.apply_update = sabotage
sys.exit(run(["--demo"]))
"""


def test_an_internal_error_ends_with_70_one_line_and_a_traceback_in_the_log(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("BABELTOP_STATE_DIR", str(tmp_path))
    with DashboardTerminal(program=("-c", CRASH), columns=200) as terminal:
        assert terminal.wait_for_exit() == 70
        printed = bytes(terminal.raw).rpartition(b"\x1b")[2].decode().replace("\r\n", "")
    log = tmp_path / "babeltop.log"
    assert f"internal error. The journal keeps the jobs' state; see {log}" in printed
    assert "Traceback" not in printed
    assert "RuntimeError: sabotage" in log.read_text()
