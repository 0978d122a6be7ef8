from tests.long_running.download import run_proof


def test_a_large_file_that_is_cut_and_killed_on_the_way_is_whole_and_nothing_else_is_left(tmp_path):
    found = run_proof(tmp_path, 60_000_000, cuts=4, kills=2)
    assert found.is_complete, str(found)
    assert (found.cuts, found.kills) == (4, 2), str(found)
    assert found.sent_bytes < 2 * found.size, str(found)
