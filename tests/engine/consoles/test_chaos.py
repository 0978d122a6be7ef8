"""Short form of the long run `chaos`: the same code with fewer faults."""

import pytest

from tests.long_running.chaos import run_proof


@pytest.mark.longest
@pytest.mark.timeout(900)
def test_a_team_keeps_its_promises_under_faults(postgres):  # which skips without a server
    found = run_proof(faults=8, job_count=24, takeovers=0)
    assert found.faults.total() == 8
    assert not any(found.errors.values()), str(found)
    assert found.changes >= 24
