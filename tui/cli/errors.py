"""Exceptions as one line for the operator. The traceback of an unexpected one goes to the log, without locals."""

from typing import cast

from tui.cli.output import USAGE, print_message
from tui.errors import INTERNAL_ERROR, BabeltopError


def report(error: Exception) -> int:
    """Print the error and return the exit code."""
    text, code = describe(error)
    print_message(text)
    return code


def describe(error: Exception) -> tuple[str, int]:
    """Return the error as text, and the exit code. The traceback of an internal error is logged."""
    error = _unwrap(error)
    if is_expected(error):
        return str(error), USAGE
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}", USAGE
    from tui.runtime.logfile import log_traceback

    return f"internal error ({type(error).__name__}), {log_traceback('internal error', error)}", INTERNAL_ERROR


def _unwrap(error: Exception) -> Exception:
    """Return the only error of a group, as tasks raise it."""
    if not isinstance(error, ExceptionGroup):
        return error
    group = cast("ExceptionGroup[Exception]", error)
    return _unwrap(group.exceptions[0]) if len(group.exceptions) == 1 else group


def is_expected(error: Exception) -> bool:
    """Return whether the error was written for an operator to read."""
    return isinstance(error, BabeltopError)
