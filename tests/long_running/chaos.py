"""Team under faults: processes stopped and killed, connections cut, the server crashed, clocks 60 s apart.

Counted afterwards, in the tables and in the service's record of requests: what the team promises whatever happens. The
takeovers are measured in calm, after the faults.
"""

import heapq
import itertools
import json
import random
import re
import signal
import socket
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.support.following_console import WENT_BACK
from tests.support.team_processes import (
    HOOK_PATH,
    Member,
    RecordedDelivery,
    RecordedRequest,
    RecordingService,
    TeamProcesses,
    recording_service,
    team_processes,
)
from tests.support.waiting import wait_until
from tui.domain.models import Job
from tui.domain.team import Worker, leader_of
from tui.simulator.app import Simulator
from tui.simulator.scenario import Scenario
from tui.storage.team.lease import HANDOVER_AGE, TTL

FAULTS, JOBS, TAKEOVERS, SHARE_SECONDS = 500, 600, 5, 90
FAULT_INTERVAL = 1.2
"""Mean seconds between two faults."""
CONSOLES = 2
KEYS = {
    "SHARED": "flx_shared-0123456789abcdef",
    "OWN": "flx_own-fedcba9876543210",
    "SINGLE": "flx_single-02468ace13579bdf",
}
ACCOUNTS = {
    "alpha": ("SHARED", 120),
    "beta": ("SHARED", 240),
    "gamma": ("OWN", 30),
    "delta": ("SINGLE", 24),
    "epsilon": ("SHARED", 240),
}
"""Key and requests per minute of each account."""
SHARED_ACCOUNTS = tuple(account for account, (key, _) in ACCOUNTS.items() if key == "SHARED")
KEYS_OF_WORKERS = (("SHARED", "OWN"), ("SHARED", "OWN"), ("SHARED", "SINGLE"))
"""Keys of each worker: all have one of them, and one is only there once."""
CLOCKS = (-30.0, 0.0, 30.0)
"""Seconds by which a process's wall clock may be off."""
IN_FLIGHT = 1.0
"""Seconds for which a request may arrive after a 429: it left before the 429 was known, with a reserved token."""
MAX_WAITS = 2
"""429s of one run: each lowers the rate by a third for many minutes."""
BAD_LINES = re.compile(r"(Traceback|internal error|Unhandled|never retrieved).*\n(?: .*\n)*.*", re.IGNORECASE)
"""An error that is not meant, with the lines of its traceback."""
DRAIN = 900.0
"""Seconds for the last jobs after the faults."""
KILL_BOUND, STOP_BOUND = TTL + 2, 3.0
"""Seconds of a takeover."""
MAX_RATIO = 1.5
"""Largest share of an account of one key, divided by the smallest one."""


class ChaosProof(NamedTuple):
    """Counts of the proof."""

    faults: Counter[str]
    requests: int
    changes: int
    """Phase changes in the table."""
    errors: dict[str, list[str]]
    """What contradicts a promise, by the promise."""
    deliveries: int
    """Deliveries that the receiver of the hooks got, repeated ones included."""
    refused_writes: int
    """Accounts of batches of former holders that the database refused."""
    holders: int
    """Times that a lease got a holder."""
    worst_minutes: dict[str, int]
    """Most requests in a minute, by key."""
    kills: tuple[float, ...]
    """Seconds from a kill of a leader to its successor."""
    stops: tuple[float, ...]
    shares: dict[str, int]
    """Requests of each account of one key, while each has more jobs than the limit allows; none: not measured."""
    leaders: int
    """Processes that poll these accounts meanwhile."""

    def __str__(self) -> str:
        faults = ", ".join(f"{count} {what}" for what, count in sorted(self.faults.items()))
        errors = "\n".join(f"  {len(found)} {promise} {found[:3] or ''}" for promise, found in self.errors.items())
        minutes = ", ".join(f"{count} of {limit_of(key)} ({key})" for key, count in self.worst_minutes.items())
        return (
            f"chaos: {self.faults.total()} faults: {faults}\n"
            f"{self.requests} requests, {self.changes} phase changes, {self.holders} holders of a lease, "
            f"{self.refused_writes} writes of former holders refused, {self.deliveries} hooks delivered\n{errors}\n"
            f"worst minute: {minutes}\n"
            f"takeover after a kill: {_seconds(self.kills)}; after a clean stop: {_seconds(self.stops)}\n"
            f"shares of one key with {self.leaders} leaders: {self.shares or 'not measured'}"
        )


