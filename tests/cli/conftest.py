"""Real program over its own folders, as a subprocess if it needs the network, with the simulator over HTTP."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import one_root_pem
from tests.support.command_line import CompletedCommand, run_in_process
from tests.support.fork_server import start_program
from tests.support.servers import serve_app
from tests.support.waiting import DEADLINE
from tui.simulator.app import Simulator
from tui.simulator.rate_limits import LIMITS

KEY = "k-3141592653589793"
"""API key, which no output may contain."""
SPEED = 50_000.0
"""With it, the longest video takes some milliseconds."""
PROCESS_SUBCOMMANDS = frozenset({"watch", "serve", "simulate"})
"""Subcommands that run until a signal: each gets a process of its own."""


class Program:
    """`babeltop` with its own config and state folder."""

    def __init__(self, folder: Path, service: str) -> None:
        self.folder, self.service = folder, service
        self.config, self.state = folder / "config", folder / "state"
        self.config.mkdir(parents=True)
        (self.folder / "root.pem").write_text(one_root_pem())
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "BABELTOP_CONFIG_DIR": str(self.config),
            "BABELTOP_STATE_DIR": str(self.state),
            "SERVICE_KEY": KEY,
            "SSL_CERT_FILE": str(folder / "root.pem"),  # all 140 roots take longer than most of these commands
        }

    @property
    def watchlist(self) -> Path:
        return self.config / "watchlist.toml"

    def with_accounts(self, *accounts: str, polling: str = "2s", **others: str) -> "Program":
        """Configure these accounts on the service, or on another address."""
        urls = dict.fromkeys(accounts, self.service) | others
        tables = "".join(
            f'[accounts.{name}]\nbase_url = "{url}"\napi_key = {{ env = "SERVICE_KEY" }}\nrate_per_minute = 6000\n'
            for name, url in urls.items()
        )
        (self.config / "config.toml").write_text(f'{tables}[polling]\nmax_interval = "{polling}"\n')
        return self

    def with_jobs(self, *refs: str, more: str = "") -> "Program":
        """Write a watchlist of these jobs; `more` is added to each block."""
        pairs = [ref.split(":") for ref in refs]
        blocks = "\n".join(f'[[job]]\naccount = "{account}"\nid = "{job}"\n{more}' for account, job in pairs)
        self.watchlist.write_text(blocks)
        return self

    def start(self, *args: str) -> subprocess.Popen[str]:
        pipe, command = subprocess.PIPE, ("-W", "error", "-m", "tui", *args)
        return start_program(*command, env=self.env, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8")

    def end(self, process: subprocess.Popen[str], stdin: str = "") -> CompletedCommand:
        with process:
            out, err = process.communicate(stdin, timeout=2 * DEADLINE)
        assert KEY not in out + err
        assert "Traceback" not in err
        return CompletedCommand(process.returncode, out, err)

    def run_each(self, *lines: str) -> list[CompletedCommand]:
        """Run several command lines, one after the other."""
        return [self(*line.split()) for line in lines]

    def __call__(self, *args: str, stdin: str = "") -> CompletedCommand:
        """Run a command line, in this process if it ends by itself: most of a short process is its start."""
        if PROCESS_SUBCOMMANDS.isdisjoint(args):
            return self.call(*args, stdin=stdin)
        return self.end(self.start(*args), stdin)

    def call(self, *args: str, stdin: str | bytes = "") -> CompletedCommand:
        """Run a command line in this process."""
        done = run_in_process(args, self.env, stdin)
        assert KEY not in done.out + done.err
        return done


@pytest.fixture(scope="session")
def service() -> Iterator[str]:
    """URL of a fast simulator without limits."""
    with serve_app(Simulator(speed=SPEED, limits=dict.fromkeys(LIMITS, 10**9))) as url:
        yield url


@pytest.fixture
def babeltop(tmp_path: Path, service: str) -> Program:
    """Program without configuration."""
    return Program(tmp_path / "one", service)


@pytest.fixture
def configured(babeltop: Program) -> Program:
    """Program with an account at each of the four services."""
    return babeltop.with_accounts("heygen", "konpro", "camb", "flixu")
