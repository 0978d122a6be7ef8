"""Exceptions as one line for the operator. The traceback of an unexpected one goes to the log, without locals."""

from typing import cast

from tui.cli.output import USAGE, print_message
from tui.errors import BabeltopError

INTERNAL_ERROR = 70
"""Exit code of an internal error (EX_SOFTWARE in sysexits.h)."""


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
    return f"internal error ({type(error).__name__}), {_log_traceback(error)}", INTERNAL_ERROR


def _unwrap(error: Exception) -> Exception:
    """Return the only error of a group, as tasks raise it."""
    if not isinstance(error, ExceptionGroup):
        return error
    group = cast("ExceptionGroup[Exception]", error)
    return _unwrap(group.exceptions[0]) if len(group.exceptions) == 1 else group


def is_expected(error: Exception) -> bool:
    """Return whether the error was written for an operator to read."""
    return isinstance(error, BabeltopError)


def _log_traceback(error: Exception) -> str:
    """Log the traceback. Returns where it is, or why it is lost."""
    import logging

    from tui.runtime import logfile
    from tui.storage import paths

    try:
        path = logfile.start_logging(paths.state_dir())
    except (OSError, BabeltopError) as why:
        return f"log not writable ({getattr(why, 'strerror', None) or why})"
    logging.getLogger("tui.cli").error("internal error", exc_info=error)
    return f"see {path}"
