"""Folder in memory for the files of tests: half of a short test's time is otherwise waiting for a disk."""

import os
import shutil
from pathlib import Path

MEMORY, ROOM = Path("/dev/shm"), 8 * 2**30
"""Folder of Linux for files in memory, and bytes that are free where it is used."""


def memory_folder() -> Path | None:
    """Return a folder in memory with room, in which programs can be run; None without one."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK) or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return None
    return MEMORY if shutil.disk_usage(MEMORY).free > ROOM else None
