"""Exceptions as a line for the operator. What nobody foresaw goes to the log with its traceback, without locals."""

from typing import cast

from tui.cli.output import USAGE, print_message
from tui.errors import BabeltopError

INTERNAL_ERROR = 70
"""Exit code of an error of our own, as sysexits.h has it."""


def report(error: Exception) -> int:
    """Says what went wrong; returns the exit code."""
    error = _unwrap(error)
    if is_expected(error):
        print_message(str(error))
        return USAGE
    if isinstance(error, OSError) and error.filename:
        print_message(f"{error.filename}: {error.strerror}")
        return USAGE
    print_message(f"an error of babeltop's own: {type(error).__name__}; {_log_traceback(error)}")
    return INTERNAL_ERROR


def _unwrap(error: Exception) -> Exception:
    """The error itself, out of the groups that tasks put around it."""
    if not isinstance(error, ExceptionGroup):
        return error
    group = cast("ExceptionGroup[Exception]", error)
    return _unwrap(group.exceptions[0]) if len(group.exceptions) == 1 else group


def is_expected(error: Exception) -> bool:
    """Return whether the error was written for an operator to read."""
    return isinstance(error, BabeltopError)


def _log_traceback(error: Exception) -> str:
    """Where the traceback is, or why it is nowhere."""
    import logging

    from tui.runtime import logfile
    from tui.storage import paths

    try:
        path = logfile.start_logging(paths.state_dir())
    except OSError as why:
        return f"the log cannot be written ({why.strerror})"
    logging.getLogger("tui.cli").error("an error of our own", exc_info=error)
    return f"{path} has more"
