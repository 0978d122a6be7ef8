"""The lease on a watchlist: one process at a time polls it. The operating system takes it back from one that dies."""

import hashlib
import os
from pathlib import Path

from tui.storage.paths import make_private


class Lease:
    """The lock of one watchlist, in the state folder; nothing is opened before it is asked for."""

    def __init__(self, state_dir: Path, watchlist: Path) -> None:
        """`watchlist` names the lease by its real path: a symlink to it is the same watchlist."""
        self.name = hashlib.sha256(os.fsencode(os.path.realpath(watchlist))).hexdigest()[:16]
        self.path = state_dir / f"poller-{self.name}.lock"
        self._lock: object | None = None
        self._inode: int | None = None

    @property
    def is_held(self) -> bool:
        """This process polls the watchlist."""
        return self._lock is not None

    def acquire(self) -> bool:
        """Takes the lease if nobody has it, without waiting; whether it is ours now. Raises OSError.

        A lock whose file was deleted keeps nobody out: it is given back, and the one that stands there now counts.
        """
        from filelock import FileLock, Timeout  # only engines need it: `list` starts without

        if self._lock is not None and self._current_inode() != self._inode:
            self.release()
        if self._lock is None:
            make_private(self.path.parent)
            lock = FileLock(self.path, mode=0o600, thread_local=False)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                return False
            self._lock, self._inode = lock, self._current_inode()
        return True

    def is_free(self) -> bool:
        """Nobody has it, or we do. Raises OSError."""
        had = self.is_held
        taken = self.acquire()
        if taken and not had:
            self.release()
        return taken

    def _current_inode(self) -> int | None:
        try:
            return self.path.stat().st_ino
        except FileNotFoundError:
            return None

    def release(self) -> None:
        """Gives it back, if it is ours."""
        from filelock import FileLock

        if isinstance(self._lock, FileLock):
            self._lock.release()
        self._lock = None
