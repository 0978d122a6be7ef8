"""Crash report without locals: the log has the traceback, the terminal one line."""

import logging
from typing import Any

from rich.text import Text
from textual.app import App

from tui.storage import paths

log = logging.getLogger(__name__)


class LoggedCrash(App[Any]):
    """App that logs an internal error and names the log. Textual's own report shows locals, which hold keys."""

    def _fatal_error(self) -> None:
        log.exception("the dashboard crashed")  # noqa: LOG004  Textual calls this while it handles the exception
        log_file = paths.log_file(paths.state_dir())
        message = f"babeltop stopped: internal error. The journal keeps the jobs' state. See {log_file}"
        self._exit_renderables.append(Text(message))
        self._close_messages_no_wait()
