"""Files that are being fetched: `NAME.part` until it is whole, then NAME, and never over a file that is there.

Everything here blocks and raises OSError. What is on disk outlives a killed process; how far it had come is the
length of the part.
"""

import errno
import hashlib
import os
from itertools import count
from pathlib import Path

from tui.domain.content_headers import Digest
from tui.presentation.filenames import PART_SUFFIX, Filename

HASH_CHUNK = 1024 * 1024
"""Bytes that are read at once where a file is hashed."""
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
"""What a file system says that has no hard links (FAT)."""
_OPEN_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


class PartialFile:
    """One file that is not whole yet, open for writing at its end."""

    def __init__(self, path: Path, descriptor: int, filename: Filename) -> None:
        self.path = path
        """Of the `.part`."""
        self.size = os.fstat(descriptor).st_size
        """Bytes that are there."""
        self._filename = filename
        self._descriptor = descriptor
        os.lseek(descriptor, 0, os.SEEK_END)

    @classmethod
    def create(cls, path: Path, filename: Filename) -> "PartialFile":
        """A new one. Raises OSError, FileExistsError where there is something."""
        return cls(path, os.open(path, _OPEN_FLAGS | os.O_CREAT | os.O_EXCL, 0o600), filename)

    @classmethod
    def reopen(cls, path: Path, filename: Filename) -> "PartialFile":
        """One that was left unfinished. Raises OSError, FileNotFoundError where there is none."""
        return cls(path, os.open(path, _OPEN_FLAGS), filename)

    def write(self, data: bytes | bytearray) -> None:
        """Appends. What could be written counts, also where it raises OSError."""
        view = memoryview(data)
        while view:
            written = os.write(self._descriptor, view)
            self.size += written
            view = view[written:]

    def restart(self) -> None:
        """Nothing of it holds any more. Raises OSError."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self.size = 0

    def matches(self, digest: Digest) -> bool:
        """Whether the whole file hashes to it. Reads all of it; raises OSError."""
        hashed = hashlib.new(digest.algorithm, usedforsecurity=False)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        while chunk := os.read(self._descriptor, HASH_CHUNK):
            hashed.update(chunk)
        return hashed.digest() == digest.value

    def free_final_path(self) -> Path:
        """The first name that is free for it now."""
        return next(
            path
            for number in count(1)
            if not os.path.lexists(path := self.path.parent / self._filename.numbered(number))
        )

    def finish(self, final_path: Path) -> None:
        """It is whole: brings it to the disk and gives it its name. Raises OSError; FileExistsError: that is taken.

        Killed at any moment, it leaves the part, or the file, or both as one file: see `settled`.
        """
        os.fsync(self._descriptor)
        try:
            os.link(self.path, final_path, follow_symlinks=False)
            self.path.unlink()
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            os.close(os.open(final_path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))  # the name is ours from now on
            self.path.replace(final_path)
        _sync_folder(self.path.parent)

    def discard(self) -> None:
        """Takes it away. Raises OSError."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing more is written; what is there stays."""
        os.close(self._descriptor)


def free_part_path(folder: Path, filename: Filename) -> Path:
    """Where the part of a new file is to be: its number is the first that is free. Makes the folder; raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in count(1):
        final = folder / filename.numbered(number)
        part = final.with_name(f"{final.name}{PART_SUFFIX}")
        if not os.path.lexists(final) and not os.path.lexists(part):
            return part
    raise AssertionError("numbers do not end")


def recover_rename(part_path: Path, final_path: Path, size: int) -> bool:
    """Whether a finish that was cut off has brought the file to its name; then it takes what was left. Raises OSError.

    `size`: bytes of the whole file.
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
    if there.st_size == 0 and there.st_nlink == 1 and size > 0:  # a name that was taken for it, on FAT
        final_path.unlink()
    return False


def free_bytes(folder: Path) -> int:
    """Bytes that there is room for in a folder that there is, or will be. Raises OSError."""
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
