"""Watchlists of a team, merged into one board, and the assignment of its accounts to workers."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tui.domain.models import Job
from tui.domain.team import EVERY_ACCOUNT, AllExcept, Worker, leader_of, merge_lists, team_board

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


ACCOUNTS = tuple(f"account{number}" for number in range(8))
WORKERS = st.lists(
    st.builds(Worker, st.text(max_size=3), st.frozensets(st.sampled_from(ACCOUNTS)), st.floats(0.01, 100.0)),
    unique_by=lambda worker: worker.name,
)


@given(WORKERS, st.randoms())
def test_every_account_has_exactly_one_leader_that_can_poll_it(workers, random):
    shuffled = random.sample(workers, len(workers))
    for account in ACCOUNTS:
        leader = leader_of(account, workers)
        assert leader == leader_of(account, shuffled)
        able = [worker for worker in workers if account in worker.accounts]
        assert leader in able if able else leader is None


@given(WORKERS, st.text(min_size=4, max_size=5), st.floats(0.01, 100.0))
def test_a_further_worker_takes_accounts_and_moves_no_other(workers, name, weight):
    further = Worker(name, ACCOUNTS, weight)
    for account in ACCOUNTS:
        before, after = leader_of(account, workers), leader_of(account, [*workers, further])
        assert after in (before, further)


def test_workers_lead_as_many_accounts_as_their_weights_demand():
    accounts = [f"account{number}" for number in range(4000)]
    workers = [Worker("a", accounts), Worker("b", accounts, 3.0), Worker("c", accounts, 4.0)]
    found = Counter(leader.name for account in accounts if (leader := leader_of(account, workers)))
    for name, share in {"a": 500, "b": 1500, "c": 2000}.items():
        assert abs(found[name] - share) < 0.15 * share


def test_of_two_processes_with_one_name_the_older_one_leads():
    older = Worker("a", ACCOUNTS, age=60.0)
    assert leader_of("account1", [Worker("a", ACCOUNTS), older]) == older


def test_all_accounts_but_a_few_include_unknown_ones():
    assert "x" in EVERY_ACCOUNT
    assert "x" in AllExcept({"y"})
    assert "y" not in AllExcept({"y"})
