"""The short form of `tests.long_running.download`."""

import pytest

from tests.long_running.download import run_proof


@pytest.mark.waits
def test_a_large_download_survives_cuts_and_kills_and_leaves_one_complete_file(tmp_path):
    found = run_proof(tmp_path, 60_000_000, cuts=4, kills=2)
    assert found.is_complete, str(found)
    assert (found.cuts, found.kills) == (4, 2), str(found)
    assert found.sent_bytes < 2 * found.size, str(found)
