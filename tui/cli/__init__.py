"""The command line. A verb's module is imported when the verb is run: `--help` and `list` start fast."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from tui.cli.parser import Namespace, build

INTERRUPTED = 130
"""Exit code after SIGINT, as shells have it: 128 + 2."""


def run(argv: Sequence[str]) -> int:
    """Does what the arguments say and returns the exit code. No exception but argparse's SystemExit leaves it."""
    try:
        args = build(argv).parse_args(argv)
        _speak_utf8()
        module, _, name = args.run.partition(":")
        verb: Callable[[Namespace], int] = getattr(import_module(f"tui.cli.{module}"), name)
        return verb(args)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - a traceback helps no operator: it goes to the log
        from tui.cli.failures import told

        return told(error)


def _speak_utf8() -> None:
    """Titles come in every script: what a terminal's encoding lacks is replaced, and bad bytes on stdin are kept."""
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace"), (sys.stderr, "replace")):
        if stream is not None and hasattr(stream, "reconfigure"):  # pyright: ignore[reportUnnecessaryComparison] - closed
            stream.reconfigure(errors=errors)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
