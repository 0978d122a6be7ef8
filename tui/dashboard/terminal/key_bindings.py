"""Key bindings set directly on the screen: Textual's keymap takes 8 ms a key, ignores unknown ids and clashes."""

from collections.abc import Iterable
from typing import Any

from textual.binding import Binding
from textual.screen import Screen

from tui.commands import Command


def bind_commands(screen: Screen[Any], commands: Iterable[Command]) -> None:
    """Bind each command's keys to the screen's action `run_command`, first at once and with priority, then as usual."""
    bindings = screen._bindings.key_to_bindings  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    for command in commands:
        for key in command.keys:
            bindings[key] = [
                Binding(key, f"run_command('{command.id}', True)", show=False, priority=True),
                Binding(key, f"run_command('{command.id}')", command.title, show=False, id=command.id),
            ]
