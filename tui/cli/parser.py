"""The parser and its help. What each verb takes is `verbs`; nothing is imported here that `--help` could do without."""

import os
import re
import sys
from argparse import SUPPRESS, Action, ArgumentError, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

import tui
from tui.cli.arguments import SUBCOMMANDS, add_watchlist_option

__all__ = ["Namespace", "build_parser"]

MAX_WIDTH = 100
"""Columns of help text at most: longer lines are hard to read."""

_DESCRIPTION = """\
top for translation jobs: status, progress and link expiry of every service
in one live table. Without a verb: the dashboard. `babeltop VERB --help` says
more of each, with an example."""

_EXAMPLES = """\
examples:
  babeltop --demo
      the dashboard over made-up services: no keys, no network
  babeltop add 7544c0b52ada44fda693a15b1181b5b4-fr doc_abc123
      two jobs, their services guessed from the ids
  babeltop wait --timeout 1h && babeltop export > done.csv
      a pipeline's step that goes on when all has ended well"""

_FILES = """\
files:
  config folder    BABELTOP_CONFIG_DIR, else the system's: on Linux
                   ~/.config/babeltop; holds config.toml (yours, never written),
                   providers/*.toml (your own services) and watchlist.toml
  state folder     BABELTOP_STATE_DIR, else the system's: on Linux
                   ~/.local/state/babeltop; holds journal.db and babeltop.log"""

_EXIT_CODES = """\
exit codes, the first that applies:
  130  interrupted
    2  usage, configuration or an unknown ref; doctor: this machine
  124  wait timed out
    3  of what asks or fetches: a fault other than missing or payment
    1  check, wait: a job failed, timed out, is blocked or missing;
       renew, download: a job brought no link, no file
    0  all well
   70  an error of babeltop's own; the log has more"""


class _Formatter(RawDescriptionHelpFormatter):
    """Keeps written lines; asks the terminal for its width itself, since argparse's way imports five archivers."""

    def __init__(self, prog: str, *_: object) -> None:
        super().__init__(prog, max_help_position=24, width=min(MAX_WIDTH, _terminal_width()))


class _Parser(ArgumentParser):
    """An argparse parser whose complaints are short and name the nearest right word."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=_Formatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Says what is wrong and where help is, and exits with 2."""
        self.exit(2, f"{self.prog}: {message}\nTry `{self.prog} --help`.\n")

    def _check_value(self, action: Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            verb = action.dest in {"subcommand", "action"}
            choices = SUBCOMMANDS if action.dest == "subcommand" else action.choices
            raise ArgumentError(None if verb else action, _describe_unknown(str(value), choices, is_subcommand=verb))


class _RootParser(_Parser):
    """The parser of everything, whose help looks up what it tells of the services only when it is asked for."""

    def format_help(self) -> str:
        """The whole help."""
        environment = "\n".join(
            ("environment (each alone makes an account):", *(f"  {name}" for name in _key_variables()))
        )
        self.epilog = "\n\n".join((*_subcommand_groups(), _EXAMPLES, _FILES, environment, _EXIT_CODES))
        return super().format_help()


def build_parser(argv: Sequence[str] | None = None) -> ArgumentParser:
    """The parser. With `argv`, only the verbs named in it have one of their own, which saves `list` 6 ms."""
    root = _RootParser(
        prog="babeltop",
        usage="babeltop [--demo] [--readonly] [--watchlist FILE]\n       babeltop VERB ...",
        description=_DESCRIPTION,
    )
    root.add_argument("--version", action="version", version=f"babeltop {tui.__version__}")
    root.add_argument("--demo", action="store_true", help="the dashboard over made-up services; nothing is saved")
    root.add_argument(
        "--readonly",
        action="store_true",
        help="forbids writing the watchlist, downloads, hooks and open; it still asks",
    )
    add_watchlist_option(root, default=None)
    root.set_defaults(entry_point="dashboard:run_dashboard")
    verbs = root.add_subparsers(dest="subcommand", metavar="VERB", prog="babeltop", help=SUPPRESS, parser_class=_Parser)
    for name, verb in SUBCOMMANDS.items():
        if argv is None or name in argv:
            parser = verbs.add_parser(
                name, help=verb.summary, description=verb.summary, epilog=f"example:\n  {verb.example}"
            )
            parser.set_defaults(entry_point=verb.entry_point)
            verb.add_arguments(parser)
    return root


def _subcommand_groups() -> Iterator[str]:
    """The verbs with their summaries, a paragraph for each group."""
    for group in dict.fromkeys(verb.group for verb in SUBCOMMANDS.values()):
        lines = [f"  {name:<16} {verb.summary}" for name, verb in SUBCOMMANDS.items() if verb.group == group]
        yield "\n".join([f"{group}:", *lines])


def _key_variables() -> list[str]:
    """The variables that the provider files name. Reading them as TOML would take as long as all else."""
    folder = os.path.join(os.path.dirname(tui.__file__), "providers", "builtin")  # noqa: PTH118, PTH120 - pathlib: 6 ms
    found: dict[str, None] = {}
    for name in sorted(os.listdir(folder)):  # noqa: PTH208
        if name.endswith(".toml"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:  # noqa: PTH118, PTH123
                found |= dict.fromkeys(re.findall(r'^key\s*=.*\benv\s*=\s*"(\w+)"', file.read(), re.MULTILINE))
    return list(found)


def _describe_unknown(value: str, choices: Iterable[Any], *, is_subcommand: bool) -> str:
    from difflib import get_close_matches  # 3 ms, and only wrong words need it

    names = [str(choice) for choice in choices]
    near = get_close_matches(value, names, n=1)
    way_out = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
    return f"there is no {'verb ' if is_subcommand else ''}{value!r}; {way_out}"


def _terminal_width() -> int:
    """Columns of the terminal; 80 where there is none."""
    told = os.environ.get("COLUMNS", "")
    if told.isdigit() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else 1).columns or 80
    except OSError:
        return 80
