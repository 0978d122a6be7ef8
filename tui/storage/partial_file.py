"""Partial files: `NAME.part` until the download is complete, then NAME. An existing file is never overwritten.

Everything here blocks and raises OSError. The length of a partial file is the progress that outlives a kill.
"""

import errno
import hashlib
import os
import stat
from itertools import count
from pathlib import Path

from tui.domain.content_headers import Digest
from tui.presentation.filenames import PART_SUFFIX, Filename

HASH_CHUNK = 1024 * 1024
"""Bytes that are read at once to hash a file."""
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
"""Error codes of a file system without hard links (FAT)."""
_OPEN_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


class PartialFile:
    """Incomplete file, open for appending."""

    def __init__(self, path: Path, descriptor: int, filename: Filename) -> None:
        self.path = path
        """Path of the `.part` file."""
        self.size = os.fstat(descriptor).st_size
        """Bytes written so far."""
        self._filename = filename
        self._descriptor = descriptor
        os.lseek(descriptor, 0, os.SEEK_END)

    @classmethod
    def create(cls, path: Path, filename: Filename) -> "PartialFile":
        """Create a partial file, with the mode that the umask leaves. Raises OSError; FileExistsError if it exists."""
        return cls(path, os.open(path, _OPEN_FLAGS | os.O_CREAT | os.O_EXCL, 0o666), filename)

    @classmethod
    def reopen(cls, path: Path, filename: Filename) -> "PartialFile":
        """Open an existing partial file. Raises OSError; FileNotFoundError if there is none."""
        descriptor = os.open(path, _OPEN_FLAGS)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            os.close(descriptor)
            raise PermissionError(errno.EPERM, "is not a file of this user", str(path))
        return cls(path, descriptor, filename)

    def write(self, data: bytes | bytearray) -> None:
        """Append data. Raises OSError; `size` then counts what was written."""
        view = memoryview(data)
        while view:
            written = os.write(self._descriptor, view)
            self.size += written
            view = view[written:]

    def restart(self) -> None:
        """Truncate the file, to download it from its start. Raises OSError."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self.size = 0

    def matches(self, digest: Digest) -> bool:
        """Return whether the complete file has this digest. Reads all of it; raises OSError."""
        hashed = hashlib.new(digest.algorithm, usedforsecurity=False)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        while chunk := os.read(self._descriptor, HASH_CHUNK):
            hashed.update(chunk)
        return hashed.digest() == digest.value

    def free_final_path(self) -> Path:
        """Return the first final path that is free now."""
        return next(
            path
            for number in count(1)
            if not os.path.lexists(path := self.path.parent / self._filename.numbered(number))
        )

    def finish(self, final_path: Path) -> None:
        """Sync the complete file and rename it. Raises OSError; FileExistsError if the final path is taken.

        A kill at any moment leaves the partial file, the final file, or both as one file: see `recover_rename`.
        """
        os.fsync(self._descriptor)
        try:
            os.link(self.path, final_path, follow_symlinks=False)
            self.path.unlink()
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            os.close(os.open(final_path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))  # reserves the name
            self.path.replace(final_path)
        _sync_folder(self.path.parent)

    def discard(self) -> None:
        """Delete the partial file. Raises OSError."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file, which stays on disk."""
        os.close(self._descriptor)


def free_part_path(folder: Path, filename: Filename) -> Path:
    """Return the path of a new partial file, with the first free number. Creates the folder; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        final = folder / filename.numbered(number)
        part = final.with_name(f"{final.name}{PART_SUFFIX}")
        if not os.path.lexists(final) and not os.path.lexists(part):
            return part
    raise AssertionError("numbers are infinite")


def recover_rename(part_path: Path, final_path: Path, size: int) -> bool:
    """Return whether a killed `finish` had renamed the file, and clean up after it. Raises OSError.

    `size`: bytes of the complete file.
    """
    try:
        there = final_path.lstat()
    except FileNotFoundError:
        return False
    if not part_path.exists():
        return there.st_size == size
    if part_path.samefile(final_path):
        part_path.unlink()
        return True
    if there.st_size == 0 and there.st_nlink == 1 and size > 0:  # the reserved name, on FAT
        final_path.unlink()
    return False


def free_bytes(folder: Path) -> int:
    """Return the free bytes of a folder's file system; the folder need not exist. Raises OSError."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
