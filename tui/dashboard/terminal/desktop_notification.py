"""Desktop notifications by the terminal's escape sequences OSC 9 and OSC 777."""

import os
from collections.abc import Mapping
from typing import Any

from textual.app import App

from tui.presentation.sanitize import clean

MAX_LENGTH = 200
"""Characters of a notification: terminals drop longer ones, and screen drops more than 768 bytes."""


def send_desktop_notification(app: App[Any], text: str) -> None:
    """Send a notification to the terminal. No terminal confirms that it shows it."""
    driver = app._driver  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if driver is not None and not app.is_headless:
        driver.write(desktop_sequence(text, os.environ))


def desktop_sequence(text: str, environ: Mapping[str, str]) -> str:
    r"""Return the escape sequence of a notification; "" for a terminal that would print it.

    OSC 777 for the terminals that support only that (rxvt, VTE, foot), else OSC 9; never both: some terminals support
    both, and would show the notification twice. Inside tmux and screen it is wrapped in their passthrough sequence;
    tmux drops it unless `allow-passthrough` is on.
    """
    terminal = environ.get("TERM", "")
    if terminal in {"", "dumb", "linux"}:
        return ""
    message = clean(text, MAX_LENGTH)  # a second time: it becomes part of a control sequence
    if terminal.startswith(("rxvt", "foot")) or "VTE_VERSION" in environ:
        sequence = f"\x1b]777;notify;babeltop;{message.replace(';', ',')}\x07"
    else:
        sequence = f"\x1b]9;babeltop: {message}\x07"  # a number after the `9;` would be another command
    if "TMUX" in environ:
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return f"\x1bP{sequence}\x1b\\" if "STY" in environ else sequence
