"""Command `babeltop` for shells: a fork where the run has a server for it, and does not need a terminal.

python -m tests.support.forked_command ARG …      (started by the command)
"""

import os
import signal
import sys
from pathlib import Path

from tests.support import fork_server

SCRIPT = """#!/bin/sh
if test -t 0 -o -z "${{{address}-}}"; then exec "{python}" -W error -m tui "$@"; fi
PYTHONPATH="{root}" exec "{python}" -S -m tests.support.forked_command "$@"
"""


def write_command(path: Path) -> dict[str, str]:
    """Write the command, and return the variables that it needs."""
    root = Path(__file__).parents[2]
    path.write_text(SCRIPT.format(address=fork_server.ADDRESS, python=sys.executable, root=root))
    path.chmod(0o755)
    address = fork_server.ADDRESS
    return {address: os.environ[address]} if address in os.environ else {}


def main() -> None:
    """Run the program, pass signals on, and exit as it does."""
    command = ["-W", "error", "-m", "tui", *sys.argv[1:]]
    pid, connection = fork_server.request(command, os.environ, [0, 1, 2])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    code = fork_server.receive_exit_code(connection, waits=True)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
