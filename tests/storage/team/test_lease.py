"""Leases of a team's accounts, held by several workers. The instants in the database are moved instead of waiting."""

import pytest

from tests.support.journal_entries import ALL, NOW, A, entry
from tests.support.team_database import expire_leases, rows
from tui.domain.models import Phase, Ref
from tui.domain.polling.rate_limit import initial
from tui.domain.team import Worker, leader_of
from tui.storage.journal.database import JournalError
from tui.storage.journal.journal import EntriesWaitError
from tui.storage.protocols import Candidacy
from tui.storage.team.administration import declare_accounts
from tui.storage.team.lease import HANDOVER_AGE, OPEN_AFTER, TTL

ACCOUNTS = frozenset(f"account{number}" for number in range(12))
MANY = Candidacy(ACCOUNTS)
OTHER = Ref("other", "o")


def age(conninfo, seconds):
    """Let workers have lived for longer."""
    rows(conninfo, f"UPDATE babeltop.worker SET started_at = started_at - {seconds}")


def bury(conninfo, name):
    """Let a worker have ended without a word, with its leases just expired."""
    rows(conninfo, f"UPDATE babeltop.worker SET seen_at = seen_at - {TTL} WHERE name = '{name}'")
    expire_leases(conninfo, 0, f"holder = (SELECT incarnation FROM babeltop.worker WHERE name = '{name}')")


def picked(account, *names, accounts=ACCOUNTS):
    """Return the name of the worker that is to poll the account, of some that can poll all of `accounts`."""
    return leader_of(account, [Worker(name, accounts) for name in names]).name


async def settle(*storages):
    """Let the workers hand over what they do not keep."""
    for _ in range(3):
        for storage in storages:
            await storage.lease.acquire(MANY)


async def test_workers_lead_the_accounts_of_their_keys(processes):
    first, second = processes(worker="first"), processes(worker="second")
    assert await first.lease.acquire(Candidacy(frozenset({"heygen"}))) == {"heygen"}
    assert await second.lease.acquire(Candidacy(frozenset({"heygen", "other"}))) == {"other"}
    assert await first.lease.acquire(Candidacy(frozenset({"heygen"}))) == {"heygen"}
    assert await first.lease.acquire(Candidacy()) == set(), "its key is gone"
    await first.lease.acquire(Candidacy())
    assert await second.lease.acquire(Candidacy(frozenset({"heygen", "other"}))) == {"heygen", "other"}


async def test_accounts_are_handed_over_to_a_worker_that_has_lived_long_enough(processes, team):
    first, second = processes(worker="first"), processes(worker="second")
    assert await first.lease.acquire(MANY) == ACCOUNTS
    await settle(first, second)
    assert (first.lease.held, second.lease.held) == (ACCOUNTS, set()), "it has just begun"
    age(team, HANDOVER_AGE)
    await settle(first, second)
    shares = {account: picked(account, "first", "second") for account in ACCOUNTS}
    assert first.lease.held == {account for account, name in shares.items() if name == "first"}
    assert second.lease.held == {account for account, name in shares.items() if name == "second"}
    assert first.lease.held
    assert second.lease.held


async def test_results_of_an_account_that_is_handed_over_are_still_written(processes, team):
    first, second = processes(worker="first"), processes(worker="second")
    assert await first.lease.acquire(ALL)
    await second.lease.acquire(ALL)
    age(team, HANDOVER_AGE)
    account = next(each for each in ALL.accounts if picked(each, "first", "second", accounts=ALL.accounts) == "second")
    assert account not in await first.lease.acquire(ALL), "it sends no request any more"
    last = entry(Ref(account, "a"))
    assert await first.journal.record([last]) == [last.change]
    assert account not in await second.lease.acquire(ALL)
    await first.lease.acquire(ALL)
    assert account in await second.lease.acquire(ALL)
    await first.lease.acquire(ALL)
    assert await first.journal.record([entry(Ref(account, "b"))]) == []


