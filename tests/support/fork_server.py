"""Program that starts as a fork of a process with all modules imported, which saves two thirds of a dashboard's start.

A run of the tests has one such process (see conftest.py). It imports the modules at the first request, and ends with
its standard input. What a start itself does is tested by programs that start as an operator starts them.
"""

import fcntl
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

ADDRESS = "FORK_SERVER"
"""Environment variable: path of the socket at which programs are requested."""


@contextmanager
def fork_server() -> Iterator[None]:
    """Run the process that is forked, for this process and those that it starts."""
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        os.environ[ADDRESS] = f"{folder}/socket"
        listener.bind(os.environ[ADDRESS])
        listener.listen(64)
        command = [sys.executable, "-m", "tests.support.fork_server", str(listener.fileno())]
        root = Path(__file__).parents[2]
        environment = {**os.environ, "TEXTUAL_ANIMATIONS": "none"}  # read when textual is imported
        pipe, own = subprocess.PIPE, [listener.fileno()]
        with subprocess.Popen(command, stdin=pipe, pass_fds=own, cwd=root, env=environment) as process:
            try:
                yield
            finally:
                del os.environ[ADDRESS]
                process.communicate()


def request(arguments: Sequence[str], environment: Mapping[str, str], terminal: int) -> tuple[int, socket.socket]:
    """Start `babeltop ARGUMENTS` on a terminal. Returns its process id, and a socket that receives its exit code."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ[ADDRESS])
    message = json.dumps([list(arguments), dict(environment), str(Path.cwd())]).encode()
    socket.send_fds(connection, [b"%d\n" % len(message)], [terminal])
    connection.sendall(message)
    return int(connection.recv(16)), connection


def serve(listener: socket.socket) -> None:
    """Fork for each request until standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nothing waits for the processes that wait for programs
    while select.select([sys.stdin, listener], [], [])[0] == [listener]:
        connection, _ = listener.accept()
        _import_all()
        with connection:
            if os.fork() == 0:
                listener.close()
                _start_and_wait(connection)


@cache
def _import_all() -> None:
    """Import all modules of the program, once."""
    import tui

    for module in pkgutil.walk_packages(tui.__path__, "tui."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def _start_and_wait(connection: socket.socket) -> None:
    """Start the program that is requested and send its exit code, negative after a signal."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, (terminal, *_), _, _ = socket.recv_fds(connection, 16, 1)
    with connection.makefile("rb") as stream:
        arguments, environment, folder = json.loads(stream.read(int(length)))
    pid = os.fork()
    if pid == 0:
        connection.close()
        _run(arguments, environment, folder, terminal)
    os.close(terminal)
    connection.sendall(b"%d" % pid)
    end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert end
    connection.sendall(b"%d" % (end.si_status if end.si_code == os.CLD_EXITED else -end.si_status))
    connection.recv(1)  # until the exit code has been read: the process id can get signals until then
    os._exit(0)


def _run(arguments: list[str], environment: dict[str, str], folder: str, terminal: int) -> None:
    """Run the program as the leader of a session on the terminal."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for number in (0, 1, 2):
        os.dup2(terminal, number)
    os.close(terminal)
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115 - until the process ends
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv = ["babeltop", *arguments]
    from tui.cli.main import run

    sys.exit(run(arguments))


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
