"""A program forked by the run's server is as one that the interpreter starts."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fork_server import NUMBER, ForkedProgram, receive_number, request, run_program, start_program
from tests.support.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the server runs on Linux")
STATE = """
import gc, json, logging, os, random, signal, sys, threading, time, warnings

mask = os.umask(0)
streams = (sys.stdin, sys.stdout, sys.stderr)
json.dump(
    {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "arguments": sys.argv,
        "path": sys.path,
        "name": __name__,
        "umask": mask,
        "priority": os.nice(0),
        "group": [os.getpgid(0), os.getsid(0)],
        "handlers": [str(signal.getsignal(number)) for number in signal.valid_signals()],
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "streams": [(each.encoding, each.errors, each.line_buffering, each.isatty(), each.name) for each in streams],
        "originals": [sys.__stdin__ is sys.stdin, sys.__stdout__ is sys.stdout, sys.__stderr__ is sys.stderr],
        "descriptors": [number for number in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{number}")],
        "filters": [str(each) for each in warnings.filters],
        "logging": [str(logging.root.handlers), logging.root.level, logging.raiseExceptions],
        "threads": threading.active_count(),
        "zone": time.tzname,
        "garbage": [gc.isenabled(), gc.get_threshold()],
    },
    sys.stdout,
)
"""


def state(start, *options: str, **more):
    """Return what a program finds at its start."""
    command = [sys.executable, *options, "-c", STATE, "an argument"]
    with start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more) as process:
        out, _ = process.communicate("", timeout=DEADLINE)
    return json.loads(out)


@pytest.mark.parametrize("options", [(), ("-W", "error")])
def test_a_fork_finds_what_a_started_program_finds(tmp_path: Path, options: tuple[str, ...]) -> None:
    with (tmp_path / "errors").open("w") as file, (tmp_path / "unrelated").open("w") as unrelated:
        os.set_inheritable(unrelated.fileno(), True)  # closed in both
        more = {"env": {"PATH": "/bin", "TZ": "Asia/Tokyo", "A": "ü"}, "cwd": tmp_path, "stderr": file}
        with start_program("-c", "input()", stdin=subprocess.PIPE) as sibling:
            forked, started = (state(start, *options, **more) for start in (ForkedProgram, subprocess.Popen))
            sibling.communicate(b"\n")
    assert forked == started


def test_output_is_buffered_as_that_of_a_started_program() -> None:
    """A pipe gets a line with the next flush, a terminal at once."""
    code = "import sys; print('line'); sys.stdin.read()"
    control, terminal = os.openpty()
    with start_program("-c", code, stdin=subprocess.PIPE, stdout=terminal) as process:
        assert os.read(control, 100) == b"line\r\n"
        process.communicate()
    os.close(terminal)
    os.close(control)
    code = "import sys; print('line'); print('error', file=sys.stderr); sys.stdin.read()"
    pipe = subprocess.PIPE
    with start_program("-c", code, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr.readline() == "error\n"
        assert not select.select([process.stdout], [], [], 0)[0]
        assert process.communicate() == ("line\n", "")


ENDS = {
    "import sys; sys.exit(3)": 3,
    "pass": 0,
    "import sys; sys.exit('a reason')": 1,
    "raise LookupError": 1,
    "raise KeyboardInterrupt": -signal.SIGINT,
    "import os, signal; os.kill(os.getpid(), signal.SIGTERM)": -signal.SIGTERM,
    "import os; os._exit(9)": 9,
    "import atexit; atexit.register(print, 'at exit'); print('before')": 0,
    "import threading, time; threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()": 0,
    "import warnings; warnings.warn_explicit('a warning', UserWarning, 'a.py', 1)": 0,
    "def": 1,
}


def test_a_fork_ends_as_a_started_program_ends() -> None:
    for code, status in ENDS.items():
        forked = run_program("-c", code, text=True, timeout=DEADLINE)
        started = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        last_lines = [[each.stdout, each.stderr.splitlines()[-1:]] for each in (forked, started)]
        assert (forked.returncode, last_lines[0]) == (started.returncode, last_lines[1]), code
        assert forked.returncode == status, code


def test_the_process_of_a_fork_is_waited_for_as_a_child() -> None:
    process = start_program("-c", "input()", stdin=subprocess.PIPE)
    with process:
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.send_signal(signal.SIGSTOP)
        process.kill()
        assert process.wait(DEADLINE) == -signal.SIGKILL
        process.kill()  # it has been waited for: nothing gets the signal
    assert process.returncode == -signal.SIGKILL


def test_a_fork_is_killed_when_its_request_is_closed() -> None:
    read, write = os.pipe()
    pid, connection = request(["-c", "import time; time.sleep(600)"], os.environ, [0, write, 2])
    os.close(write)
    connection.close()
    assert select.select([read], [], [], DEADLINE)[0], "only the fork has the other end"
    os.close(read)
    wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_the_process_id_is_apart_from_an_exit_code_that_arrives_with_it() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(NUMBER.pack(1234) + NUMBER.pack(-9))
        assert (receive_number(ours), receive_number(ours)) == (1234, -9)


def test_forks_differ_in_their_random_numbers() -> None:
    assert len({run_program("-c", "import random; print(random.random())").stdout for _ in range(3)}) == 3


def test_a_worker_of_the_run_explains_a_failed_assertion() -> None:
    """It finds the tests imported: by pytest, so that an assertion names its values."""
    found = 1
    with pytest.raises(AssertionError, match="assert 1 == 2"):
        assert found == 2
