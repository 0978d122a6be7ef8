"""Program that starts as a fork of a process with all modules imported, which saves most of a short program's life.

A run of the tests has one such process for programs, and one for its own workers (see conftest.py and worker.py). It
imports the modules at the first request, and ends with its standard input, and its programs with it. What a start
itself does is tested by programs that start as an operator starts them.
"""

import atexit
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

ADDRESS = "FORK_SERVER"
"""Environment variable: path of the socket at which programs are requested."""
LATER_IMPORTS = ("anyio._backends._asyncio", "filelock", "sniffio", "tomli_w", "uvicorn.protocols.http.h11_impl")
"""Modules that most programs import while they run."""
STREAMS = (
    ("stdin", "r", -1, "surrogateescape"),
    ("stdout", "w", -1, "surrogateescape"),
    ("stderr", "w", 1, "backslashreplace"),
)
"""Name, mode, buffering and error handler of each standard stream."""
NUMBER = struct.Struct("!i")
"""Length of a request, process id or exit code: of one size, so that two that arrive at once are two."""


@contextmanager
def fork_server(address: str = ADDRESS, *command: str) -> Iterator[None]:
    """Run the process that is forked, for this process and those that it starts.

    `address`: environment variable for the path of its socket. `command`: arguments of the interpreter, to which the
    socket's descriptor is added; those of this module's `main` by default.
    """
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        os.environ[address] = f"{folder}/socket"
        listener.bind(os.environ[address])
        listener.listen(64)
        command = (sys.executable, *(command or ("-m", "tests.support.fork_server")), str(listener.fileno()))
        root = Path(__file__).parents[2]
        environment = {**os.environ, "TEXTUAL_ANIMATIONS": "none"}  # read when textual is imported
        pipe, own = subprocess.PIPE, [listener.fileno()]
        with subprocess.Popen(command, stdin=pipe, pass_fds=own, cwd=root, env=environment) as process:
            try:
                yield
            finally:
                del os.environ[address]
                process.communicate()


class Request(NamedTuple):
    """Program that is requested."""

    command: list[str]
    """Arguments of the interpreter: `-W ACTION` any number of times, `-m MODULE` or `-c CODE`, the program's own."""
    environment: dict[str, str]
    folder: str
    """Working directory."""
    has_terminal: bool
    """Whether it leads a session on its standard input, a terminal."""


def request(
    command: Sequence[str],
    environment: Mapping[str, str],
    descriptors: Sequence[int],
    *,
    folder: str | None = None,
    has_terminal: bool = False,
    address: str = ADDRESS,
) -> tuple[int, socket.socket]:
    """Start `python COMMAND` with these standard descriptors. It is killed when the socket is closed.

    Returns its process id, and a socket that receives its exit code, negative after a signal.
    """
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ[address])
    message = json.dumps(Request(list(command), dict(environment), folder or str(Path.cwd()), has_terminal)).encode()
    socket.send_fds(connection, [NUMBER.pack(len(message))], list(descriptors))
    connection.sendall(message)
    return receive_number(connection), connection


def receive_number(connection: socket.socket) -> int:
    """Return the next number that the server sends: the process id, then the exit code."""
    return NUMBER.unpack(connection.recv(NUMBER.size))[0]


def receive_exit_code(connection: socket.socket, *, waits: bool) -> int | None:
    """Return the program's exit code and close its socket; None while the program runs, if this does not wait."""
    if not waits and not select.select([connection], [], [], 0)[0]:
        return None
    with connection:
        return receive_number(connection)


class ForkedProgram(subprocess.Popen[Any]):
    """`subprocess.Popen` of a fork, with its options for streams, environment and working directory."""

    _connection: socket.socket

    def _execute_child(self, args: Sequence[str], *options: Any) -> None:
        _, _, _, _, folder, environment, _, _, _, *pipes = options[:15]  # in this order since Python 3.11
        ours, theirs = (pipes[1], pipes[2], pipes[4]), (pipes[0], pipes[3], pipes[5])
        try:
            self.pid, self._connection = request(
                args[1:],
                os.environ if environment is None else environment,
                [number if each == -1 else each for number, each in enumerate(theirs)],
                folder=folder and os.fspath(folder),
            )
            self._child_created = True
        finally:
            pipes = {other for own, other in zip(ours, theirs, strict=True) if own != -1}
            for each in (pipes | {getattr(self, "_devnull", -1)}) - {-1}:
                os.close(each)
            self._closed_child_pipe_fds = True

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        code = receive_exit_code(self._connection, waits=not wait_flags)
        if code is None:
            return 0, 0
        return self.pid, code << 8 if code >= 0 else -code

    def _internal_poll(self, *_: object, **__: object) -> int | None:
        if self.returncode is None and self._waitpid_lock.acquire(blocking=False):
            try:
                pid, status = self._try_wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()
        return self.returncode


