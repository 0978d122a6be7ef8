"""Lease of a watchlist: one process at a time polls it. The operating system releases the lock at its end."""

import hashlib
import os
from pathlib import Path

from tui.storage.paths import make_private


class Lease:
    """Lock of one watchlist, in the state folder. Nothing is opened before the first `acquire`."""

    def __init__(self, state_dir: Path, watchlist: Path) -> None:
        """Name the lease by the watchlist's real path: a symlink to it is the same watchlist."""
        self.name = hashlib.sha256(os.fsencode(os.path.realpath(watchlist))).hexdigest()[:16]
        self.path = state_dir / f"poller-{self.name}.lock"
        self._lock: object | None = None
        """Lock on the path, held or not, from the first attempt on: followers try it every second."""
        self._inode: int | None = None
        """File that is locked, while the lease is held."""
        self._is_held = False

    @property
    def is_held(self) -> bool:
        """Whether this process holds the lease."""
        return self._is_held

    def acquire(self) -> bool:
        """Acquire the lease without waiting; return whether this process holds it. Raises OSError.

        A lock on a deleted file excludes no process: it is released, and the file now at the path is locked.
        """
        from filelock import FileLock, Timeout  # only engines need it: `list` starts without

        if self._is_held and self._current_inode() != self._inode:
            self.release()
        if self._is_held:
            return True
        if not isinstance(self._lock, FileLock):
            self._lock = FileLock(self.path, mode=0o600, thread_local=False)
        if not self.path.exists():
            make_private(self.path.parent)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        self._is_held, self._inode = True, self._current_inode()
        return True

    def is_free(self) -> bool:
        """Return whether no other process holds the lease. Raises OSError."""
        was_held = self.is_held
        acquired = self.acquire()
        if acquired and not was_held:
            self.release()
        return acquired

    def _current_inode(self) -> int | None:
        try:
            return self.path.stat().st_ino
        except FileNotFoundError:
            return None

    def release(self) -> None:
        """Release the lease, if this process holds it."""
        from filelock import FileLock

        if isinstance(self._lock, FileLock) and self._is_held:
            self._lock.release()
        self._is_held = False
