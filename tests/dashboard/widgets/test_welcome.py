"""First-run screen."""

from tui.dashboard.widgets.welcome import MAX_KEYS, OnboardingInfo, Welcome

KEYS = [(f"s{n}", f"S{n}_KEY", False) for n in range(MAX_KEYS + 3)]


def lines(keys: list[tuple[str, str, bool]]) -> list[str]:
    return str(Welcome(OnboardingInfo("w", keys)).content).splitlines()[6:]


def test_the_first_keys_are_named_while_none_was_found() -> None:
    shown = lines(KEYS)
    assert shown[0].split() == ["s0", "○", "S0_KEY", "not", "set"]
    assert (len(shown), shown[-1].split()) == (MAX_KEYS + 1, ["babeltop", "providers", "3", "more", "services"])


def test_only_the_keys_that_were_found_are_named() -> None:
    shown = lines([*KEYS, ("mine", "MINE_KEY", True)])
    assert [line.split()[0] for line in shown] == ["mine", "babeltop"]
    assert lines([("mine", "MINE_KEY", True)]) == ["mine                ● key found"]
