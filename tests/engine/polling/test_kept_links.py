import pytest

from tests.long_running.links import DOWNLOADS, FILES, assert_holds, run_proof

pytestmark = pytest.mark.xdist_group("links")  # made once, by one worker
JOBS = 12


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    found = run_proof(tmp_path_factory.mktemp("links"), JOBS, 6.0)
    print(f"\n{found}")
    return found


def test_no_copy_or_open_returns_an_expired_link_and_the_requests_stay_within_the_limit(found):
    assert_holds(found)
    assert found.links > JOBS


def test_links_are_renewed_on_schedule(found):
    assert found.renewals > JOBS / 2


def test_a_download_that_waits_for_the_rate_limit_of_its_account_is_no_failure(tmp_path):
    busy = run_proof(tmp_path, 200, 0.03)
    assert (busy.downloads, busy.download_failures) == (len(FILES) * len(DOWNLOADS), 0)
