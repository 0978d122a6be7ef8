"""`babeltop fleet` over a real journal, with and without a console that polls."""

from tests.cli.conftest import Program
from tests.support.waiting import wait_until


def test_fleet_shows_each_account_with_its_jobs_and_limits(configured: Program) -> None:
    configured.with_jobs("heygen:a-fine", "heygen:b-fail", "konpro:c-fine")
    configured("wait")
    rows = {row["account"]: row for row in configured("fleet", "--json").json}
    assert rows.keys() == {"heygen", "konpro", "camb", "flixu"}
    assert (rows["heygen"]["done_today"], rows["heygen"]["failed_today"]) == (1, 1)
    assert rows["heygen"]["failure_rate"] == 0.5
    assert sum(rows["konpro"]["done_per_hour"]) == 1
    assert rows["konpro"]["requests"]["last_day"] >= 1
    assert rows["konpro"]["requests"]["per_minute"] == 6000
    assert {row["health"] for row in rows.values()} == {None}
    table = configured("fleet").out.splitlines()
    assert table[0].startswith("ACCOUNT")
    assert table[1].startswith("heygen")  # the worst first
    assert "1/·" in table[1]
    assert "not polled now" in table[1]


def test_fleet_without_accounts_names_none(babeltop: Program) -> None:
    completed = babeltop("fleet", "--json")
    assert (completed.code, completed.json) == (0, [])
    assert "no accounts and no jobs yet" in completed.err


def test_fleet_shows_the_health_that_the_polling_console_sees(configured: Program) -> None:
    configured.with_jobs("heygen:a-slow")
    process = configured.start("watch")

    def health() -> str | None:
        return next(row["health"] for row in configured("fleet", "--json").json if row["account"] == "heygen")

    wait_until(lambda: health() == "ok")
    process.terminate()
    configured.end(process)
    assert health() is None
