"""Entry point of the command line. Imports only the subcommand that runs, so that `--help` and `list` start fast."""

import errno
import gc
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from io import TextIOWrapper
from types import SimpleNamespace

TYPE_CHECKING = False  # typing's own takes a tenth of `--help`'s time to import
if TYPE_CHECKING:
    from argparse import Namespace

INTERRUPTED = 130
"""Exit code after SIGINT, as shells have it: 128 + 2."""
GC_THRESHOLD = 50_000
"""Objects between two searches for garbage in a subcommand. With Python's 700, `list --filter` of 10,000 jobs searches
sixty times, in a tenth of its time, and finds none."""
DEFAULT_ARGS = {
    "demo": False,
    "view": None,
    "readonly": False,
    "watchlist": None,
    "subcommand": None,
    "entry_point": "dashboard:run_dashboard",
}
"""The parser's result without arguments. Saves the dashboard's start the import of argparse: 3 ms."""


def run(argv: Sequence[str]) -> int:
    """Run the command line and return the exit code. Raises nothing but argparse's SystemExit."""
    if argv[:1] == ["--complete"]:
        from tui.cli.complete import print_values

        return print_values(argv[1:])
    thresholds = gc.get_threshold()
    gc.disable()  # imported modules stay: searching them for garbage takes a twentieth of the start
    try:
        args: Namespace | SimpleNamespace = _parse(argv) if argv else SimpleNamespace(**DEFAULT_ARGS)
        _configure_streams()
        if args.subcommand:
            _import_msgspec()
        module, _, name = args.entry_point.partition(":")
        handler: Callable[[Namespace | SimpleNamespace], int] = getattr(
            import_module(f"tui.cli.commands.{module}"), name
        )
        if args.subcommand:  # the dashboard enables it after the first frame: loading 10,000 jobs makes no garbage
            gc.freeze()
            gc.set_threshold(GC_THRESHOLD)
            gc.enable()
        return handler(args)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the traceback goes to the log
        from tui.cli.errors import report

        return report(error)
    finally:
        gc.enable()
        gc.set_threshold(*thresholds)


def discard_unwritable_output() -> None:
    """Discard what a closed pipe or a lost terminal has not taken: Python would end with 120, whatever the code."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # cron may close one
        try:
            stream.flush()
        except OSError as error:
            if error.errno in {errno.EPIPE, errno.EIO}:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _import_msgspec() -> None:
    """Import msgspec without typing_extensions, of which it needs nothing that `typing` lacks: a tenth of `list`."""
    if sys.modules.keys() & {"msgspec", "typing_extensions"}:
        return
    sys.modules["typing_extensions"] = None  # pyright: ignore[reportArgumentType]  an import then fails
    try:
        import_module("msgspec")
    finally:
        del sys.modules["typing_extensions"]


def _parse(argv: Sequence[str]) -> "Namespace":
    from tui.cli.parser import build_parser

    parser = build_parser(argv)
    args = parser.parse_args(argv)
    for option in ("demo", "view"):
        if getattr(args, option) and args.subcommand:
            parser.error(f"--{option} takes no subcommand")
    return args


def _configure_streams() -> None:
    """Make every text writable: titles have any script, ids any encoding, and cron may close a stream.

    Files and pipes get UTF-8, as JSON requires; a terminal keeps its encoding.
    """
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - open until the process ends
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace"), (sys.stderr, "replace")):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors=errors)
