"""Tests with random faults in virtual time: waits are respected, rates are kept, every job's end is reported."""

import asyncio
import tempfile
from itertools import pairwise
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support import fixtures
from tests.support.fixtures import RecordingListener
from tests.support.scripted_service import ScriptedService, done, running
from tests.support.virtual_time import EPOCH, MINUTE, VirtualTransport, run_virtual, wall_time
from tui.domain.models import Phase, Ref
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.engine.polling.poll_queue import PollQueue, QueueEntry

JOBS = 6
QUIET = 8 * MINUTE
"""Seconds after which the service has no more faults."""
SPAN = 30 * MINUTE
LONGEST = 600.0 + 120.0 + 120.0 + MINUTE
"""Longest wait of an active job in seconds: open breaker, back-off, not_before, and its turn in the token bucket.

While the service fails, another job's poll may be the breaker's probe.
"""


class FaultyService(ScriptedService):
    """Service that fails at random until QUIET and records the windows in which it allows no request."""

    def __init__(self, seed, share, kinds):
        super().__init__(self.respond_faultily, delay=0.2)
        self._random = Random(seed)
        self._share = share
        self._kinds = kinds
        self.ends = {f"j{number}": self._random.uniform(10, 12 * MINUTE) for number in range(JOBS)}
        self.windows = []
        """Start and end of each window. Requests sent before its response are not counted."""
        self.done_at = {}

    def respond_faultily(self, request):
        now = wall_time()
        if now - EPOCH < QUIET and self._random.random() < self._share:
            return self._fault(self._random.choice(self._kinds), now)
        if now - EPOCH < self.ends[request.id]:
            return running()
        self.done_at.setdefault(request.id, now)
        return done("https://cdn.test/1")

    def _fault(self, kind, now):
        wait = self._random.randint(1, 90)
        match kind:
            case "limited":
                self.windows.append((now, now + wait))
                return 429, {}, {"retry-after": str(wait)}
            case "busy":
                self.windows.append((now, now + wait))
                return 503, {}, {"retry-after": str(wait)}
            case "window":
                self.windows.append((now, now + wait))
                return 200, running()[1], {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(wait)}
            case "unnamed":
                return 429, {}, {}
            case "odd":
                return 200, {"message": "hello"}, {}
            case _:
                return 500, b"<html>", {}


KINDS = ("limited", "busy", "window", "unnamed", "odd", "down")


async def story(folder, app, rate, seed):
    refs = tuple(app.ends)
    library = fixtures.make_workspace(folder, "http://sim.test", {"konpro": refs}, accounts=("konpro",), rate=rate)
    wires = {"sim.test": app}
    engine = Engine(
        library,
        RecordingListener().publish,
        EngineContext.create(wall=wall_time, random=Random(seed), transport=lambda: VirtualTransport(wires)),
        tick_interval=MINUTE,
    )
    async with fixtures.running_engine(engine):
        await asyncio.sleep(SPAN)
        states = dict(engine.states)
    changes = library.journal.phase_changes(states)
    requests = {ref: library.journal.requests(ref, 10_000) for ref in states}
    library.close()
    return states, changes, requests


@given(
    st.integers(0, 10**6),
    st.floats(0, 0.7),
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=4, unique=True),
    st.sampled_from([7.5, 20, 90, 600]),
)
@example(244, 0.625, ["down"], 20)
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
def test_any_script_of_faults_keeps_the_rules(seed, share, kinds, rate):
    app = FaultyService(seed, share, kinds)
    with tempfile.TemporaryDirectory() as folder:
        states, changes, requests = run_virtual(story(Path(folder), app, rate, seed))
    times = app.request_times()
    for began, ended in app.windows:
        assert not [at for at in times if began < at < ended], "no request is sent inside a window"
    for first in times:
        assert len([at for at in times if first <= at < first + MINUTE]) <= rate, "no minute holds more than the rate"
    for ref, state in states.items():
        assert state.phase is Phase.DONE, "every job's end is reported"
        done_at = app.done_at[ref.id]
        assert not [at for at in app.request_times(ref.id) if at > done_at], "an ended job is not polled"
        waits = [
            later - max(earlier, EPOCH + QUIET) for earlier, later in pairwise([EPOCH, *app.request_times(ref.id)])
        ]
        assert max(waits) < LONGEST, "every wait is bounded"
        assert len(requests[ref]) == state.poll_count == len(app.request_times(ref.id)), (
            "every request is in the journal"
        )
        steps = [(change.before, change.after) for change in changes[ref]]
        assert steps[0][0] is Phase.NEW
        assert all(before[1] is after[0] for before, after in pairwise(steps)), "no change is missing or doubled"


def place(name, due, interval, order=0):
    return QueueEntry(due, order, Ref("konpro", name), interval)


def test_of_due_jobs_the_most_frequently_polled_goes_first_and_none_waits_forever():
    line = PollQueue(lambda _place: True)
    line.push(place("far from its end", 100.0, 60.0))
    line.push(place("near its end", 110.0, 2.0))
    line.push(place("due long ago", 40.0, 3600.0))
    line.push(place("user-requested", 0.0, 0.0))
    line.push(place("not due", 500.0, 2.0))
    names = [line.pop(200.0, 200.0).ref.id for _ in range(4)]
    assert names == ["user-requested", "due long ago", "near its end", "far from its end"]
    assert line.pop(200.0, 200.0) is None
    assert line.next_due_at(200.0) == 500.0
    assert line.pop(200.0, 500.0).ref.id == "not due"


def test_with_a_low_rate_every_job_has_its_turn(tmp_path):
    app = ScriptedService(lambda request: running())
    jobs = {"konpro": tuple(f"j{number}" for number in range(60))}
    rate = 20

    async def crowded():
        library = fixtures.make_workspace(tmp_path, "http://sim.test", jobs, accounts=("konpro",), rate=rate)
        wires = {"sim.test": app}
        engine = Engine(
            library,
            RecordingListener().publish,
            EngineContext.create(wall=wall_time, random=Random(1), transport=lambda: VirtualTransport(wires)),
            tick_interval=MINUTE,
        )
        async with fixtures.running_engine(engine):
            await asyncio.sleep(SPAN)
        library.close()

    run_virtual(crowded())
    turn = len(jobs["konpro"]) / rate * MINUTE
    for job in jobs["konpro"]:
        waits = [later - earlier for earlier, later in pairwise([EPOCH, *app.request_times(job), EPOCH + SPAN])]
        assert max(waits) < 1.5 * turn + 2 * MINUTE
    assert len(app.requests) > 0.95 * rate * SPAN / MINUTE
