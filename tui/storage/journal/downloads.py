"""Journal table of downloaded files. Checkpoints of incomplete ones are in `checkpoints`."""

import sqlite3
from collections.abc import Collection

from tui.domain.models import DownloadedFile, Ref

EXTERNAL = "SELECT DISTINCT account, id FROM downloaded_file WHERE revision > :revision AND writer <> :writer"
"""Jobs of which other processes have downloaded files since a revision."""


def save_files(db: sqlite3.Connection, ref: Ref, files: Collection[DownloadedFile], revision: int, writer: int) -> None:
    """Write the downloaded files of a job, inside a transaction. The latest download of a file replaces the others."""
    db.executemany(
        "INSERT INTO downloaded_file VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET path=excluded.path, "
        "size=excluded.size, downloaded_at=excluded.downloaded_at, revision=excluded.revision, writer=excluded.writer "
        "WHERE excluded.downloaded_at > downloaded_at",
        [(*ref, each.name, each.path, each.size, each.downloaded_at, revision, writer) for each in files],
    )


def bound_instants(db: sqlite3.Connection, ref: Ref, now: float) -> None:
    """Set later instants of a job's downloads to `now`, inside a transaction: no other download would replace them."""
    db.execute(
        "UPDATE downloaded_file SET downloaded_at=:now WHERE account=:account AND id=:id AND downloaded_at > :now",
        {"now": now, "account": ref.account, "id": ref.id},
    )


def all_by_job(db: sqlite3.Connection) -> dict[Ref, tuple[DownloadedFile, ...]]:
    """Return the downloaded files of every job, inside a transaction."""
    found: dict[Ref, tuple[DownloadedFile, ...]] = {}
    for account, job, artifact, path, size, downloaded_at in db.execute(
        "SELECT account, id, artifact, path, size, downloaded_at FROM downloaded_file ORDER BY account, id, artifact"
    ):
        ref = Ref(account, job)
        found[ref] = (*found.get(ref, ()), DownloadedFile(artifact, path, size, downloaded_at))
    return found
