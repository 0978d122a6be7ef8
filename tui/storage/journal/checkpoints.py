"""Journal table of download checkpoints: what is needed to resume an incomplete file."""

import re
from pathlib import PurePath

import msgspec
from msgspec import Struct

from tui.domain.content_headers import Digest
from tui.domain.models import Ref
from tui.presentation.filenames import PART_SUFFIX, Filename
from tui.storage.journal.database import Database


class DownloadCheckpoint(Struct, frozen=True, kw_only=True):
    """Data that is needed to resume the download of one file."""

    part_path: str
    """Path of the `.part` file."""
    filename: Filename
    validator: str = ""
    """Value for If-Range. Empty: the file can only be downloaded from its start."""
    total_bytes: int | None = None
    """Bytes of the complete file. None: unknown."""
    digest: Digest | None = None
    final_path: str = ""
    """Path that the complete file is about to be renamed to. Empty while bytes are missing."""

    @property
    def is_consistent(self) -> bool:
        """Whether the paths are those of this file name: any other row could have a file of the operator truncated."""
        part, final = PurePath(self.part_path), PurePath(self.final_path)
        pattern = f"{re.escape(self.filename.stem)}(?: \\([0-9]+\\))?{re.escape(self.filename.suffix)}"
        return bool(
            part.is_absolute()
            and ".." not in part.parts
            and part.suffix == PART_SUFFIX
            and re.fullmatch(pattern, part.stem)
            and (not self.final_path or (final.parent == part.parent and re.fullmatch(pattern, final.name)))
        )


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(DownloadCheckpoint).decode


class DownloadTable:
    """Table of checkpoints. Files of a job are named by artifact: `video`, `captions 2`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def checkpoints(self, ref: Ref) -> dict[str, DownloadCheckpoint]:
        """Return the checkpoints of a job's incomplete files, by artifact. Raises JournalError."""
        with self._database.connection() as db:
            rows = db.execute(
                "SELECT artifact, checkpoint FROM download_checkpoint WHERE account=? AND id=?", ref
            ).fetchall()
        found: dict[str, DownloadCheckpoint] = {}
        for artifact, blob in rows:
            try:
                checkpoint = _decode(blob)
            except msgspec.DecodeError:
                continue  # a checkpoint of another version: the file is downloaded from its start
            if checkpoint.is_consistent:
                found[artifact] = checkpoint
        return found

    def save(self, ref: Ref, artifact: str, checkpoint: DownloadCheckpoint) -> None:
        """Save the checkpoint of a file. Raises JournalError."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO download_checkpoint VALUES (?,?,?,?)", (*ref, artifact, _encode(checkpoint))
            )

    def delete(self, ref: Ref, artifact: str) -> None:
        """Delete the checkpoint of a file that is complete or cancelled. Raises JournalError."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM download_checkpoint WHERE account=? AND id=? AND artifact=?", (*ref, artifact))
