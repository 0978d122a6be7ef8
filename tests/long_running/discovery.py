"""Virtual day in which 500 jobs appear at a service with a list: each is on the board within two looks."""

import asyncio
import tempfile
from pathlib import Path
from random import Random

from tests.engine.accounts.test_auto_discovery import RATE, discovering, ref
from tests.support.listed_jobs import ListedJobs
from tests.support.virtual_time import DAY, EPOCH, HOUR, MINUTE, wall_time
from tui.domain.models import Phase, Ref
from tui.engine.accounts.auto_discovery import INTERVAL
from tui.storage.watchlist.operations import Remove

JOBS = 500
REMOVED = range(0, JOBS, 50)
"""Jobs that the operator removes once they are on the board."""


def main() -> None:
    """Run the day, and print the delays and the requests."""
    random = Random(0)
    begins = sorted(random.uniform(0, DAY - HOUR) for _ in range(JOBS))
    app = ListedJobs(begins, runs=20 * MINUTE)
    delays: dict[Ref, float] = {}

    async def scenario(stage) -> None:
        removed: set[Ref] = set()
        while wall_time() < EPOCH + DAY + HOUR:
            await asyncio.sleep(10)
            for each in set(stage.engine.states) - delays.keys():
                delays[each] = wall_time() - EPOCH - begins[int(each.id[1:])]
            if found := {ref(number) for number in REMOVED} & stage.engine.states.keys():
                assert not found & removed, "a removed job came back"
                assert (await stage.engine.perform(Remove(tuple(found)))).ok
                removed |= found
        assert removed == {ref(number) for number in REMOVED}
        listed = [job.ref for job in stage.workspace.watchlist.read().jobs]
        assert len(listed) == len(set(listed)) == JOBS - len(removed)
        phases = {stage[each].phase for each in listed}
        assert phases == {Phase.DONE}, f"not as at the service: {phases}"

    with tempfile.TemporaryDirectory() as folder:
        discovering(Path(folder), app, scenario)
    found = sorted(delays.values())
    print(
        f"{len(found)} of {JOBS} jobs found, after {found[len(found) // 2]:.0f} s (median), {found[-1]:.0f} s at most"
    )
    print(f"requests: {app.counts['list']} for the list, {app.counts['job']} for single jobs")
    print(f"most requests in a minute: {app.most_in_a_minute()} of {RATE}")
    assert len(found) == JOBS, "jobs were not found"
    assert found[-1] <= 2 * INTERVAL, "a job was found late"
    assert app.most_in_a_minute() <= RATE + 1, "the rate limit was exceeded"
