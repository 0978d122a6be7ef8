"""Command palette: Textual's own, made safe against keys that come at once and against an empty list."""

from contextlib import suppress

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette

from tui.dashboard.widgets.vim_option_list import UNLAID_LIST


class Palette(CommandPalette):
    """Command palette that runs the selected command once."""

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close the palette, if it is open; a second Enter finds no command to run."""
        self.call_next(self._forget_command)
        return super().dismiss(result) if self.is_active else AwaitComplete()

    def _forget_command(self) -> None:
        self._selected_command = None

    def _action_command_list(self, action: str) -> None:
        with suppress(UNLAID_LIST):
            super()._action_command_list(action)
