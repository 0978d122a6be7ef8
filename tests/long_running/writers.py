"""Eight processes that add, edit, remove and restore at once in a watchlist of 10,000 jobs: no change is lost."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.watchlist_writers import ACCOUNTS, edit_concurrently, expected_jobs
from tui.domain.models import Job
from tui.storage.watchlist.file import WatchlistFile
from tui.storage.watchlist.operations import Add

JOBS = 10_000
LOCK_TIMEOUT = 300.0
"""Seconds to wait for the lock: a change of so many jobs takes one or two."""


def main() -> None:
    """Run the proof and print its counts."""
    with TemporaryDirectory() as folder:
        file = WatchlistFile(Path(folder) / "watchlist.toml", LOCK_TIMEOUT)
        file.edit(Add(tuple(Job(account="many", id=str(number), tags=("x", "y")) for number in range(JOBS))))
        before = file.read().jobs
        began = time.perf_counter()
        edit_concurrently(file)
        took = time.perf_counter() - began
        jobs = file.read().jobs
        assert jobs[:JOBS] == before, "another job was changed"
        assert {(job.ref, job.label, job.tags) for job in jobs[JOBS:]} == expected_jobs(), "a change is lost"
        assert len(jobs) == JOBS + len(expected_jobs()), "a job is listed twice"
        assert file.path.read_text().count("[[job]]") == len(jobs)
    print(
        f"writers: {len(ACCOUNTS)} processes, {4 * len(ACCOUNTS)} changes of {JOBS} jobs in {took:.0f} s: all applied"
    )
