"""The verb completions: what makes a shell complete our verbs. The files are made from the parser by `tests.pages`."""

from pathlib import Path

import tui
from tui.cli.output import OK, data
from tui.cli.parser import Namespace

FILES = {"bash": "babeltop.bash", "zsh": "_babeltop", "fish": "babeltop.fish"}


def completions(args: Namespace) -> int:
    """`completions`: prints the shell's file."""
    data((Path(tui.__file__).parent / "pages" / FILES[args.shell]).read_text("utf-8"))
    return OK
