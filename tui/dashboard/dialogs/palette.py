"""Command palette: Textual's own with our commands and their keys, made safe against keys that come at once."""

from contextlib import suppress
from functools import partial

from textual.await_complete import AwaitComplete
from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.css.query import NoMatches
from textual.worker import Worker

from tui.commands import Command, key_label
from tui.dashboard.screen import Dashboard
from tui.dashboard.widgets.vim_option_list import UNLAID_LIST

NAME_WIDTH = 18
"""Cells of a command's name, before its keys."""
HELP_WEIGHT = 0.5
"""Score of a match in the help, as a share of one in the name."""


class CommandProvider(Provider):
    """Commands of the table by name, with their keys. The search covers the help, too."""

    async def discover(self) -> Hits:
        """Yield the commands that the operator may run, by name."""
        for dashboard, command in self._commands():
            run = partial(dashboard.action_run_command, command.id)
            yield DiscoveryHit(_line(Content(command.title), command), run, text=command.title, help=command.help)

    async def search(self, query: str) -> Hits:
        """Yield the commands whose name or help match."""
        matcher = self.matcher(query)
        for dashboard, command in self._commands():
            score = max(matcher.match(command.title), HELP_WEIGHT * matcher.match(command.help))
            if score > 0:
                name = matcher.highlight(command.title)
                run = partial(dashboard.action_run_command, command.id)
                yield Hit(score, _line(name, command), run, text=command.title, help=command.help)

    def _commands(self) -> list[tuple[Dashboard, Command]]:
        dashboard = self.screen
        if not isinstance(dashboard, Dashboard):
            return []
        return [(dashboard, command) for command in sorted(dashboard.possible_commands(), key=lambda each: each.title)]


def _line(name: Content, command: Command) -> Content:
    """Return the name and the keys."""
    gap = " " * max(1, NAME_WIDTH - name.cell_length)
    return Content.assemble(name, gap, (" ".join(map(key_label, command.keys)), "$accent"))


class Palette(CommandPalette):
    """Command palette that runs the selected command once."""

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close the palette, if it is open; a second Enter finds no command to run."""
        self.call_next(self._forget_command)
        return super().dismiss(result) if self.is_active else AwaitComplete()

    def _gather_commands(self, search_value: str) -> Worker[None]:
        """Search in a worker, as Textual does; its end is quiet if the palette closes meanwhile."""
        search = self._gather_until_closed(search_value)
        return self.run_worker(search, group=self._GATHER_COMMANDS_GROUP, exclusive=True)

    async def _gather_until_closed(self, search_value: str) -> None:
        gather = CommandPalette._gather_commands.__wrapped__  # noqa: SLF001  # pyright: ignore
        try:
            await gather(self, search_value)
        except NoMatches:
            if self.query(CommandList):
                raise

    def _forget_command(self) -> None:
        self._selected_command = None

    def _action_command_list(self, action: str) -> None:
        with suppress(UNLAID_LIST):
            super()._action_command_list(action)
