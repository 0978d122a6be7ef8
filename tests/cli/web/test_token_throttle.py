"""Slow-down after wrong tokens, with a clock of the test's."""

import pytest

from tui.cli.web.token_throttle import (
    FORGET_AFTER,
    FREE_FAILURES,
    MAX_ADDRESSES,
    MAX_WAIT,
    OVERALL_FAILURES,
    OVERALL_WINDOW,
    TokenThrottle,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> TokenThrottle:
    return TokenThrottle(clock)


def test_an_address_waits_longer_after_each_wrong_token_but_never_long(throttle: TokenThrottle, clock: Clock):
    waits = []
    for _ in range(FREE_FAILURES + 6):
        throttle.record_failure("192.0.2.1")
        waits.append(throttle.wait("192.0.2.1"))
        clock.now += OVERALL_WINDOW
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 5, 5, 5]
    assert max(waits) == MAX_WAIT


def test_an_hour_of_guesses_at_one_address_checks_few(throttle: TokenThrottle, clock: Clock):
    checked = 0
    while clock.now < 3600:
        if not throttle.wait("192.0.2.1"):
            throttle.record_failure("192.0.2.1")
            checked += 1
        clock.now += 0.1
    assert checked <= FREE_FAILURES + 3600 / MAX_WAIT + 3


def test_many_addresses_together_are_slowed_down_but_not_a_new_one(throttle: TokenThrottle, clock: Clock):
    addresses = [f"192.0.2.{number}" for number in range(OVERALL_FAILURES)]
    for each in addresses:
        assert throttle.wait(each) == 0
        throttle.record_failure(each)
    assert {throttle.wait(each) for each in addresses} == {OVERALL_WINDOW}
    assert throttle.wait("198.51.100.1") == 0
    clock.now += OVERALL_WINDOW
    assert {throttle.wait(each) for each in addresses} == {0}


def test_wrong_tokens_are_forgotten(throttle: TokenThrottle, clock: Clock):
    for _ in range(100):
        throttle.record_failure("192.0.2.1")
    clock.now = FORGET_AFTER + 1
    assert throttle.wait("192.0.2.1") == 0
    throttle.record_failure("192.0.2.1")
    assert throttle.wait("192.0.2.1") == 0


def test_addresses_of_one_network_of_ipv6_count_as_one(throttle: TokenThrottle):
    for number in range(FREE_FAILURES + 1):
        throttle.record_failure(f"2001:db8:1:2::{number + 1:x}%eth0")
    assert throttle.wait("2001:db8:1:2:ffff::1") > 0
    assert throttle.wait("2001:db8:1:3::1") == 0
    assert throttle.wait("not an address") == 0


def test_the_table_is_bounded(throttle: TokenThrottle):
    for number in range(2 * MAX_ADDRESSES):
        throttle.record_failure(f"10.0.{number >> 8}.{number & 255}")
    assert len(throttle._by_network) == MAX_ADDRESSES
