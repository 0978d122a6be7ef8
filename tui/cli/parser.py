"""Argument parser and its help. Imports nothing that `--help` can do without; the subcommands are in `arguments`."""

import os
import sys
from argparse import SUPPRESS, Action, ArgumentError, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator, Sequence

import tui
from tui.cli.arguments import SUBCOMMANDS, add_workspace_options
from tui.domain.operator_input import nearest

TYPE_CHECKING = False  # as in `main`
if TYPE_CHECKING:
    from typing import Any, NoReturn

MAX_WIDTH = 100
"""Columns of help text at most: longer lines are hard to read."""

_DESCRIPTION = """\
top for translation jobs: status, progress and link expiry of every service
in one live table. Without a subcommand: the dashboard.
`babeltop SUBCOMMAND --help` shows its options and an example."""

_EXAMPLES = """\
examples:
  babeltop --demo
      dashboard over simulated services: no keys, no network
  babeltop add 7544c0b52ada44fda693a15b1181b5b4-fr doc_abc123
      two jobs; their accounts are guessed from the ids
  babeltop wait --timeout 1h && babeltop export > done.csv
      pipeline step that continues only if every job succeeded"""

_FILES = """\
files:
  config folder    BABELTOP_CONFIG_DIR, or the system's; on Linux
                   ~/.config/babeltop: config.toml (never written),
                   providers/*.toml (your own services), watchlist.toml
  state folder     BABELTOP_STATE_DIR, or the system's; on Linux
                   ~/.local/state/babeltop: journal.db, babeltop.log"""

_ENVIRONMENT = """\
environment:
  the API key of a service defines an account, if config.toml has none;
  `babeltop providers` names the variable of each"""

_EXIT_CODES = """\
exit codes, the first that applies:
  130  interrupted
    2  usage, configuration or an unknown ref; doctor: a local error
  124  wait timed out
    3  a request failed, except for a missing job or a payment
    1  check, wait: a job failed, timed out, is blocked or missing;
       renew, download: a job has no link or no file
    0  success
   70  internal error, see babeltop.log"""


class _Formatter(RawDescriptionHelpFormatter):
    """Help formatter that keeps line breaks, and finds the terminal's width without argparse's five archive modules."""

    def __init__(self, prog: str, *_: object) -> None:
        super().__init__(prog, max_help_position=24, width=min(MAX_WIDTH, _terminal_width()))


class _Parser(ArgumentParser):
    """Argparse parser with short errors that name the closest valid choice."""

    def __init__(self, **settings: "Any") -> None:
        super().__init__(formatter_class=_Formatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> "NoReturn":
        """Print the error and where help is, and exit with 2."""
        from tui.presentation.sanitize import clean  # only for an error: an argument may have control characters

        self.exit(2, f"{self.prog}: {clean(message, 10_000, keep_lines=True)}\nTry `{self.prog} --help`.\n")

    def _print_message(self, message: str, file: "Any" = None) -> None:
        from contextlib import suppress

        with suppress(OSError):  # later releases of Python 3.11 do so too: without a reader the exit code stays
            super()._print_message(message, file)

    def _check_value(self, action: Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            is_subcommand = action.dest in {"subcommand", "action"}
            choices = SUBCOMMANDS if action.dest == "subcommand" else action.choices
            message = _describe_unknown(str(value), choices, is_subcommand=is_subcommand)
            raise ArgumentError(None if is_subcommand else action, message)


class _RootParser(_Parser):
    """Parser of the whole command line."""

    def format_help(self) -> str:
        """Return the whole help."""
        self.epilog = "\n\n".join((*_subcommand_groups(), _EXAMPLES, _FILES, _ENVIRONMENT, _EXIT_CODES))
        return super().format_help()


def build_parser(argv: Sequence[str] | None = None) -> ArgumentParser:
    """Return the parser. With `argv`, only the subcommands in it get a parser, which saves `list` 6 ms."""
    root = _RootParser(
        prog="babeltop",
        usage="babeltop [--demo] [--view NAME] [--readonly] [--watchlist FILE]\n       babeltop SUBCOMMAND ...",
        description=_DESCRIPTION,
    )
    root.add_argument("--version", action="version", version=f"babeltop {tui.__version__}")
    root.add_argument("--demo", action="store_true", help="dashboard over simulated services; nothing is saved")
    root.add_argument("--view", metavar="NAME", help="view to show first: all, active, done, … or a [[view]]")
    add_workspace_options(root, is_root=True)
    root.set_defaults(entry_point="dashboard:run_dashboard")
    parsers = root.add_subparsers(
        dest="subcommand", metavar="SUBCOMMAND", prog="babeltop", help=SUPPRESS, parser_class=_Parser
    )
    for name, subcommand in SUBCOMMANDS.items():
        if argv is None or name in argv:
            parser = parsers.add_parser(
                name,
                help=subcommand.summary,
                description=subcommand.summary,
                epilog=f"example:\n  {subcommand.example}",
            )
            parser.set_defaults(entry_point=subcommand.entry_point)
            subcommand.add_arguments(parser)
    return root


def _subcommand_groups() -> Iterator[str]:
    """Yield a paragraph for each group of subcommands."""
    for group in dict.fromkeys(subcommand.group for subcommand in SUBCOMMANDS.values()):
        lines = [f"  {name:<16} {each.summary}" for name, each in SUBCOMMANDS.items() if each.group == group]
        yield "\n".join([f"{group}:", *lines])


def _describe_unknown(value: str, choices: "Iterable[Any]", *, is_subcommand: bool) -> str:
    names = [str(choice) for choice in choices]
    near = nearest(value, names)
    hint = f"did you mean {near!r}?" if near else f"valid: {', '.join(names)}"
    return f"unknown {'subcommand' if is_subcommand else 'value'} {value!r}; {hint}"


def _terminal_width() -> int:
    """Return the columns of the terminal, 80 without one."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else 1).columns or 80
    except OSError:
        return 80
