"""What the journal keeps of downloads: files that were begun and are not whole yet, and those that were saved."""

import sqlite3
from collections.abc import Collection

import msgspec
from msgspec import Struct

from tui.domain.content_headers import Digest
from tui.domain.models import DownloadedFile, Ref
from tui.presentation.filenames import Filename
from tui.storage.journal.database import Database


class DownloadCheckpoint(Struct, frozen=True, kw_only=True):
    """A file that is not whole yet: what it takes to go on with it."""

    part_path: str
    """Path of the `.part`."""
    filename: Filename
    validator: str = ""
    """What If-Range takes; "" where the file can only be fetched anew."""
    total_bytes: int | None = None
    """Bytes of the whole file; None: it was not said."""
    digest: Digest | None = None
    final_path: str = ""
    """Path that it was about to be given; "" while bytes are missing."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(DownloadCheckpoint).decode


class DownloadTable:
    """The journal's tables of downloads. A job's files go by what they are: `video`, `captions 2`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def checkpoints(self, ref: Ref) -> dict[str, DownloadCheckpoint]:
        """The files of a job that are not whole yet. Raises JournalError."""
        with self._database.connection() as db:
            rows = db.execute("SELECT what, begun FROM download WHERE account=? AND id=?", ref).fetchall()
        found: dict[str, DownloadCheckpoint] = {}
        for what, blob in rows:
            try:
                found[what] = _decode(blob)
            except msgspec.DecodeError:
                continue  # another layout's: fetched anew
        return found

    def save(self, ref: Ref, artifact: str, checkpoint: DownloadCheckpoint) -> None:
        """A file was begun, or is about to be given its name. Raises JournalError."""
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO download VALUES (?,?,?,?)", (*ref, artifact, _encode(checkpoint)))

    def delete(self, ref: Ref, artifact: str) -> None:
        """A file is fetched no more. Raises JournalError."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM download WHERE account=? AND id=? AND what=?", (*ref, artifact))


def save_files(db: sqlite3.Connection, ref: Ref, files: Collection[DownloadedFile], revision: int, writer: int) -> None:
    """Writes what was saved of a job, inside a transaction. Who saved a file later is right."""
    db.executemany(
        "INSERT INTO saved VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET path=excluded.path, size=excluded.size, "
        "at=excluded.at, rev=excluded.rev, writer=excluded.writer WHERE excluded.at > at",
        [(*ref, each.name, each.path, each.size, each.downloaded_at, revision, writer) for each in files],
    )


def all_by_job(db: sqlite3.Connection) -> dict[Ref, tuple[DownloadedFile, ...]]:
    """What was saved of every job, inside a transaction."""
    found: dict[Ref, tuple[DownloadedFile, ...]] = {}
    for account, job, what, path, size, at in db.execute(
        "SELECT account, id, what, path, size, at FROM saved ORDER BY account, id, what"
    ):
        ref = Ref(account, job)
        found[ref] = (*found.get(ref, ()), DownloadedFile(what, path, size, at))
    return found
