"""Watchlists of a team, merged into one board."""

from tui.domain.models import Job
from tui.domain.team import merge_lists, team_board

MINE = Job(account="a", id="1", label="mine", archived=True, muted=True)
THEIRS = Job(account="a", id="1", label="theirs", keep_link=True, download=True, kind="dub")


def test_lists_that_disagree_on_a_job_are_merged():
    other = Job(account="a", id="2", archived=True)
    merged = merge_lists({"alice": (THEIRS,), "worker": (MINE, other)}, "worker")
    assert [job.id for job in merged] == ["1", "2"]
    assert (merged[0].label, merged[0].kind) == ("mine", "dub")
    assert (merged[0].archived, merged[0].muted, merged[0].keep_link, merged[0].download) == (False, False, True, False)
    assert merged[1].archived


def test_the_board_of_a_team_names_the_owners_and_leaves_alerts_and_files_to_them():
    other = Job(account="a", id="2", muted=True, download=True)
    found = team_board({"alice": (THEIRS, other), "bob": (MINE,)}, "bob")
    assert [(job.id, job.owners, job.is_foreign) for job in found] == [
        ("1", ("bob", "alice"), False),
        ("2", ("alice",), True),
    ]
    assert (found[0].label, found[0].archived, found[0].muted) == ("mine", True, True), "the own entry, as it is"
    assert (found[1].muted, found[1].download, found[1].is_silent) == (False, False, True)


def test_a_list_that_is_not_published_yet_is_on_the_board_of_its_operator():
    [job] = team_board({"bob": (MINE,)}, "bob")
    assert (job.owners, job.is_foreign) == (("bob",), False)
