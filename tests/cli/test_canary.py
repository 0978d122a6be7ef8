"""The short form of the proof `canary`: the same code, fewer command lines. It starts terminals: its own process."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(240)  # a dozen processes and two dashboards, one after the other
def test_neither_key_nor_signed_link_is_in_anything_that_is_written():
    command = [sys.executable, "-m", "tests.long_running.canary", "QUICK"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=230)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 found" in done.stdout
