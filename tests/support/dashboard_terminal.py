"""Dashboard in a real pseudo-terminal, started by a fork where the run has a server for it."""

import os
import socket
import sys
from collections.abc import Mapping, Sequence

from tests.support import fork_server
from tests.support.terminal import Terminal


class DashboardTerminal(Terminal):
    """Babeltop with these arguments, as a child of a fork server if this run has one."""

    def __init__(
        self,
        *arguments: str,
        columns: int = 120,
        lines: int = 40,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "tui"),
    ):
        """`program`: the interpreter's arguments before those of babeltop."""
        self._program = program
        self._environment = environment or {}
        self._connection: socket.socket | None = None
        super().__init__(arguments, columns=columns, lines=lines)

    def _start(self, command: Sequence[str], term: str) -> tuple[int, int]:
        if fork_server.ADDRESS not in os.environ:
            variables = (f"{name}={value}" for name, value in self._environment.items())
            return super()._start(["env", *variables, sys.executable, *self._program, *command], term)
        environment = {**os.environ, "TERM": term, "COLORTERM": "truecolor", **self._environment}
        for name in ("COLUMNS", "LINES"):
            environment.pop(name, None)
        fd, other = os.openpty()
        pid, self._connection = fork_server.request(
            [*self._program, *command], environment, [other] * 3, has_terminal=True
        )
        os.close(other)
        return pid, fd

    def _wait(self, options: int) -> int | None:
        if self._connection is None:
            return super()._wait(options)
        return fork_server.receive_exit_code(self._connection, waits=not options)
