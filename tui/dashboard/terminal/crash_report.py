"""Crash report without locals: the log has the traceback, the terminal one line, the exit code is 70."""

import logging
import sys
from typing import Any

from rich.console import RenderableType
from rich.text import Text
from textual.app import App

from tui.errors import INTERNAL_ERROR
from tui.runtime import logfile

log = logging.getLogger(__name__)


class LoggedCrash(App[Any]):
    """App that logs an internal error and names the log. Textual's own report shows locals, which hold keys."""

    def _handle_exception(self, error: Exception) -> None:
        if self._exit:  # a key came while the screens were closing: the operator has quit
            log.warning("error while the dashboard ended", exc_info=error)
        else:
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        self.panic()

    def panic(self, *_: RenderableType) -> None:
        """Exit after an internal error. Textual calls this while it handles the exception, or with its traceback."""
        self._return_code = INTERNAL_ERROR
        where = logfile.log_traceback("the dashboard crashed", self._exception or sys.exc_info()[1])
        if not self._exit_renderables:  # Textual would count the errors that follow from the first
            message = f"babeltop stopped: internal error. The journal keeps the jobs' state; {where}"
            self._exit_renderables.append(Text(message))
        self._close_messages_no_wait()
