"""Log of `serve`: serve.log in the state folder, in which requests cannot displace what matters.

Of records of one kind, a few are written in each interval, and the number of the others. Malformed requests are
recorded without their content, which may have the token.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from aiohttp.http_exceptions import HttpProcessingError

from tui.presentation.sanitize import clean
from tui.runtime import logfile
from tui.storage import paths
from tui.storage.config.secrets import Secret

MAX_RECORDS = 5
"""Records of one kind in an interval: in a month of malformed requests, the five files are not full."""
INTERVAL = 600.0
"""Seconds."""
MAX_KINDS = 100
"""Kinds that are counted at once. The oldest is forgotten."""
MAX_LENGTH = 4000
"""Characters of a message or a traceback."""
_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


@dataclass
class _Count:
    began_at: float
    written: int = 0
    omitted: int = 0


class RecordLimit(logging.Filter):
    """Filter that limits the records of each kind: logger, text without its values, and class of the error."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds, monotonic."""
        super().__init__()
        self._clock = clock
        self._counts: dict[tuple[str, str, str], _Count] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is written; its text then has the number of those that were not."""
        error = record.exc_info[0] if record.exc_info else None
        if error is not None and issubclass(error, HttpProcessingError):
            record.msg, record.levelno, record.levelname = "malformed request from %s", logging.WARNING, "WARNING"
            record.exc_info = record.exc_text = None
            error = None
        kind = (record.name, str(record.msg)[:200], error.__name__ if error else "")
        now = self._clock()
        count = self._counts.get(kind)
        if count is None or now - count.began_at >= INTERVAL:
            omitted = count.omitted if count else 0
            self._counts.pop(kind, None)
            count = self._counts[kind] = _Count(now)
            if omitted:
                record.msg = f"{record.msg} ({omitted} more since then were not logged)"
            if len(self._counts) > MAX_KINDS:
                del self._counts[next(iter(self._counts))]
        if count.written >= MAX_RECORDS:
            count.omitted += 1
            return False
        count.written += 1
        return True


class _SafeFormatter(logging.Formatter):
    """Formatter whose records are one line each, but for tracebacks, and have neither token nor control sequences."""

    def __init__(self, token: Secret) -> None:
        super().__init__(logfile.FORMAT)
        self._token = token

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        record.exc_text = None  # another formatter's
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        """Return the line of the record."""
        record.message = clean(self._token.mask_text(record.message[:MAX_LENGTH]), MAX_LENGTH)
        return super().formatMessage(record)

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802  logging's name
        """Return the end of the traceback."""
        return clean(self._token.mask_text(super().formatException(ei)[-MAX_LENGTH:]), MAX_LENGTH, keep_lines=True)


def start_logging(state_dir: Path, token: Secret) -> None:
    """Send all logging to serve.log. Raises OSError."""
    path = paths.serve_log_file(paths.make_private(state_dir))
    logfile.send_all_to(path, _SafeFormatter(token), RecordLimit())
