"""What the journal keeps of downloads: files that were begun and are not whole yet, and those that were saved."""

import sqlite3
from collections.abc import Collection

import msgspec
from msgspec import Struct

from tui.domain.content_headers import Digest
from tui.domain.models import DownloadedFile, Ref
from tui.presentation.filenames import Filename
from tui.storage.journal.database import Database


class Begun(Struct, frozen=True, kw_only=True):
    """A file that is not whole yet: what it takes to go on with it."""

    part: str
    """Path of the `.part`."""
    name: Filename
    validator: str = ""
    """What If-Range takes; "" where the file can only be fetched anew."""
    total: int | None = None
    """Bytes of the whole file; None: it was not said."""
    digest: Digest | None = None
    final: str = ""
    """Path that it was about to be given; "" while bytes are missing."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Begun).decode


class Downloads:
    """The journal's tables of downloads. A job's files go by what they are: `video`, `captions 2`."""

    def __init__(self, file: Database) -> None:
        self._file = file

    def begun(self, ref: Ref) -> dict[str, Begun]:
        """The files of a job that are not whole yet. Raises JournalError."""
        with self._file.reading() as db:
            rows = db.execute("SELECT what, begun FROM download WHERE account=? AND id=?", ref).fetchall()
        found: dict[str, Begun] = {}
        for what, blob in rows:
            try:
                found[what] = _decode(blob)
            except msgspec.DecodeError:
                continue  # another layout's: fetched anew
        return found

    def keep(self, ref: Ref, what: str, begun: Begun) -> None:
        """A file was begun, or is about to be given its name. Raises JournalError."""
        with self._file.writing() as db:
            db.execute("INSERT OR REPLACE INTO download VALUES (?,?,?,?)", (*ref, what, _encode(begun)))

    def forget(self, ref: Ref, what: str) -> None:
        """A file is fetched no more. Raises JournalError."""
        with self._file.writing() as db:
            db.execute("DELETE FROM download WHERE account=? AND id=? AND what=?", (*ref, what))


def put(db: sqlite3.Connection, ref: Ref, saved: Collection[DownloadedFile], rev: int, writer: int) -> None:
    """Writes what was saved of a job, inside a transaction. Who saved a file later is right."""
    db.executemany(
        "INSERT INTO saved VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET path=excluded.path, size=excluded.size, "
        "at=excluded.at, rev=excluded.rev, writer=excluded.writer WHERE excluded.at > at",
        [(*ref, each.name, each.path, each.size, each.downloaded_at, rev, writer) for each in saved],
    )


def every(db: sqlite3.Connection) -> dict[Ref, tuple[DownloadedFile, ...]]:
    """What was saved of every job, inside a transaction."""
    found: dict[Ref, tuple[DownloadedFile, ...]] = {}
    for account, job, what, path, size, at in db.execute(
        "SELECT account, id, what, path, size, at FROM saved ORDER BY account, id, what"
    ):
        ref = Ref(account, job)
        found[ref] = (*found.get(ref, ()), DownloadedFile(what, path, size, at))
    return found
