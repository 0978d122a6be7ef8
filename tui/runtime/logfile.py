"""The log: five files of a mebibyte in the state folder, for their owner alone. Nothing of it reaches a terminal."""

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from tui.storage import paths

MAX_BYTES = 1024 * 1024
"""Of one file."""
BACKUP_COUNT = 4
"""Files kept beside the newest."""


class _PrivateFileHandler(RotatingFileHandler):
    """A rotating file that only its owner can read (0600), the new one after each turn too.

    What is written goes to the file that stands there now: another process may have turned the log over, and a person
    or a clean-up removed it.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Writes it. What cannot be written is lost: there is nobody to tell."""
        if self.stream is not None and not self._is_current_file(self.stream.fileno()):
            self.stream.close()
            self.stream = None  # opened anew by what follows
        super().emit(record)

    def _is_current_file(self, descriptor: int) -> bool:
        try:
            there = Path(self.baseFilename).stat()
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == _identity(descriptor)

    def _open(self) -> TextIOWrapper:
        paths.make_private(Path(self.baseFilename).parent)
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return open(descriptor, "a", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def start_logging(state: Path) -> Path:
    """Sends all logging to the log in the state folder, once; returns its path. Raises OSError."""
    path = paths.make_private(state) / "babeltop.log"
    root = logging.getLogger()
    if not any(isinstance(handler, _PrivateFileHandler) for handler in root.handlers):
        logging.raiseExceptions = False  # a full disk is no reason to write over the screen
        handler = _PrivateFileHandler(path, maxBytes=MAX_BYTES, backupCount=BACKUP_COUNT)
        handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        for chatty in ("httpx", "httpcore"):  # they log every URL
            logging.getLogger(chatty).setLevel(logging.WARNING)
    return path
