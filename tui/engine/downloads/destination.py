"""Destination of one file: the partial file and its checkpoint, until it is verified and renamed.

Requests and responses are left to the transfer.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from tui.domain.content_headers import ContentInfo
from tui.domain.models import Link
from tui.engine.blocking import RunBlocking
from tui.engine.downloads.http import FetchError
from tui.presentation import filenames, formatting
from tui.providers.status_rules import Condition
from tui.storage import partial_file
from tui.storage.journal.checkpoints import DownloadCheckpoint
from tui.storage.partial_file import PartialFile

T = TypeVar("T")

MAX_RESTARTS = 5
"""Times that a file may start over during its transfer."""
DISK_RESERVE = 64 * 1024 * 1024
"""Bytes of the disk to keep free while the file's length is unknown."""


class SentFile(NamedTuple):
    """File as a response sends it."""

    content: ContentInfo
    url: str
    """URL after all redirects."""
    name: str
    """File name in Content-Disposition; "": none."""


class FileRequest(Struct, frozen=True, kw_only=True):
    """Request for one file."""

    link: Link
    folder: Path
    titles: tuple[str, ...]
    """Possible file names, the best first."""
    job_id: str
    """File name if there is no title, not even in the response."""
    language: str = ""
    pending_until: float = 0.0
    """Instant until which a store may not have the file yet."""
    used_conditions: tuple[Condition, ...] = ()
    """Conditions on a response in the file's place: any of them means that a file that is sent once was sent."""