async def test_the_worker_picked_takes_a_free_lease_and_the_others_only_after_a_while(processes, team):
    dead, picked_one, other = (processes(worker=name) for name in ("dead", "a", "b"))
    assert await dead.lease.acquire(MANY) == ACCOUNTS
    await settle(picked_one, other)
    bury(team, "dead")
    shares = {account: picked(account, "a", "b") for account in ACCOUNTS}
    of_b = {account for account, name in shares.items() if name == "b"}
    assert await other.lease.acquire(MANY) == of_b, "those of the other one are left to it"
    expire_leases(
        team, OPEN_AFTER, "holder IS NULL OR holder = (SELECT incarnation FROM babeltop.worker WHERE name = 'dead')"
    )
    assert await other.lease.acquire(MANY) == ACCOUNTS, "which does not take them"
    assert await picked_one.lease.acquire(MANY) == set()


async def test_a_worker_that_stops_frees_its_accounts_at_once(processes):
    first, second, third = (processes(worker=name) for name in ("first", "second", "third"))
    assert await first.lease.acquire(MANY) == ACCOUNTS
    await settle(second, third)
    await first.lease.release()
    assert await second.lease.acquire(MANY) | await third.lease.acquire(MANY) == ACCOUNTS


async def test_a_worker_that_begins_again_is_picked_for_the_same_accounts(processes, team):
    first, second = processes(worker="first"), processes(worker="second")
    await settle(first, second)
    age(team, HANDOVER_AGE)
    await settle(first, second)
    before = second.lease.held
    await second.lease.release()
    again = processes(worker="second")
    assert await again.lease.acquire(MANY) == before


async def test_a_batch_of_which_one_account_is_refused_keeps_the_entries_of_the_others(processes, team):
    first, second = processes(worker="first"), processes(worker="second")
    await first.lease.acquire(ALL)
    running, stolen = entry(), entry(OTHER)
    await first.journal.record([stolen])
    expire_leases(team, OPEN_AFTER, "account = 'other'")
    assert await second.lease.acquire(Candidacy(frozenset({"other"}))) == {"other"}
    done = entry(OTHER, Phase.DONE, NOW + 60, before=stolen.state)
    with pytest.raises(EntriesWaitError, match="does not hold the lease of other") as raised:
        await first.journal.record([done, running])
    assert raised.value.changes == [running.change]
    assert raised.value.waiting == [done], "this worker may get the lease back"
    states = await second.journal.states([A, OTHER])
    assert (states[A].phase, states[OTHER].phase) == (Phase.RUNNING, Phase.RUNNING)
    assert "other" not in await first.lease.acquire(ALL), "another worker has it"
    assert await first.journal.record(raised.value.waiting) == []
    assert await first.journal.replaced_states() == {OTHER: stolen.state}


async def test_results_of_an_account_that_this_worker_can_not_poll_do_not_wait(processes):
    storage = processes()
    await storage.lease.acquire(Candidacy(frozenset({"heygen"})))
    assert await storage.journal.record([entry(OTHER)]) == []
    assert await storage.journal.replaced_states() == {OTHER: None}


async def test_a_follower_reads_the_changes_of_each_account(processes):
    first, second, follower = processes(worker="first"), processes(worker="second"), processes(polls=False)
    await first.lease.acquire(Candidacy(frozenset({"heygen"})))
    await second.lease.acquire(Candidacy(frozenset({"other"})))
    for reader in (first, follower):
        assert await reader.journal.external_changes() == {}
    for _ in range(3):
        await first.journal.record([entry()])
    await second.journal.record([entry(OTHER)])
    assert set(await follower.journal.external_changes()) == {A, OTHER}
    await second.journal.record([entry(OTHER, Phase.DONE, NOW + 60)])
    assert set(await follower.journal.external_changes()) == {OTHER}
    assert set(await first.journal.external_changes()) == {OTHER}, "a worker follows the other one"
    assert await follower.journal.external_changes() == {}