def _seconds(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f} s" for value in values)


def limit_of(key: str) -> int:
    """Return the requests per minute of a key: the lowest of its accounts."""
    return min(rate for name, rate in ACCOUNTS.values() if name == key)


def _config(url: str, *, is_worker: bool = False) -> str:
    accounts = "".join(
        f'[accounts.{name}]\nprovider = "flixu"\nbase_url = "{url}"\napi_key = {{ env = "KEY_{key}" }}\n'
        f"rate_per_minute = {rate}\n"
        for name, (key, rate) in ACCOUNTS.items()
    )
    hook = f'[[hook]]\nurl = "{url}{HOOK_PATH}"\ntimeout = "3s"\n' if is_worker else ""
    return hook + f'{accounts}[polling]\nmax_interval = "5s"\n'


class Chaos:
    """Faults in a team, one after the other, each with its end."""

    def __init__(
        self, team: TeamProcesses, service: RecordingService, url: str, jobs: Sequence[Scenario], seed: int
    ) -> None:
        self.faults = Counter[str]()
        self._team, self._service, self._jobs = team, service, jobs
        self._random = random.Random(seed)
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._is_server_down = False
        self._workers = [
            team.add(
                name,
                _config(url, is_worker=True),
                ("-m", "tui", "watch"),
                {f"KEY_{key}": KEYS[key] for key in keys},
            )
            for name, keys in zip(_worker_names(team.folder), KEYS_OF_WORKERS, strict=True)
        ]
        self._consoles = [
            team.add(f"console{n}", _config(url), ("-m", "tests.support.following_console"), {})
            for n in range(CONSOLES)
        ]
        for number, console in enumerate(self._consoles):  # each job is on one list or on all
            listed = [job for n, job in enumerate(jobs) if n % (CONSOLES + 1) in (number, CONSOLES)]
            text = "".join(f'[[job]]\naccount = "{_account(job.id)}"\nid = "{job.id}"\n' for job in listed)
            (team.folder / console.name / "watchlist.toml").write_text(text)

    def run(self, count: int) -> None:
        """Start the team, and let `count` faults happen."""
        for member in self._team.members:
            self._start(member)
        wait_until(lambda: len(self._service.requests) > len(ACCOUNTS))
        at = time.monotonic()
        for _ in range(count):
            at += self._random.expovariate(1 / FAULT_INTERVAL)
            heapq.heappush(self._agenda, (at, next(self._numbers), self._fault))
        while self._agenda:
            at, _, action = heapq.heappop(self._agenda)
            while (left := at - time.monotonic()) > 0:
                self._restart_ended()
                time.sleep(min(left, 0.2))
            action()
        for member in self._team.members:
            if member.is_stopped:
                member.send(signal.SIGCONT)
        self._restart_ended()

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        heapq.heappush(self._agenda, (time.monotonic() + seconds, next(self._numbers), action))

    def _start(self, member: Member) -> None:
        member.is_stopped = False
        member.start(self._random.choice(CLOCKS))

    def _restart_ended(self) -> None:
        """Start the processes that ended, as a service manager does."""
        for member in self._team.members:
            if not member.is_running:
                self._start(member)

    def _fault(self) -> None:
        kinds = {
            self._stop: 30,
            self._kill: 15,
            self._terminate: 10,
            self._cut: 25,
            self._revoke: 6,
            self._crash_server: 4,
            self._demand_wait: 4,
            self._refuse_deliveries: 4,
        }
        [kind] = self._random.choices(list(kinds), list(kinds.values()))
        what = kind()
        self.faults[what] += 1

    def _victim(self) -> Member:
        return self._random.choice([*self._workers, *self._workers, *self._consoles])

    def _stop(self) -> str:
        member = self._victim()
        member.send(signal.SIGSTOP)
        self._later(40 * self._random.random() ** 2 + 0.5, lambda: member.send(signal.SIGCONT))
        return "SIGSTOP"

    def _kill(self) -> str:
        self._victim().end(signal.SIGKILL)
        return "SIGKILL"

    def _terminate(self) -> str:
        self._victim().end(signal.SIGTERM)
        return "SIGTERM"

    def _cut(self) -> str:
        if not self._is_server_down:
            self._team.cut_connections(self._random.randint(1, 4))
        return "cut connections"

    def _revoke(self) -> str:
        if not self._is_server_down:
            self._team.revoke_leases()
        return "revoked leases"

    def _crash_server(self) -> str:
        if not self._is_server_down:
            self._is_server_down = True
            self._team.server.stop("immediate")
            self._later(20 * self._random.random() ** 2, self._start_server)
        return "server crashes"

    def _start_server(self) -> None:
        self._team.server.start()
        self._is_server_down = False

    def _demand_wait(self) -> str:
        if self.faults["429s"] >= MAX_WAITS:
            return self._cut()
        self._service.demand_wait(KEYS[self._random.choice(list(KEYS))], self._random.randint(2, 6))
        return "429s"

    def _refuse_deliveries(self) -> str:
        self._service.refused_deliveries += self._random.randint(1, 3)
        return "refusals of hooks"

    def drain(self) -> None:
        """Wait until all jobs have ended, and all deliveries are sent."""
        query = "SELECT count(*) FROM babeltop.hook_delivery WHERE delivered_at IS NULL AND failed_at IS NULL"
        wait_until(lambda: self._restart_ended() or self._count_ended() == len(self._jobs), DRAIN)
        wait_until(lambda: self._team.rows(query) == [(0,)])

    def _count_ended(self) -> int:
        return self._team.rows("SELECT count(*) FROM babeltop.job WHERE phase IN ('done', 'failed')")[0][0]

    def measure_takeover(self, number: signal.Signals) -> float:
        """End a leader by a signal, in calm. Returns the seconds until others have its leases of shared accounts."""
        wait_until(self._is_calm)
        shared = [account for account, (key, _) in ACCOUNTS.items() if sum(key in keys for keys in KEYS_OF_WORKERS) > 1]
        holders = {account: pid for account, pid in self._team.holders().items() if account in shared}
        pid = self._random.choice(list(holders.values()))
        [member] = [worker for worker in self._workers if worker.pid == pid]
        left = [account for account, holder in holders.items() if holder == pid]
        [(last,)] = self._team.rows("SELECT max(seq) FROM audit.lease")
        query = "SELECT incarnation FROM babeltop.worker WHERE pid = %s ORDER BY seen_at DESC LIMIT 1"
        [(own,)] = self._team.rows(query, pid)
        at = time.time()
        member.end(number)

        def taken() -> list[tuple]:
            return self._team.rows(
                "SELECT account, min(at) FROM audit.lease WHERE seq > %s AND account = ANY(%s) AND holder <> %s "
                "GROUP BY account",
                last,
                left,
                own,
            )

        wait_until(lambda: len(taken()) == len(left))
        self._start(member)
        return max(taken_at for _, taken_at in taken()) - at

    def _is_calm(self) -> bool:
        """Return whether all processes run, and all accounts are polled."""
        has_all = self._count_connections() >= 3 * len(self._workers) + CONSOLES
        return has_all and len(self._team.holders()) == len(ACCOUNTS)

    def measure_shares(self, seconds: float) -> tuple[dict[str, int], int]:
        """Return the requests of each account of the first key in so many seconds, and the number of their leaders."""
        wait_until(self._is_calm)
        wait_until(lambda: self._team.holders() == self._picks(), HANDOVER_AGE + 60)
        jobs = [Job(account=each, id=f"doc_{number}{each}-stuck") for each in SHARED_ACCOUNTS for number in range(40)]
        statement = "INSERT INTO babeltop.watchlist (name, jobs) VALUES ('shares', %s)"
        self._team.rows(statement, msgspec.json.encode(jobs))
        wait_until(lambda: {request.job_id for request in self._service.requests} >= {job.id for job in jobs}, DRAIN)
        began = time.time()
        time.sleep(seconds)
        sent = Counter(request.job_id for request in self._service.requests if request.at > began)
        leaders = {pid for account, pid in self._team.holders().items() if account in SHARED_ACCOUNTS}
        shares = {each: sum(sent[job.id] for job in jobs if job.account == each) for each in SHARED_ACCOUNTS}
        return shares, len(leaders)

    def _picks(self) -> dict[str, int]:
        """Return the process ids of the workers that are picked, by account."""
        found = self._team.rows("SELECT name, accounts, pid FROM babeltop.worker WHERE seen_at > %s", time.time() - TTL)
        pids = {name: pid for name, _, pid in found}
        workers = [Worker(name, accounts) for name, accounts, _ in found]
        picks = {account: leader_of(account, workers) for account in ACCOUNTS}
        return {account: pids[worker.name] for account, worker in picks.items() if worker is not None}

    def _count_connections(self) -> int:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'babeltop'"
        return self._team.rows(query)[0][0]


