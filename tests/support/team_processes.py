"""Team of real processes on this machine: workers, consoles, a PostgreSQL server, and a service that records requests.

The database audits itself with triggers, which no code of the program knows.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psycopg

from tests.support.postgres_server import PostgresServer, postgres_server
from tests.support.servers import serve_app
from tests.support.team_database import rows
from tui.engine.notifications.delivery import DELIVERY_HEADER
from tui.simulator.app import Message, Receive, Send, Simulator
from tui.simulator.http import Scope
from tui.storage.team.administration import initialize

HOOK_PATH = "/hook"
"""Path of the service that receives the team's hooks."""
CLOCK = """
import os, time

_true_time, _offset = time.time, float(os.environ.get("TEST_CLOCK_OFFSET", "0"))
time.time = lambda: _true_time() + _offset
"""
"""`sitecustomize` of each process: the wall clock, which the program reads by `time.time`, is off by some seconds."""
AUDIT = """
CREATE SCHEMA audit;
CREATE TABLE audit.lease (seq bigint GENERATED ALWAYS AS IDENTITY, at float8, account text, former text,
  former_expires_at float8, holder text, epoch bigint);
CREATE TABLE audit.write (seq bigint GENERATED ALWAYS AS IDENTITY, account text, job_id text, writer text, holder text,
  change_count int, last_update_at float8);
CREATE FUNCTION audit.note_lease() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
  IF (NEW.holder, NEW.epoch) IS DISTINCT FROM (OLD.holder, OLD.epoch) THEN
    INSERT INTO audit.lease (at, account, former, former_expires_at, holder, epoch)
      VALUES (extract(epoch FROM clock_timestamp()), NEW.account, OLD.holder, extract(epoch FROM OLD.expires_at),
        NEW.holder, NEW.epoch);
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION audit.note_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
  IF TG_OP = 'UPDATE' AND NEW.revision = OLD.revision THEN
    RETURN NULL;  -- no batch: the time at which the job was listed
  END IF;
  INSERT INTO audit.write (account, job_id, writer, holder, change_count, last_update_at)
    SELECT NEW.account, NEW.job_id, NEW.writer, holder, NEW.change_count, NEW.last_update_at FROM babeltop.lease
      WHERE account = NEW.account;
  RETURN NULL;
END $$;
CREATE TRIGGER note AFTER UPDATE ON babeltop.lease FOR EACH ROW EXECUTE FUNCTION audit.note_lease();
CREATE TRIGGER note AFTER INSERT OR UPDATE ON babeltop.job FOR EACH ROW EXECUTE FUNCTION audit.note_write();
"""
"""Tables that note each holder of a lease, and each accepted write with the account's holder at that moment."""


class RecordedRequest(NamedTuple):
    """Request as the service received it."""

    at: float
    """Instant, by the true clock."""
    key: str
    """API key; "" for a request without one."""
    status: int
    retry_after: float
    """Seconds that the response demands; 0: none."""
    job_id: str = ""
    """Last part of the path."""


class RecordedDelivery(NamedTuple):
    """Delivery as the receiver of the hooks got it."""

    delivery_id: str
    body: bytes


