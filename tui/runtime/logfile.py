"""Log: five files of 1 MiB in the state folder, readable by their owner only. Nothing of it reaches a terminal."""

import errno
import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from tui.errors import BabeltopError
from tui.storage import paths

MAX_BYTES = 1024 * 1024
"""Of one file."""
BACKUP_COUNT = 4
"""Files kept besides the newest."""
FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"


class _PrivateFileHandler(RotatingFileHandler):
    """Rotating file handler with mode 0600, after each rotation too.

    A record goes to the file that has the name at that moment: another process may have rotated the log, and the
    operator or a clean-up may have removed it.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record. A record that cannot be written is lost: no other output is left."""
        if self.stream is not None and not self._is_current_file(self.stream.fileno()):
            self.stream.close()
            self.stream = None  # the base class opens it again
        super().emit(record)

    def _is_current_file(self, descriptor: int) -> bool:
        try:
            there = Path(self.baseFilename).stat()
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == _identity(descriptor)

    def _open(self) -> TextIOWrapper:
        paths.make_private(Path(self.baseFilename).parent)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        try:
            descriptor = os.open(self.baseFilename, flags, 0o600)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise OSError(errno.ELOOP, "is a symbolic link: remove it", self.baseFilename) from None
            raise
        return open(descriptor, "a", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def start_logging(state: Path) -> Path:
    """Send all logging to the log in the state folder, once. Returns its path. Raises OSError."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _PrivateFileHandler):
            return Path(handler.baseFilename)
    path = paths.log_file(paths.make_private(state))
    send_all_to(path, logging.Formatter(FORMAT))
    return path


def send_all_to(path: Path, formatter: logging.Formatter, *filters: logging.Filter) -> None:
    """Send all logging to this log. Raises OSError."""
    logging.raiseExceptions = False  # a full disk must not write over the screen
    handler = _PrivateFileHandler(path, maxBytes=MAX_BYTES, backupCount=BACKUP_COUNT)
    handler.setFormatter(formatter)
    for each in filters:
        handler.addFilter(each)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for chatty in ("httpx", "httpcore"):  # they log every URL
        logging.getLogger(chatty).setLevel(logging.WARNING)


def discard() -> None:
    """Let nothing be logged, on a terminal neither, until `start_logging`: for the demo."""
    logging.raiseExceptions = False
    logging.getLogger().addHandler(logging.NullHandler())


def log_traceback(what: str, error: BaseException | None) -> str:
    """Log the traceback of an internal error. Returns where it is, or why it is lost."""
    try:
        path = start_logging(paths.state_dir())
    except (OSError, BabeltopError) as why:
        return f"log not writable ({getattr(why, 'strerror', None) or why})"
    logging.getLogger("tui").error(what, exc_info=error)
    return f"see {path}"