def _worker_names(folder: Path) -> tuple[str, ...]:
    """Return folder names of the workers, each of which is then picked for one account of the shared key."""
    for first in itertools.count(step=len(KEYS_OF_WORKERS)):
        names = tuple(f"worker{first + number}" for number in range(len(KEYS_OF_WORKERS)))
        workers = [Worker(f"{socket.gethostname()}:{folder / name / 'state'}", SHARED_ACCOUNTS) for name in names]
        if len({leader_of(account, workers) for account in SHARED_ACCOUNTS}) == len(names):
            return names
    raise AssertionError("the count has no end")


def _account(job_id: str) -> str:
    names = list(ACCOUNTS)
    return names[int(re.sub(r"\D", "", job_id)) % len(names)]


def audit(
    team: TeamProcesses,
    jobs: Sequence[Scenario],
    requests: Sequence[RecordedRequest],
    deliveries: Sequence[RecordedDelivery],
) -> dict[str, list[str]]:
    """Return what contradicts each promise."""
    output = {member.name: member.output for member in team.members}
    return {
        "lost or doubled phase changes": [*_wrong_changes(team), *_wrong_ends(team, jobs)],
        "accepted writes of a former holder": [
            f"{account}:{job} by {writer}, not {holder}"
            for account, job, writer, holder in team.rows(
                "SELECT account, job_id, writer, holder FROM audit.write WHERE writer IS DISTINCT FROM holder"
            )
        ],
        "leases taken from a live holder": [
            f"{account}: {former} until {until}, {holder} at {at}"
            for account, former, until, holder, at in team.rows(
                "SELECT account, former, former_expires_at, holder, at FROM audit.lease "
                "WHERE holder <> former AND former_expires_at > at"
            )
        ],
        "states that went back": [*_older_writes(team), *(line for text in output.values() for line in _back(text))],
        "minutes above the limit": [
            f"{key}: {count} requests" for key, count in worst_minutes(requests).items() if count > limit_of(key)
        ],
        "requests inside a Retry-After": list(_impatient(requests)),
        "hooks lost, or sent under two ids": list(_wrong_deliveries(team, deliveries)),
        "errors in logs": [
            f"{name}: {found[0]}" for name, text in output.items() for found in BAD_LINES.finditer(text)
        ],
    }