async def test_a_worker_with_another_base_url_does_not_lead_and_reports_why(processes, team):
    right = processes(worker="right", addresses=dict.fromkeys(ALL.accounts, "https://api.test"))
    wrong = processes(worker="wrong", addresses={"heygen": "https://other.test", "other": "https://api.test"})
    assert await right.lease.acquire(ALL) == ALL.accounts
    assert not right.lease.problems
    await right.lease.release()
    expire_leases(team, OPEN_AFTER)
    assert await wrong.lease.acquire(Candidacy(frozenset({"heygen", "other"}))) == {"other"}
    [problem] = wrong.lease.problems
    assert "heygen is not polled here: its base_url is not the team's, https://api.test" in problem
    assert rows(team, "SELECT accounts FROM babeltop.worker") == [(["other"],)]
    declared = {"heygen": "https://other.test", "other": "https://api.test", "new": "https://new.test"}
    assert await declare_accounts(team, declared) == ("heygen", "new")
    assert await wrong.lease.acquire(Candidacy(frozenset({"heygen", "other"}))) == {"heygen", "other"}
    assert not wrong.lease.problems


async def test_a_worker_with_a_refused_key_leaves_the_account_to_one_with_another_key(processes):
    refused = Candidacy(frozenset({"other"}), frozenset({"heygen"}))
    first, second = processes(worker="first"), processes(worker="second")
    assert await first.lease.acquire(ALL)
    assert "heygen" in await first.lease.acquire(refused), "no other worker can poll it: it shows why"
    assert await second.lease.acquire(Candidacy(frozenset({"heygen"}))) == set()
    assert "heygen" not in await first.lease.acquire(refused)
    await first.lease.acquire(refused)
    assert await second.lease.acquire(Candidacy(frozenset({"heygen"}))) == {"heygen"}
    assert "heygen" not in await first.lease.acquire(refused)
    await second.lease.release()
    assert "heygen" not in await first.lease.acquire(refused), "it never takes it again with that key"


async def test_the_lowest_rate_of_a_key_holds_for_workers_that_do_not_have_the_account(processes):
    first, second = processes(worker="first"), processes(worker="second", keys={"heygen": "sk-canary-0123456789"})
    await first.lease.acquire(Candidacy(frozenset({"dubs"})))
    await second.lease.acquire(Candidacy(frozenset({"heygen"})))
    second.rate_limits._per_minute = {"heygen": 600.0}
    for storage, account in ((first, "dubs"), (second, "heygen"), (first, "dubs")):
        now = storage.clock.now()
        changed = await storage.rate_limits.update(
            account, lambda found, now=now: (found or initial(600, now)).with_config_of(initial(600, now))
        )
        assert changed.configured_per_minute == 60


async def test_a_worker_that_was_frozen_takes_no_token_once_another_has_the_lease(processes, team):
    first, second, doctor = processes(worker="first"), processes(worker="second"), processes(polls=False)
    await first.lease.acquire(ALL)
    await first.rate_limits.update("heygen", lambda found: found or initial(60, NOW))
    expire_leases(team, OPEN_AFTER)
    await second.lease.acquire(ALL)
    assert "heygen" in first.lease.held, "no clock of its own shows that it was frozen"
    versions = rows(team, "SELECT version FROM babeltop.rate_limit")
    with pytest.raises(JournalError, match="does not hold the lease of account heygen"):
        await first.rate_limits.update("heygen", lambda found: found)
    assert rows(team, "SELECT version FROM babeltop.rate_limit") == versions
    for storage in (second, doctor):
        await storage.rate_limits.update("heygen", lambda found: found)


async def test_only_consoles_keep_what_they_read_in_their_local_journals(processes):
    first, second, console = processes(worker="first"), processes(worker="second"), processes(polls=False)
    await first.lease.acquire(ALL)
    for storage in (second, console):
        await storage.journal.external_changes()
    await first.journal.record([entry()])
    for storage, kept in ((second, set()), (console, {A})):
        assert set(await storage.journal.external_changes()) == {A}
        assert set(await storage.journal.states([A])) == {A}
        assert set(storage.journal._local().states([A])) == kept
