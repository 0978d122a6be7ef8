"""Short form of the long run `sweep10k`: the same code with fewer jobs and without a time limit."""

from tests.long_running.sweep10k import run_proof


def test_jobs_of_four_accounts_due_at_once_are_all_polled_over_real_http():
    found = run_proof(400)
    assert (found.polled, found.faults, found.in_journal) == (400, 0, 400), str(found)