def _wrong_changes(team: TeamProcesses) -> Iterator[str]:
    """Yield the jobs whose phase changes are no gapless chain that ends in the job's state."""
    chains = defaultdict[tuple[str, str], list[tuple]](list)
    for account, job, *change in team.rows(
        "SELECT account, job_id, number, before, after FROM babeltop.phase_change ORDER BY account, job_id, number"
    ):
        chains[account, job].append(change)
    for account, job, phase, count, state in team.rows(
        "SELECT account, job_id, phase, change_count, convert_from(state, 'UTF8') FROM babeltop.job"
    ):
        chain = chains.pop((account, job), [])
        expected = "new"
        for number, (found, before, after) in enumerate(chain, 1):
            if (found, before) != (number, expected) or before == after:
                yield f"{account}:{job}: {chain}"
            expected = after
        if (phase, count, json.loads(state).get("phase", "new")) != (expected, len(chain), phase):
            yield f"{account}:{job} is {phase} after {count} changes: {chain}"
    yield from (f"{ref} has no state" for ref in chains)


def _wrong_ends(team: TeamProcesses, jobs: Sequence[Scenario]) -> Iterator[str]:
    ends = dict(team.rows("SELECT job_id, phase FROM babeltop.job"))
    for job in jobs:
        if ends.get(job.id) != ("failed" if job.behaviour == "fail" else "done"):
            yield f"{job.id} is {ends.get(job.id)}"


def _older_writes(team: TeamProcesses) -> Iterator[str]:
    query = (
        "SELECT account, job_id, before, last_update_at FROM (SELECT *, lag(last_update_at) OVER "
        "(PARTITION BY account, job_id ORDER BY seq) AS before FROM audit.write) AS write WHERE last_update_at < before"
    )
    return (f"{account}:{job} from {before} to {after}" for account, job, before, after in team.rows(query))


def _back(text: str) -> list[str]:
    return [line for line in text.splitlines() if WENT_BACK in line]


