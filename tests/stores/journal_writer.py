"""A process that writes the journal until it is killed: batches whose states and changes belong together."""

import sys
from pathlib import Path

from tui.domain.board import JobState, PhaseChange
from tui.domain.jobs import Job, Phase, Ref
from tui.stores.journal import Entry, Journal

JOBS = 20


def batch(number: int) -> list[Entry]:
    """Every job changes its phase; the whole batch bears its number."""
    before, after = (Phase.RUNNING, Phase.QUEUED) if number % 2 else (Phase.QUEUED, Phase.RUNNING)
    return [
        Entry(
            JobState(job=Job(account="a", id=str(job)), phase=after, asks=number, checked_at=float(number)),
            PhaseChange(Ref("a", str(job)), before, after, None, float(number), ""),
            b"%d" % number,
            float(number),
        )
        for job in range(JOBS)
    ]


def main() -> None:
    journal = Journal(Path(sys.argv[1]))
    known = journal.states()
    number = 1 + max((state.asks for state in known.values()), default=-1)
    print("ready", flush=True)
    while True:
        journal.record(batch(number))
        number += 1


if __name__ == "__main__":
    main()
