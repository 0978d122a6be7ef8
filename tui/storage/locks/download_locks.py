"""Download locks: one process at a time downloads a job's files. The operating system releases them at its end."""

import fcntl
import hashlib
import os
from pathlib import Path

from tui.domain.models import Ref
from tui.storage.paths import make_private

OFFSET_BITS = 62
"""Bits of a job's offset in the lock file, which stays empty: a lock may be beyond the end of a file."""


class DownloadLocks:
    """Locks on bytes of one file in the state folder, one for each job. They exclude other processes only."""

    def __init__(self, state_dir: Path) -> None:
        """Open nothing yet: the first `acquire` does."""
        self._path = state_dir / "downloads.lock"
        self._descriptor: int | None = None

    def acquire(self, ref: Ref) -> bool:
        """Lock the job without waiting; return whether no other process has it. Raises OSError."""
        if self._descriptor is None:
            make_private(self._path.parent)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(ref))
        except (BlockingIOError, PermissionError):
            return False
        return True

    def release(self, ref: Ref) -> None:
        """Release the job's lock."""
        if self._descriptor is not None:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _offset(ref))

    def close(self) -> None:
        """Release all locks."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _offset(ref: Ref) -> int:
    return int.from_bytes(hashlib.sha256(str(ref).encode()).digest()[:8], "big") >> (64 - OFFSET_BITS)
