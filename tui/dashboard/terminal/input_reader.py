"""Event-driven input: the reader sleeps until a key is pressed."""

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
"""Seconds between two checks whether an escape sequence continues, while one may."""
MAX_READ_BYTES = 4096
"""Bytes of one read."""


class SelectableEvent(Event):
    """Event for `select`: its file descriptor is readable while the event is set."""

    def __init__(self) -> None:
        super().__init__()
        self._read_end, self._write_end = os.pipe()

    def fileno(self) -> int:
        """Return the file descriptor for `select`."""
        return self._read_end

    def set(self) -> None:
        """Set the event."""
        before = self.is_set()
        super().set()
        if not before:
            os.write(self._write_end, b"!")

    def clear(self) -> None:
        """Clear the event."""
        if self.is_set():
            os.read(self._read_end, 1)
        super().clear()


def event_driven_input(driver: type[Driver]) -> type[Driver]:
    """Return a subclass of a terminal driver whose reader sleeps until there is input; other drivers as they are.

    Textual's reader wakes ten times a second to check whether it should exit, and whether a lone Esc was the start of a
    sequence; that is nearly the whole cost of an idle screen. Here a selectable event reports the first, and the second
    is possible only for ESCAPE_DELAY after input.
    """
    from textual._xterm_parser import XTermParser
    from textual.drivers.linux_driver import LinuxDriver

    if not issubclass(driver, LinuxDriver):
        return driver

    class EventDrivenInput(driver):
        exit_event: SelectableEvent

        def __init__(self, app: "App[Any]", **options: Any) -> None:
            super().__init__(app, **options)  # pyright: ignore[reportUnknownMemberType]
            self.exit_event = SelectableEvent()

        def send_message(self, message: Message) -> None:
            self._loop.call_soon_threadsafe(self._app.post_message, message)  # without Textual's task and future

        def run_input_thread(self) -> None:
            parser, decode = XTermParser(self._debug), getincrementaldecoder("utf-8")().decode
            sequence_deadline = 0.0
            while not self.exit_event.is_set():
                timeout = ESCAPE_POLL_INTERVAL if monotonic() < sequence_deadline else None
                if self.fileno in select.select([self.fileno, self.exit_event], [], [], timeout)[0]:
                    sequence_deadline = monotonic() + ESCAPE_DELAY + ESCAPE_POLL_INTERVAL
                    if text := decode(os.read(self.fileno, MAX_READ_BYTES)):  # empty: half a character, or the end
                        for event in parser.feed(text):
                            self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)

    return EventDrivenInput