def _wrong_deliveries(team: TeamProcesses, deliveries: Sequence[RecordedDelivery]) -> Iterator[str]:
    """Yield the ends without a delivery or with several ids, and the ids with several bodies."""
    bodies = defaultdict[str, set[bytes]](set)
    for delivery in deliveries:
        bodies[delivery.delivery_id].add(delivery.body)
    yield from (f"{each} has {len(found)} bodies" for each, found in bodies.items() if len(found) > 1)
    events = [json.loads(body) for found in bodies.values() for body in found]
    sent = Counter((event["job"]["account"], event["job"]["id"], event["event"]) for event in events)
    for end in team.rows("SELECT account, job_id, after FROM babeltop.phase_change WHERE after IN ('done', 'failed')"):
        if (count := sent.pop(end, 0)) != 1:
            yield f"{end} has {count} delivery ids"
    yield from (
        f"{each} was given up" for each in team.rows("SELECT * FROM babeltop.hook_delivery WHERE failed_at > 0")
    )
    yield from (f"{end} was sent, and is no phase change" for end in sent)


def worst_minutes(requests: Sequence[RecordedRequest]) -> dict[str, int]:
    """Return the most requests of each key in any minute."""
    worst = dict.fromkeys(KEYS, 0)
    for name, key in KEYS.items():
        sent = sorted(request.at for request in requests if request.key == key)
        first = 0
        for last, at in enumerate(sent):
            while sent[first] <= at - 60:
                first += 1
            worst[name] = max(worst[name], last - first + 1)
    return worst


def _impatient(requests: Sequence[RecordedRequest]) -> Iterator[str]:
    """Yield the requests that came although a 429 had demanded to wait longer."""
    for demand in [request for request in requests if request.retry_after]:
        begins, ends = demand.at + IN_FLIGHT, demand.at + demand.retry_after
        for request in requests:
            if request.key == demand.key and begins < request.at < ends:
                yield f"{request.at - demand.at:.1f} s after a 429 that demanded {demand.retry_after:g} s"


def run_proof(faults: int, job_count: int, takeovers: int, share_seconds: float = 0, seed: int = 0) -> ChaosProof:
    """Run the proof. `takeovers`: number of measured ones after a kill, and after a clean stop.

    `share_seconds`: seconds in which the shares of one key are measured; 0: they are not.
    """
    source, now = random.Random(seed), time.time()
    span = faults * FAULT_INTERVAL
    longest = max(8.0, 0.15 * span)
    jobs = [
        Scenario(
            f"doc_{number}",
            service="flixu",
            queued=source.uniform(1, longest / 8),
            running=source.uniform(1, longest),
            behaviour=source.choice(("fine", "fine", "fail")),
            started_at=now + source.uniform(0, span),
        )
        for number in range(job_count)
    ]
    simulator = Simulator(scenarios=jobs, limits={"flixu": sys.maxsize}, seed=seed)
    with (
        tempfile.TemporaryDirectory(prefix="babeltop-chaos-") as folder,
        recording_service(simulator, list(KEYS.values())) as (service, url),
        team_processes(Path(folder)) as team,
    ):
        chaos = Chaos(team, service, url, jobs, seed)
        chaos.run(faults)
        chaos.drain()
        kills = tuple(chaos.measure_takeover(signal.SIGKILL) for _ in range(takeovers))
        stops = tuple(chaos.measure_takeover(signal.SIGTERM) for _ in range(takeovers))
        shares, leaders = chaos.measure_shares(share_seconds) if share_seconds else ({}, 0)
        for member in team.members:
            member.end(signal.SIGTERM)
        requests = sorted(service.requests)
        return ChaosProof(
            chaos.faults,
            len(requests),
            team.rows("SELECT count(*) FROM babeltop.phase_change")[0][0],
            audit(team, jobs, requests, service.deliveries),
            len(service.deliveries),
            (team.server.folder / "server.log").read_text().count("does not hold its lease"),
            team.rows("SELECT count(*) FROM audit.lease WHERE holder IS NOT NULL")[0][0],
            worst_minutes(requests),
            kills,
            stops,
            shares,
            leaders,
        )


def main(
    faults: int = FAULTS, job_count: int = JOBS, takeovers: int = TAKEOVERS, share_seconds: int = SHARE_SECONDS
) -> None:
    found = run_proof(faults, job_count, takeovers, share_seconds)
    print(found, flush=True)
    assert not any(found.errors.values()), "a promise was broken"
    assert max(found.kills) < KILL_BOUND
    assert max(found.stops) < STOP_BOUND
    assert found.leaders == len(SHARED_ACCOUNTS), "each account of the shared key has a leader of its own"
    assert max(found.shares.values()) <= MAX_RATIO * min(found.shares.values())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
