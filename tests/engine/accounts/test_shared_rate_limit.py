"""Processes that draw on one account's budget: together they ask no more than one may, and not one write an ask."""

import pytest

from tui.domain.polling import rate_limit
from tui.engine.accounts.shared_rate_limit import SharedRateLimit
from tui.storage.journal.journal import Journal, JournalError

NOW = 1_800_000_000.0


class Hand:
    """One process: a journal of its own on the shared file, and how often it wrote."""

    def __init__(self, path, per_minute, per_day=None):
        self.journal = Journal(path)
        self.writes = 0
        self.asks = []
        self.purse = SharedRateLimit("heygen", rate_limit.initial(per_minute, NOW, per_day), self._budgets)

    def _budgets(self):
        return self

    def get(self, account):
        return self.journal.rate_limits.get(account)

    def update(self, account, change):
        self.writes += 1
        return self.journal.rate_limits.update(account, change)

    def may(self, now):
        found = self.purse.refresh(now)
        return (self.purse.has_reserved(now) and found.not_before <= now) or found.next_slot(now).at <= now

    def ask(self, now):
        if self.may(now) and self.purse.acquire(now):
            self.asks.append(now)


@pytest.fixture
def hands(tmp_path):
    found = []

    def hand(*limits):
        found.append(Hand(tmp_path / "journal.db", *limits))
        return found[-1]

    yield hand
    for each in found:
        each.journal.close()


def most_in(seconds, asks):
    return max(len([at for at in asks if first <= at < first + seconds]) for first in asks)


@pytest.mark.parametrize("per_minute", [1, 7.5, 60, 600])
def test_no_minute_holds_more_asks_of_all_together_than_the_operator_said(hands, per_minute):
    three = [hands(per_minute) for _ in range(3)]
    for step in range(20 * 180):
        for hand in three:
            hand.ask(NOW + step / 20)
    together = sorted(at for hand in three for at in hand.asks)
    assert most_in(60, together) <= per_minute
    assert len(together) > 0.85 * 3 * (per_minute - 1)


def test_a_fast_account_writes_once_for_many_asks_unless_its_bucket_is_short(hands):
    hand = hands(6000)
    for step in range(50 * 20):
        hand.ask(NOW + step / 50)
    assert len(hand.asks) == 50 * 20
    assert hand.writes < len(hand.asks) / 10


def test_a_process_that_is_killed_takes_no_more_along_than_it_held(hands):
    dead, alive = hands(600), hands(600)
    for step in range(40):
        dead.ask(NOW + step / 20)
    for step in range(20 * 60):
        alive.ask(NOW + 2 + step / 20)
    rate = dead.purse.current.minute_bucket.rate
    assert len(dead.asks) + len(alive.asks) > rate * 62 - 2 * rate * rate_limit.RESERVATION_TTL


def test_a_floor_stops_even_what_is_drawn_already(hands):
    first, second = hands(600), hands(600)
    for step in range(60):
        first.ask(NOW + step / 20)
    now = NOW + 60 / 20
    second.purse.change(lambda found: found.slowed_by_429(now + 30, "asked to wait", now), now)
    assert not first.may(now + rate_limit.RESERVATION_TTL / 5)
    assert first.may(now + 31)


def test_the_floor_and_the_slowness_are_there_for_the_next_process(hands):
    hands(600).purse.change(lambda found: found.slowed_by_429(NOW + 300, "asked to wait", NOW), NOW)
    later = hands(600).purse.refresh(NOW + 60)
    assert (later.not_before, later.per_minute) == (NOW + 300, 600 * rate_limit.SLOWDOWN_FACTOR)


def test_another_rate_in_the_configuration_holds_at_once(hands):
    hands(600).ask(NOW)
    slower = hands(60)
    assert slower.purse.refresh(NOW + 1).per_minute == 60
    slower.ask(NOW + 1)
    assert slower.purse.current.minute_bucket.capacity == rate_limit.initial(60, NOW).minute_bucket.capacity


def test_without_a_journal_it_goes_on_by_what_it_knows_itself():
    def gone():
        raise JournalError("gone")

    purse = SharedRateLimit("heygen", rate_limit.initial(6, NOW), gone)
    asks = [NOW + second for second in range(180) if purse.acquire(NOW + second)]
    assert 15 <= len(asks) <= 18
    assert most_in(60, asks) <= 6


@pytest.mark.parametrize("back", [10.0, 3600.0])
def test_a_clock_that_is_set_back_shortens_no_wait_and_makes_none_longer_than_it_was(hands, back):
    first, second = hands(60), hands(60)
    first.purse.change(lambda found: found.slowed_by_429(NOW + 120, "asked to wait", NOW), NOW)
    second.purse.refresh(NOW + 30)
    now = NOW + 60 - back
    first.purse.shift(-back, now)
    second.purse.shift(-back, now)
    for hand in (first, second, hands(60)):
        assert 60 <= hand.purse.refresh(now + 1).next_slot(now).at - now < 60 + min(back, 60) + 2