class Destination:
    """Destination of one file, for a single transfer. Raises OSError if the disk cannot be written."""

    def __init__(
        self,
        request: FileRequest,
        checkpoint: DownloadCheckpoint | None,
        save_checkpoint: Callable[[DownloadCheckpoint], None],
        run_blocking: RunBlocking,
        max_size: int,
    ) -> None:
        """Open nothing yet. `checkpoint` is from an earlier transfer; `max_size`: bytes of the file."""
        self._request, self._save_checkpoint = request, save_checkpoint
        self._run_blocking, self._max_size = run_blocking, max_size
        self._partial: PartialFile | None = None
        self._restarts = 0
        self.checkpoint = checkpoint
        """Checkpoint of the partial file; None: there is no such file."""

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._partial.size if self._partial else 0

    @property
    def total(self) -> int | None:
        """Bytes of the complete file; None: unknown."""
        return self.checkpoint.total_bytes if self.checkpoint else None

    @property
    def name(self) -> str:
        """Name of the complete file; "": not known yet."""
        return self._partial.path.stem if self._partial else ""

    def close(self) -> None:
        """Close the partial file, which stays on disk."""
        if self._partial is not None:
            self._partial.close()

    async def resume(self) -> tuple[Path, int] | None:
        """Open the partial file of an earlier transfer; finish and return it if it is complete."""
        checkpoint = self.checkpoint
        if checkpoint is None:
            return None
        path, final = Path(checkpoint.part_path), Path(checkpoint.final_path)
        if (
            checkpoint.final_path
            and checkpoint.total_bytes is not None
            and partial_file.recover_rename(path, final, checkpoint.total_bytes)
        ):
            return final, checkpoint.total_bytes
        try:
            self._partial = PartialFile.reopen(path, checkpoint.filename)
        except FileNotFoundError:
            self.checkpoint = None
            return None
        if checkpoint.total_bytes is not None and self._partial.size == checkpoint.total_bytes:
            return await self.finish()
        if checkpoint.total_bytes is not None and self._partial.size > checkpoint.total_bytes:
            self._partial.restart()
        return None

    async def open(self, file: SentFile) -> None:
        """Open the partial file for a body, emptied if the body starts at the beginning, and save its checkpoint."""
        self.check_size(file.content.total)
        if self._partial is None:
            self.checkpoint, self._partial = await self._create_part(file)
        elif file.content.start == 0:
            if self._partial.size:
                self.start_over()
            self.checkpoint = _new_checkpoint(file.content, str(self._partial.path), self._filename(file))
            self._save_checkpoint(self.checkpoint)
        self._check_disk_space()

    def start_over(self) -> None:
        """Empty the partial file. Raises FetchError after MAX_RESTARTS times."""
        self._restarts += 1
        if self._restarts > MAX_RESTARTS:
            raise FetchError(
                f"started over {MAX_RESTARTS} times: the file keeps changing, or its server cannot resume it",
                transient=True,
            )
        self.empty()

    def empty(self) -> None:
        """Empty the partial file, if there is one."""
        if self._partial is not None:
            self._partial.restart()

    async def write(self, block: bytearray) -> None:
        """Append a block to the partial file. Raises FetchError if the file is too large or the disk nearly full."""
        partial, _ = self._opened()
        await self._run_uninterrupted(lambda: partial.write(block))
        self.check_size(partial.size)
        self._check_disk_space()

    def write_last(self, block: bytearray) -> None:
        """Append the last block of a connection, without a check."""
        self._opened()[0].write(block)

    def check_size(self, size: int | None) -> None:
        """Raise FetchError for a file that is too large, and keep nothing of it."""
        if size is None or size <= self._max_size:
            return
        self.empty()
        largest = formatting.size(self._max_size)
        raise FetchError(f"the file is larger than {largest}: raise max_size under [downloads] in config.toml")

    def _opened(self) -> tuple[PartialFile, DownloadCheckpoint]:
        assert self._partial is not None, "created by now"
        assert self.checkpoint is not None, "created with its partial file"
        return self._partial, self.checkpoint

    async def _create_part(self, file: SentFile) -> tuple[DownloadCheckpoint, PartialFile]:
        """Save the checkpoint, then create the partial file: an unrecorded one would never be deleted."""
        name, folder = self._filename(file), self._request.folder
        while True:
            path = await self._run_uninterrupted(lambda: partial_file.free_part_path(folder, name))
            checkpoint = _new_checkpoint(file.content, str(path), name)
            self._save_checkpoint(checkpoint)
            try:
                return checkpoint, PartialFile.create(path, name)
            except FileExistsError:
                continue

    def _filename(self, file: SentFile) -> filenames.Filename:
        if self.checkpoint is not None:
            return self.checkpoint.filename
        request = self._request
        titles = (*request.titles, filenames.without_extension(file.name), request.job_id)
        name = file.name or (f"file{request.link.suffix}" if request.link.suffix else "")
        extension = filenames.extension(request.link.kind, file.url, file.content.media_type, name)
        return filenames.filename(titles, request.language, extension)

    def _check_disk_space(self) -> None:
        """Raise FetchError if the disk has no space for the rest."""
        partial, total = self._opened()[0], self.total
        missing = DISK_RESERVE if total is None else total - partial.size
        free = partial_file.free_bytes(partial.path.parent)
        if missing > free:
            raise FetchError(
                f"{partial.path.parent}: {formatting.size(free)} free, {formatting.size(missing)} needed; "
                f"the partial file {partial.path.name} is kept. Free some space, then download again",
                transient=True,
            )

    async def finish(self) -> tuple[Path, int]:
        """Verify the digest and rename the partial file; return the file's path and size."""
        partial, checkpoint = self._opened()
        digest = checkpoint.digest
        if digest is not None and not await self._run_uninterrupted(lambda: partial.matches(digest)):
            partial.restart()
            raise FetchError(f"{digest.algorithm} mismatch, the file is damaged: download it again", transient=True)
        while True:
            final = partial.free_final_path()
            self.checkpoint = replace(checkpoint, final_path=str(final), total_bytes=partial.size)
            self._save_checkpoint(self.checkpoint)
            try:
                await self._run_uninterrupted(lambda final=final: partial.finish(final))
            except FileExistsError:
                continue
            return final, partial.size

    async def _run_uninterrupted(self, work: Callable[[], T]) -> T:
        """Run blocking work to its end, even if cancelled meanwhile: no thread may write to a closed file."""
        task = asyncio.ensure_future(self._run_blocking(work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise

    def disk_error(self, error: OSError) -> str:
        """Return the message for an error of the disk."""
        path = self._partial.path if self._partial else self._request.folder
        reason = error.strerror or type(error).__name__
        hint = f"; the partial file {path.name} is kept. Free some space, then download again" if self._partial else ""
        return f"cannot write to {path.parent if self._partial else path}: {reason}{hint}"


def _new_checkpoint(content: ContentInfo, partial_path: str, name: filenames.Filename) -> DownloadCheckpoint:
    return DownloadCheckpoint(
        part_path=partial_path,
        filename=name,
        validator=content.validator,
        total_bytes=content.total,
        digest=content.digest,
    )
