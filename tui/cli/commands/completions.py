"""Subcommand completions: shell completion files, generated from the parser by `tests.generate_manpage`."""

from argparse import Namespace
from pathlib import Path

import tui
from tui.cli.output import OK, write_stdout

FILES = {"bash": "babeltop.bash", "zsh": "_babeltop", "fish": "babeltop.fish"}


def completions(args: Namespace) -> int:
    """Run `completions`: print the file of a shell."""
    write_stdout((Path(tui.__file__).parent / "man" / FILES[args.shell]).read_text("utf-8"))
    return OK
