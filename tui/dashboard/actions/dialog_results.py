"""Opening of a dialog by a command handler, which goes on with the dialog's result."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tui.dashboard.dialogs.dialog import Dialog
    from tui.dashboard.screen import Dashboard

T = TypeVar("T")


def open_dialog(dashboard: "Dashboard", dialog: "Dialog[T]", act: Callable[[T], object]) -> None:
    """Open a dialog, and call `act` with its result, unless it was cancelled."""

    def on_close(result: T | None) -> None:
        if result:
            act(result)

    dashboard.typed_app.push_screen(dialog, on_close)
