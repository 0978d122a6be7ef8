"""The table at rest: 10,000 jobs, four columns of time that tick, and a board on which nothing visible changes."""

from tests.benchmarks.consoles import EMPTY, command, console, drained, row, share, show

SETTLE = 3.0
"""Seconds until a console has started and painted."""
WINDOW = 15.0
"""Seconds of a measurement."""


def measured(argv: list[str], env: dict[str, str] | None = None) -> tuple[float, int]:
    with console(argv, env) as terminal:
        drained(terminal, SETTLE)
        return share(terminal, WINDOW)


def measure() -> dict[str, dict]:
    ticking, _ = measured(command("ticking"))
    top, _ = measured(["top", "-d", "1"])
    quiet, written = measured(command("quiet"))
    empty, _ = measured(EMPTY)
    return {
        "tick: four time columns, CPU": row(ticking, top, 3, "% of a core; top -d 1"),
        "tick: nothing visible changed, CPU": row(quiet, empty, 0.2, "% of a core; ratio is ours", ratio=quiet),
        "tick: nothing visible changed, bytes": row(written, 0, 0, "bytes in 15 s", ratio=written),
    }


if __name__ == "__main__":
    show(measure())
