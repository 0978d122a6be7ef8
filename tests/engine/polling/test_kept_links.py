import pytest

from tests.long_running.links import assert_holds, run_proof

pytestmark = pytest.mark.xdist_group("links")  # made once, by one worker


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    found = run_proof(tmp_path_factory.mktemp("links"), 24, 9.0)
    print(f"\n{found}")
    return found


def test_no_copy_or_open_yields_a_dead_link_and_the_asks_stay_inside_the_budget(found):
    assert_holds(found)
    assert found.links > 24


def test_links_are_renewed_by_themselves(found):
    assert found.renewals > 24 / 2