class RecordingService:
    """ASGI app before the simulator: records requests, and demands to wait. It also receives the team's hooks."""

    def __init__(self, simulator: Simulator, keys: Sequence[str]) -> None:
        self.requests: list[RecordedRequest] = []
        self.deliveries: list[RecordedDelivery] = []
        self.refused_deliveries = 0
        """Deliveries to be refused from now on, each once: after some refusals a delivery is given up."""
        self._refused_ids: set[str] = set()
        self._simulator, self._keys = simulator, keys
        self._demands: dict[str, float] = {}

    def demand_wait(self, key: str, seconds: int) -> None:
        """Answer the next request with this key with 429 and Retry-After."""
        self._demands[key] = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._simulator(scope, receive, send)
            return
        if scope["path"] == HOOK_PATH:
            await self._receive_delivery(scope, receive, send)
            return
        values = b" ".join(value for _, value in scope["headers"])
        key = next((each for each in self._keys if each.encode() in values), "")
        seconds = self._demands.pop(key, 0)
        if seconds:
            self.requests.append(RecordedRequest(time.time(), key, 429, seconds))
            headers = [(b"retry-after", b"%d" % seconds), (b"content-length", b"2")]
            await send({"type": "http.response.start", "status": 429, "headers": headers})
            await send({"type": "http.response.body", "body": b"{}"})
            return
        at = time.time()

        async def record(message: Message) -> None:
            if message["type"] == "http.response.start":
                job_id = scope["path"].rpartition("/")[2]
                self.requests.append(RecordedRequest(at, key, message["status"], 0, job_id))
            await send(message)

        await self._simulator(scope, receive, record)

    async def _receive_delivery(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, message = b"", {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
        delivery_id = dict(scope["headers"])[DELIVERY_HEADER.lower().encode()].decode()
        is_refused = self.refused_deliveries > 0 and delivery_id not in self._refused_ids
        if is_refused:
            self.refused_deliveries -= 1
            self._refused_ids.add(delivery_id)
        else:
            self.deliveries.append(RecordedDelivery(delivery_id, body))
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 503 if is_refused else 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class Member:
    """Process of the team, with folders of its own. It can be started again."""

    def __init__(self, folder: Path, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self.name = folder.name
        self.state_dir = folder / "state"
        self._folder, self._command = folder, command
        self._environ = {
            **os.environ,
            **environ,
            "BABELTOP_CONFIG_DIR": str(folder),
            "BABELTOP_STATE_DIR": str(self.state_dir),
            "PYTHONPATH": f"{folder.parent / 'clock'}:{Path.cwd()}",
        }
        self.is_stopped = False
        """It got SIGSTOP."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "it was started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, clock_offset: float) -> None:
        """Start the process with a wall clock that is off by so many seconds."""
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *self._command],
                env=self._environ | {"TEST_CLOCK_OFFSET": str(clock_offset)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
        self.is_stopped = number == signal.SIGSTOP or (self.is_stopped and number != signal.SIGCONT)

    def end(self, number: signal.Signals) -> None:
        """End the process by a signal, and wait for it."""
        self.send(number)
        if self.is_stopped:
            self.send(signal.SIGCONT)
        if self._process is not None:
            self._process.wait(60)

    @property
    def output(self) -> str:
        """What it printed and logged."""
        files = [self._folder / "output", *self.state_dir.glob("babeltop.log*")]
        return "".join(file.read_text("utf-8", "replace") for file in files if file.exists())


class TeamProcesses:
    """Team in a folder. Nothing runs before the members are started."""

    def __init__(self, folder: Path, server: PostgresServer, conninfo: str, *, is_audited: bool) -> None:
        self.folder, self.server, self.conninfo = folder, server, conninfo
        self.members: list[Member] = []
        (folder / "clock").mkdir()
        (folder / "clock" / "sitecustomize.py").write_text(CLOCK)
        if is_audited:
            with psycopg.connect(conninfo, autocommit=True) as connection:
                connection.execute(AUDIT)

    def add(self, name: str, config: str, command: Sequence[str], environ: Mapping[str, str]) -> Member:
        """Add a process, with `config` as its config.toml."""
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        team = f'[team]\ndatabase = "{self.conninfo}"\nwatchlist = "{name}"\n'
        (folder / "config.toml").write_text(config + team)
        self.members.append(member := Member(folder, command, environ))
        return member

    def rows(self, query: str, *parameters: object) -> list[tuple]:
        """Return the rows of a statement of the owner."""
        return rows(self.conninfo, query, *parameters)

    def holders(self) -> dict[str, int]:
        """Return the process ids of the live leases' holders, by account."""
        query = "SELECT account, pid FROM babeltop.lease JOIN babeltop.worker ON incarnation = holder"
        return dict(self.rows(f"{query} WHERE expires_at > clock_timestamp() ORDER BY account"))

    def revoke_leases(self) -> None:
        """Let the leases expire while their holders rely on them, as a step of the server's clock does."""
        self.rows("UPDATE babeltop.lease SET expires_at = 'epoch'")

    def cut_connections(self, count: int) -> None:
        """Cut some connections of members, as a network does, but announced."""
        self.rows(
            "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity "
            "WHERE application_name = 'babeltop' ORDER BY random() LIMIT %s) AS victims",
            count,
        )


@contextmanager
def team_processes(folder: Path, *, is_audited: bool = True) -> Iterator[TeamProcesses]:
    """Yield a team with a server of its own; at the end all processes are ended."""
    with postgres_server() as server:
        conninfo = server.new_database()
        asyncio.run(initialize(conninfo))
        team = TeamProcesses(folder, server, conninfo, is_audited=is_audited)
        try:
            yield team
        finally:
            for member in team.members:
                if member.is_running:
                    member.end(signal.SIGKILL)


@contextmanager
def recording_service(simulator: Simulator, keys: Sequence[str]) -> Iterator[tuple[RecordingService, str]]:
    """Yield a service that records its requests, and its base URL."""
    service = RecordingService(simulator, keys)
    with serve_app(service) as url:
        yield service, url