def start_program(*command: str, env: Mapping[str, str] | None = None, **options: Any) -> "subprocess.Popen[Any]":
    """Start `python COMMAND` as `subprocess.Popen` does, but as a fork if this run has a server for it."""
    variables = {(name, value) for name, value in (env or {}).items() if name.startswith("PYTHON")}
    can_fork = ADDRESS in os.environ and variables <= os.environ.items()  # a fork does not read them
    return (ForkedProgram if can_fork else subprocess.Popen)([sys.executable, *command], env=env, **options)


def run_program(*command: str, timeout: float | None = None, **options: Any) -> "subprocess.CompletedProcess[Any]":
    """Run `python COMMAND` to its end, and return its output."""
    with start_program(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def serve(listener: socket.socket, import_all: Callable[[], None]) -> tuple[Request, list[int]] | None:
    """Fork for each request until standard input ends. In a fork, returns the request and its descriptors."""
    on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the test run ends this process
    has_imported = False
    running = dict[int, socket.socket]()  # connection of each process, by the descriptor of the process
    programs = dict[socket.socket, int]()  # process id by connection, until that is closed
    while sys.stdin not in (ready := select.select([sys.stdin, listener, *running, *programs], [], [])[0]):
        for each in ready:
            if each is listener:
                connection, _ = listener.accept()
                if not has_imported:
                    import_all()
                    gc.collect()
                    gc.freeze()
                    has_imported = True
                requested, descriptors = _receive(connection)
                pid = os.fork()
                if pid == 0:
                    signal.signal(signal.SIGINT, on_interrupt)
                    return requested, descriptors
                for descriptor in descriptors:
                    os.close(descriptor)
                connection.sendall(NUMBER.pack(pid))
                programs[connection] = pid
                running[os.pidfd_open(pid)] = connection
            elif isinstance(each, int):
                os.close(each)
                _send_exit_code(connection := running.pop(each), programs[connection])
            elif each in running.values():  # nothing waits for it any more
                os.kill(programs[each], signal.SIGKILL)
            else:  # the exit code has been read: the process id can get signals until then
                os.waitpid(programs.pop(each), 0)
                each.close()
    for pid in programs.values():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return None


def import_program() -> None:
    """Import all modules of the program."""
    import tui

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for module in pkgutil.walk_packages(tui.__path__, "tui."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        for name in LATER_IMPORTS:
            importlib.import_module(name)


def _receive(connection: socket.socket) -> tuple[Request, list[int]]:
    length, descriptors, _, _ = socket.recv_fds(connection, NUMBER.size, 3)
    with connection.makefile("rb") as stream:
        return Request(*json.loads(stream.read(*NUMBER.unpack(length)))), descriptors


def _send_exit_code(connection: socket.socket, pid: int) -> None:
    end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert end
    with suppress(BrokenPipeError):
        connection.sendall(NUMBER.pack(end.si_status if end.si_code == os.CLD_EXITED else -end.si_status))


def run(requested: Request, descriptors: Sequence[int]) -> None:
    """Run the program in this process as a new interpreter would."""
    for number, each in enumerate(descriptors):
        os.dup2(each, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if requested.has_terminal:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number, (name, mode, buffering, errors) in enumerate(STREAMS):
        stream = open(number, mode, buffering, "utf-8", errors, closefd=False)  # noqa: SIM115 - until the end
        stream.buffer.raw.name = f"<{name}>"
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.environ.clear()
    os.environ.update(requested.environment)
    if not {"LC_ALL", "LC_CTYPE", "LANG"} & os.environ.keys():
        os.environ["LC_CTYPE"] = "C.UTF-8"  # as the interpreter does
    time.tzset()
    os.chdir(requested.folder)
    command = requested.command
    while command[0] == "-W":
        warnings.simplefilter(command[1])
        del command[:2]
    option, program, *arguments = command
    sys.argv = [option, *arguments]
    sys.path[0] = requested.folder if option == "-m" else ""
    if option == "-m":
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        exec(program, {"__name__": "__main__"})


def leave(code: int) -> None:
    """End as the interpreter does, but do not clear the modules: all memory they share would be copied."""
    threading._shutdown()
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError):  # the interpreter reports it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def main(import_all: Callable[[], None] = import_program) -> None:
    """Serve, and run the program in each fork."""
    if forked := serve(socket.socket(fileno=int(sys.argv[-1])), import_all):
        code: object = None
        try:
            run(*forked)
        except SystemExit as end:
            code = end.code
        if isinstance(code, int | None):
            leave(code or 0)
        sys.exit(code)


if __name__ == "__main__":
    from tests.support import fork_server as module  # what runs as `__main__` are the programs

    module.main()
