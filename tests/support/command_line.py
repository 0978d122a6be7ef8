"""Command line of `babeltop` that runs in the process of a test."""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from typing import Any, NamedTuple

from tui.cli.main import run


class CompletedCommand(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run_in_process(args: Sequence[str], environ: Mapping[str, str], stdin: str | bytes = "") -> CompletedCommand:
    """Run a command line in this process with this environment."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    streams = [TextIOWrapper(BytesIO(text), "utf-8", write_through=True) for text in (given, b"", b"")]
    handlers, before = list(logging.root.handlers), dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(environ)
        with redirect_stdout(streams[1]), redirect_stderr(streams[2]), redirect_stdin(streams[0]):
            code = run(args)
    except SystemExit as end:
        code = end.code
    finally:
        os.environ.clear()
        os.environ.update(before)
        for handler in set(logging.root.handlers) - set(handlers):
            logging.root.removeHandler(handler)
            handler.close()
    out, err = (each.buffer.getvalue().decode() for each in streams[1:])
    return CompletedCommand(int(code or 0), out, err)


@contextmanager
def redirect_stdin(stream: TextIOWrapper) -> Iterator[None]:
    before, sys.stdin = sys.stdin, stream
    try:
        yield
    finally:
        sys.stdin = before
