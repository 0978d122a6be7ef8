"""What goes out: data to stdout, messages to stderr, and the exit codes of what was seen. It asks nobody."""

import os
import sys
from collections.abc import Iterable

from tui.domain.job_state import JobState
from tui.domain.models import PROBLEMS, Fault, FaultKind
from tui.errors import BabeltopError

OK, PROBLEM, USAGE, FAULT, WAIT_TIMED_OUT = 0, 1, 2, 3, 124
"""Exit codes: all well; a job came to no good end; usage or configuration; a fault; wait timed out."""

_JOB_STATE_FAULTS = frozenset({FaultKind.MISSING, FaultKind.PAYMENT})
"""Faults that are the job's state rather than the ask's failure: its phase says them."""


class UsageError(BabeltopError):
    """What was asked for cannot be done; `str()` is for the operator. Exit code 2."""


def print_message(message: str) -> None:
    """A message to stderr, harmless whatever it quotes."""
    from tui.presentation.sanitize import clean

    print(f"babeltop: {clean(message, 10_000, keep_lines=True)}", file=sys.stderr, flush=True)


def write_stdout(text: str) -> bool:
    """Writes to stdout at once. False: nobody reads it any more (`babeltop list | head`), which is no error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
        return False
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise UsageError(f"stdout cannot be written: {error.strerror}") from None
    return True


def json_line(value: object) -> str:
    """A value in one line of JSON."""
    import msgspec

    return msgspec.json.encode(value).decode()


def json_array(values: Iterable[object]) -> str:
    """One JSON array, an element a line, so that it can be read and compared by lines."""
    lines = [json_line(value) for value in values]
    return "[\n" + ",\n".join(lines) + "\n]\n" if lines else "[]\n"


def exit_code(states: Iterable[JobState]) -> int:
    """The exit code for jobs that were asked."""
    states = tuple(states)
    if any(state.fault is not None and state.fault.kind not in _JOB_STATE_FAULTS for state in states):
        return FAULT
    return PROBLEM if any(state.phase in PROBLEMS for state in states) else OK


def fault_exit_code(faults: Iterable[Fault | None]) -> int:
    """The exit code for jobs that were asked for something, by why they did not bring it."""
    kinds = {fault.kind for fault in faults if fault is not None}
    if kinds - _JOB_STATE_FAULTS:
        return FAULT
    return PROBLEM if kinds else OK
