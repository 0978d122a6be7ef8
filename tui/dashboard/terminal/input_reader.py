"""How keys are read: what is typed wakes the reader, and nothing else does."""

import os
import select
from codecs import getincrementaldecoder
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any

from textual.constants import ESCAPE_DELAY
from textual.driver import Driver
from textual.message import Message

if TYPE_CHECKING:
    from textual.app import App

ESCAPE_POLL_INTERVAL = 0.1
"""Seconds between two looks at whether a sequence goes on, while one may."""
MAX_READ_BYTES = 4096
"""Bytes of one read."""


class SelectableEvent(Event):
    """An event for which `select` can wait: its `fileno` can be read from once it is set, until it is cleared."""

    def __init__(self) -> None:
        super().__init__()
        self._read_end, self._write_end = os.pipe()

    def fileno(self) -> int:
        """What `select` takes."""
        return self._read_end

    def set(self) -> None:
        """Sets it."""
        before = self.is_set()
        super().set()
        if not before:
            os.write(self._write_end, b"!")

    def clear(self) -> None:
        """Unsets it."""
        if self.is_set():
            os.read(self._read_end, 1)
        super().clear()


def event_driven_input(driver: type[Driver]) -> type[Driver]:
    """The driver, with a reader that sleeps while nothing is typed. Any but a terminal's own stays as it is.

    Textual's looks ten times a second whether it is to end and whether a lone Esc was no sequence's beginning; that is
    nearly all that a screen costs on which nothing moves. The first has a bell here; the second can only be so for
    ESCAPE_DELAY after something was typed.
    """
    from textual._xterm_parser import XTermParser
    from textual.drivers.linux_driver import LinuxDriver

    if not issubclass(driver, LinuxDriver):
        return driver

    class EventDrivenInput(driver):
        exit_event: SelectableEvent

        def __init__(self, app: "App[Any]", **options: Any) -> None:
            super().__init__(app, **options)  # pyright: ignore[reportUnknownMemberType]  theirs
            self.exit_event = SelectableEvent()

        def send_message(self, message: Message) -> None:
            self._loop.call_soon_threadsafe(self._app.post_message, message)  # a task and a future less than Textual's

        def run_input_thread(self) -> None:
            parser, decode = XTermParser(self._debug), getincrementaldecoder("utf-8")().decode
            until = 0.0
            while not self.exit_event.is_set():
                patience = ESCAPE_POLL_INTERVAL if monotonic() < until else None
                if self.fileno in select.select([self.fileno, self.exit_event], [], [], patience)[0]:
                    until = monotonic() + ESCAPE_DELAY + ESCAPE_POLL_INTERVAL
                    if typed := decode(os.read(self.fileno, MAX_READ_BYTES)):  # nothing: half a character, or an end
                        for event in parser.feed(typed):
                            self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)

    return EventDrivenInput
