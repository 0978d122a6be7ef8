"""Keys handled one after the other, however fast they arrive.

Textual runs most key bindings only when a key has bubbled up from the focused widget, message queue by message queue.
The next key of a burst (a slow line, a busy machine, a script) would be taken before the first one's binding has run:
"Tab, text" would fill in the field that Tab leaves, "/text" would run the commands of the letters.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.timer import Timer
from textual.widget import Widget

STUCK_AFTER = 1.0
"""Seconds after which the next key is handled though the end of the last one was not seen: its widget may be gone."""


class OrderedKeys(App[Any]):
    """App that takes a key or a paste only when the one before has been handled, and its screen and focus are set."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting_keys = deque[events.Event]()
        self._current_path: Iterator[MessagePump] | None = None
        """Message queues that the current key has not passed yet; None if no key is being handled."""
        self._stuck_timer: Timer | None = None

    async def on_event(self, event: events.Event) -> None:
        """Handle the event, or keep it until the key before has been handled."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif self._current_path is None:
            await self._handle_key(event)
        else:
            self._waiting_keys.append(event)
            self._watch_current_key()

    async def _handle_key(self, event: events.Event) -> None:
        target, screen = self.focused or self.screen, self.screen
        await super().on_event(event)
        # a key with a priority binding has run it, and bubbles nowhere
        self._current_path = self._path(target if event.is_forwarded else None, screen)
        self._follow(self._current_path)

    def _path(self, target: Widget | None, screen: MessagePump) -> Iterator[MessagePump]:
        """Yield the queues that a key passes before the next: those in which it bubbles up, screen and app.

        What its binding then posts, such as the submission of a field, bubbles up after it. A screen that the key has
        opened chooses its focus when it is shown, and the app sets the focus later.
        """
        if target is not None:
            yield from target.ancestors_with_self
            yield from target.ancestors_with_self
        if target is not None or self.screen is not screen:
            yield self.screen
        yield self

    def _follow(self, path: Iterator[MessagePump]) -> None:
        """Wait for the next queue on the path that is still open; after the last one handle the next key."""
        if path is not self._current_path:  # it came late
            return
        for pump in path:
            if pump.call_later(self._follow, path):
                return
        self.call_next(self._handle_next_key)

    async def _handle_next_key(self) -> None:
        self._current_path = None
        if self._stuck_timer is not None:
            self._stuck_timer.stop()
            self._stuck_timer = None
        if self._waiting_keys:
            event = self._waiting_keys.popleft()
            if self._waiting_keys:
                self._watch_current_key()
            await self._handle_key(event)

    def _watch_current_key(self) -> None:
        if self._stuck_timer is None:
            self._stuck_timer = self.set_timer(STUCK_AFTER, self._handle_next_key)
