"""The command line. A verb's module is imported when the verb is run: `--help` and `list` start fast."""

import gc
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from io import TextIOWrapper
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from tui.cli.parser import Namespace

INTERRUPTED = 130
"""Exit code after SIGINT, as shells have it: 128 + 2."""
DEFAULT_ARGS = {
    "demo": False,
    "readonly": False,
    "watchlist": None,
    "subcommand": None,
    "entry_point": "dashboard:run_dashboard",
}
"""What the parser makes of no arguments. The dashboard's start does without it, and so without argparse: 3 ms."""


def run(argv: Sequence[str]) -> int:
    """Does what the arguments say and returns the exit code. No exception but argparse's SystemExit leaves it."""
    gc.disable()  # what is imported stays: to look for garbage in it takes a twentieth of a start
    try:
        args = _parse(argv) if argv else cast("Namespace", SimpleNamespace(**DEFAULT_ARGS))
        _configure_streams()
        module, _, name = args.entry_point.partition(":")
        verb: Callable[[Namespace], int] = getattr(import_module(f"tui.cli.commands.{module}"), name)
        if args.subcommand:  # else a first frame stands before that: a board of 10,000 jobs makes no garbage either
            gc.enable()
        return verb(args)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - a traceback helps no operator: it goes to the log
        from tui.cli.errors import report

        return report(error)
    finally:
        gc.enable()


def _parse(argv: Sequence[str]) -> "Namespace":
    from tui.cli.parser import build_parser

    parser = build_parser(argv)
    args = parser.parse_args(argv)
    if args.demo and args.subcommand:
        parser.error("--demo goes without a verb")
    return args


def _configure_streams() -> None:
    """Makes every text writable: titles come in every script, ids in every encoding, and cron may close a stream.

    Files and pipes get UTF-8, which JSON is; a terminal gets what it can show.
    """
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - for the process's life
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace"), (sys.stderr, "replace")):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors=errors)
