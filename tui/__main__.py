"""Command `babeltop`, also `python -m tui`."""

import sys

from tui.cli.main import run


def main() -> int:
    """Run the command line and return the exit code."""
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
