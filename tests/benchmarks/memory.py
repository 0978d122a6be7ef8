"""Resident memory with 10,000 jobs, engine and screen, beside an empty Textual app."""

from tests.benchmarks.consoles import command, console, drained, resident, row, show
from tests.benchmarks.paint import BABELTOP, lived_in

SETTLE = 12.0
"""Seconds until the engine has read its watchlist and the screen has it."""


def used(argv: list[str], settle: float, env: dict[str, str] | None = None) -> float:
    with console(argv, env) as terminal:
        drained(terminal, settle)
        return resident(terminal.pid)


def measure() -> dict[str, dict]:
    with lived_in() as env:
        ours = used(BABELTOP, SETTLE, env)
    return {"memory: resident": row(ours, used(command("empty"), 3.0), 2.5, "MB")}


if __name__ == "__main__":
    show(measure())
