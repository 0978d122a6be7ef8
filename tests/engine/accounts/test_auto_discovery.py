"""Discovery without the operator: new jobs come to the board, once each, within the rate limit."""

import asyncio

import pytest

from tests.engine.polling.test_polling import stage as staged
from tests.support.fixtures import make_workspace
from tests.support.listed_jobs import LISTING, ListedJobs
from tests.support.provider_files import write_provider_file
from tests.support.virtual_time import DAY, EPOCH, HOUR, MINUTE, wall_time
from tui.domain.models import Phase, Ref
from tui.engine.accounts.auto_discovery import FIRST_LOOK, INTERVAL
from tui.storage.config.settings import SettingsError
from tui.storage.watchlist.operations import Remove

RATE = 6
"""Requests a minute."""
COUNT = 45
"""Jobs, one a minute."""


def ref(number: int) -> Ref:
    return Ref("listing", f"j{number}")


def discovering(tmp_path, app, scenario, jobs=(), *, discover=True):
    """Run the scenario with an account that is discovered."""
    write_provider_file(tmp_path, "listing", LISTING)
    config = (
        f'[accounts.listing]\nbase_url = "http://sim.test"\ninsecure_http = true\ndiscover = {str(discover).lower()}\n'
    )
    config += f'api_key = {{ file = "{tmp_path / "key"}" }}\nrate_per_minute = {RATE}\n'
    (tmp_path / "key").write_text("a-key-000000")
    (tmp_path / "key").chmod(0o600)
    staged(tmp_path, app, {"listing": jobs} if jobs else {}, scenario, accounts=(), config=config)


def test_each_new_job_is_on_the_board_within_two_looks_and_none_twice(tmp_path):
    begins = [60.0 * number for number in range(COUNT)]
    app = ListedJobs(begins, runs=20 * MINUTE)

    async def scenario(stage):
        first_seen: dict[Ref, float] = {}
        while wall_time() < EPOCH + 1.5 * HOUR:
            await asyncio.sleep(10)
            for each in stage.engine.states:
                first_seen.setdefault(each, wall_time() - EPOCH)
        assert first_seen.keys() == {ref(number) for number in range(COUNT)}
        assert max(first_seen[ref(number)] - at for number, at in enumerate(begins)) <= 2 * INTERVAL
        listed = stage.workspace.watchlist.read().jobs
        assert len(listed) == len({job.id for job in listed}) == COUNT
        assert {job.tags for job in listed} == {("discovered",)}
        assert all(stage[ref(number)].phase is Phase.DONE and stage[ref(number)].links for number in range(COUNT))
        assert app.most_in_a_minute() <= RATE + 1
        assert app.counts["list"] > 8

    discovering(tmp_path, app, scenario)


def test_a_removed_job_and_an_old_one_are_not_added(tmp_path):
    app = ListedJobs([-60 * DAY, -2 * HOUR, -HOUR], runs=9 * HOUR)

    async def scenario(stage):
        await asyncio.sleep(FIRST_LOOK + MINUTE)
        assert set(stage.engine.states) == {ref(1), ref(2)}
        assert (await stage.engine.perform(Remove((ref(1),)))).ok
        await asyncio.sleep(5 * INTERVAL)
        assert set(stage.engine.states) == {ref(2)}
        assert sum(path == "/jobs" for at, path in app.requests if at > 3 * MINUTE) >= 4

    discovering(tmp_path, app, scenario)


def test_without_discover_the_account_is_not_listed_but_many_jobs_share_one_list_request(tmp_path):
    app = ListedJobs([0.0] * 40, runs=HOUR)

    async def scenario(stage):
        await asyncio.sleep(20 * MINUTE)
        assert len(stage.engine.states) == 20
        assert all(state.phase is Phase.RUNNING for state in stage.engine.states.values())
        assert sum(state.poll_count for state in stage.engine.states.values()) > 20 * app.counts["list"] / 2
        assert app.counts["job"] < app.counts["list"]

    discovering(tmp_path, app, scenario, tuple(f"j{number}" for number in range(20)), discover=False)


def test_discover_needs_a_service_with_a_list(tmp_path):
    with pytest.raises(SettingsError, match=r"accounts\.flixu\.discover: flixu has no list of jobs"):
        _ = make_workspace(
            tmp_path, "http://sim.test", accounts=(), config="[accounts.flixu]\ndiscover = true\n"
        ).accounts
