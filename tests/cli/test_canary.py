"""Short form of `long_running.canary`, in its own process, since it starts terminals."""

from pathlib import Path

import pytest

from tests.support.fork_server import run_program


@pytest.mark.longest
@pytest.mark.timeout(240)  # a dozen processes and two dashboards, one after the other
def test_no_output_or_file_contains_a_key_or_a_signed_link():
    done = run_program(
        "-m", "tests.long_running.canary", "QUICK", cwd=Path(__file__).parents[2], text=True, timeout=230
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 found" in done.stdout
