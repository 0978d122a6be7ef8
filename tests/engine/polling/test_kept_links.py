import pytest

from tests.long_running.links import assert_holds, run_proof

pytestmark = pytest.mark.xdist_group("links")  # made once, by one worker


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    found = run_proof(tmp_path_factory.mktemp("links"), 24, 9.0)
    print(f"\n{found}")
    return found


def test_no_copy_or_open_returns_an_expired_link_and_the_requests_stay_within_the_limit(found):
    assert_holds(found)
    assert found.links > 24


def test_links_are_renewed_on_schedule(found):
    assert found.renewals > 24 / 2
