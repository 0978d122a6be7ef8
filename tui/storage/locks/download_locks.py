"""Who fetches a job's files: one process at a time. The operating system takes a claim back from one that dies."""

import fcntl
import hashlib
import os
from pathlib import Path

from tui.domain.models import Ref
from tui.storage.paths import make_private

OFFSET_BITS = 62
"""Of a job's place in the file, which stays empty: a lock may lie beyond a file's end."""


class DownloadLocks:
    """Locks on bytes of one file in the state folder, a byte for each job. Within a process it keeps nobody out."""

    def __init__(self, state_dir: Path) -> None:
        """Nothing is opened before something is claimed."""
        self._path = state_dir / "downloads.lock"
        self._descriptor: int | None = None

    def acquire(self, ref: Ref) -> bool:
        """Claims the job, without waiting; False: another process has it. Raises OSError."""
        if self._descriptor is None:
            make_private(self._path.parent)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(ref))
        except (BlockingIOError, PermissionError):
            return False
        return True

    def release(self, ref: Ref) -> None:
        """Gives the job back."""
        if self._descriptor is not None:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _offset(ref))

    def close(self) -> None:
        """Gives everything back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _offset(ref: Ref) -> int:
    return int.from_bytes(hashlib.sha256(str(ref).encode()).digest()[:8], "big") >> (64 - OFFSET_BITS)
