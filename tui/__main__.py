"""The command `babeltop`, also as `python -m tui`."""

import sys

from tui.cli.main import run


def main() -> int:
    """Does what the command line says; returns the exit code."""
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
