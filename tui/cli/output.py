"""Output of the subcommands: data to stdout, messages to stderr, and exit codes."""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress

from tui.domain.job_state import JobState
from tui.domain.models import PROBLEMS, Fault, FaultKind
from tui.errors import BabeltopError

OK, PROBLEM, USAGE, FAULT, WAIT_TIMED_OUT = 0, 1, 2, 3, 124
"""Exit codes: success; a job failed or has no result; usage or configuration; a request failed; wait timed out."""

_JOB_STATE_FAULTS = frozenset({FaultKind.MISSING, FaultKind.PAYMENT})
"""Faults that are the state of the job, which its phase shows, and no failure of the request."""


class UsageError(BabeltopError):
    """Command that cannot be executed as written. Exit code 2."""


def print_message(message: str) -> None:
    """Print a message to stderr, sanitised. Without a reader it is lost, and the subcommand goes on."""
    from tui.presentation.sanitize import clean

    with suppress(OSError):
        print(f"babeltop: {clean(message, 10_000, keep_lines=True)}", file=sys.stderr, flush=True)


def write_stdout(text: str) -> bool:
    """Write to stdout and flush. Returns False if the reader closed the pipe (`babeltop list | head`): no error.

    What it did not take is discarded at the program's end. Raises UsageError if stdout is not writable.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        return False
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python prints an error at exit
        raise UsageError(f"stdout is not writable: {error.strerror}") from None
    return True


def json_line(value: object) -> str:
    """Return a value as one line of JSON."""
    import msgspec

    return msgspec.json.encode(value).decode()


def json_array(values: Iterable[object]) -> str:
    """Return one JSON array with one element per line, which line-based tools can compare."""
    lines = [json_line(value) for value in values]
    return "[\n" + ",\n".join(lines) + "\n]\n" if lines else "[]\n"


def exit_code(states: Iterable[JobState]) -> int:
    """Return the exit code for polled jobs."""
    states = tuple(states)
    if any(state.fault is not None and state.fault.kind not in _JOB_STATE_FAULTS for state in states):
        return FAULT
    return PROBLEM if any(state.phase in PROBLEMS for state in states) else OK


def fault_exit_code(faults: Iterable[Fault | None]) -> int:
    """Return the exit code for jobs without the requested link or file, by their faults."""
    kinds = {fault.kind for fault in faults if fault is not None}
    if kinds - _JOB_STATE_FAULTS:
        return FAULT
    return PROBLEM if kinds else OK
