"""Event-driven input: the reader sleeps until a key is pressed. What a terminal sends is not trusted."""

import logging
import os
import select
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable
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
MAX_LOGGED_ERRORS = 5
"""Events that cannot be read, of which the log has the tracebacks."""

log = logging.getLogger(__name__)


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

        dropped_events = 0
        """Events that could not be read."""

        def run_input_thread(self) -> None:
            decode = getincrementaldecoder("utf-8")("ignore").decode
            self._parser = XTermParser(self._debug)
            sequence_deadline = 0.0
            while not self.exit_event.is_set():
                timeout = ESCAPE_POLL_INTERVAL if monotonic() < sequence_deadline else None
                if self.fileno in select.select([self.fileno, self.exit_event], [], [], timeout)[0]:
                    sequence_deadline = monotonic() + ESCAPE_DELAY + ESCAPE_POLL_INTERVAL
                    if text := decode(os.read(self.fileno, MAX_READ_BYTES)):  # empty: half a character, or the end
                        self._process(lambda text=text: self._parser.feed(text))
                self._process(lambda: self._parser.tick())

        def _process(self, read_events: Callable[[], Iterable[Message]]) -> None:
            """Process events. One that the parser or the app cannot read is dropped, with the rest of its input."""
            try:
                for event in read_events():
                    self.process_message(event)
            except Exception:
                self.dropped_events += 1
                if self.dropped_events <= MAX_LOGGED_ERRORS:
                    log.exception("terminal input that cannot be read, dropped: %d so far", self.dropped_events)
                self._parser = XTermParser(self._debug)

        def close(self) -> None:
            super().close()
            if self.dropped_events > MAX_LOGGED_ERRORS:
                log.warning("terminal input that cannot be read, dropped: %d in all", self.dropped_events)

    return EventDrivenInput
