"""Command `babeltop`, also `python -m tui`."""

import sys

from tui.cli.main import discard_unwritable_output, run


def main() -> int:
    """Run the command line and return the exit code."""
    try:
        return run(sys.argv[1:])
    finally:
        discard_unwritable_output()


if __name__ == "__main__":
    sys.exit(main())
