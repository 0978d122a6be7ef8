"""Machine of a team's member, with folders of its own."""

import os
import subprocess
from pathlib import Path

from tests.support.command_line import run_in_process
from tests.support.dashboard_terminal import DashboardTerminal
from tests.support.fork_server import start_program

CANARY = "sk-canary-0123456789abcdef"
"""API key of a worker, which neither the database nor another machine may have."""
TIMEOUT = 120
"""Seconds that a process has to end."""


class Machine:
    """Configuration of one account and the team's database; without `key`, it does not poll."""

    def __init__(self, folder: Path, service: str, database: str, key: str = "", more: str = "", **environ: str):
        """`service`: base URL. `more`: lines of config.toml that follow `[team]`. `environ`: further variables."""
        folder.mkdir()
        self.folder, self.database = folder, database
        (folder / "config.toml").write_text(
            f'[accounts.heygen]\nbase_url = "{service}"\ninsecure_http = true\n[polling]\nmax_interval = "2s"\n'
            f'[team]\ndatabase = "{database}"\n{more}'
        )
        self._own = {
            "BABELTOP_CONFIG_DIR": str(folder),
            "BABELTOP_STATE_DIR": str(folder / "state"),
            "HEYGEN_API_KEY": key,
            **environ,
        }
        self.environ = {**os.environ, **self._own}
        self.environ.pop("BABELTOP_TEAM_DATABASE", None)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command line in this process: most of a short process is its start."""
        done = run_in_process(arguments, self.environ)
        return subprocess.CompletedProcess(arguments, done.code, done.out, done.err)

    def run_process(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command line in a process of its own, for a thread beside a running loop. Its stdout has stderr too."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=TIMEOUT)
        return subprocess.CompletedProcess(arguments, process.returncode, output)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a process. Its stdout has stderr too."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return start_program("-m", "tui", *arguments, env=self.environ, text=True, **pipes)

    def dashboard(self) -> DashboardTerminal:
        """Start the dashboard in a terminal."""
        return DashboardTerminal(environment=self._own)
