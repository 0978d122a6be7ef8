"""The log: five files of a mebibyte in the state folder, for their owner alone. Nothing of it reaches a terminal."""

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from tui.stores import paths

BYTES = 1024 * 1024
"""Of one file."""
OLDER = 4
"""Files kept beside the newest."""


class _Private(RotatingFileHandler):
    """A rotating file that only its owner can read (0600), the new one after each turn too."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return open(descriptor, "a", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123


def start(state: Path) -> Path:
    """Sends all logging to the log in the state folder, once; returns its path. Raises OSError."""
    path = paths.make_private(state) / "babeltop.log"
    root = logging.getLogger()
    if not any(isinstance(handler, _Private) for handler in root.handlers):
        logging.raiseExceptions = False  # a full disk is no reason to write over the screen
        handler = _Private(path, maxBytes=BYTES, backupCount=OLDER)
        handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        for chatty in ("httpx", "httpcore"):  # they log every URL
            logging.getLogger(chatty).setLevel(logging.WARNING)
    return path
