"""The short form of the proof `sweep10k`: the same code with fewer jobs, and no bound on time."""

from tests.long_running.sweep10k import proof


def test_jobs_of_four_accounts_that_are_all_due_at_once_are_all_asked_over_real_http():
    found = proof(400)
    assert (found.asked, found.faults, found.journalled) == (400, 0, 400), str(found)
