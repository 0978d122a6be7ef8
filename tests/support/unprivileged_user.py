"""User without root's override of file permissions."""

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CAPABILITY_VERSION = 0x20080522
"""Version of capget(2) and capset(2): two sets of three words, each effective, permitted and inheritable."""
OVERRIDE_CAPABILITIES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, with which root ignores file modes."""


@contextmanager
def unprivileged(folder: Path) -> Iterator[None]:
    """Restrict this thread and its child processes to what the modes of `folder` permit.

    The user stays root: another user could not read a checkout in a private folder.
    """
    if os.geteuid() != 0:
        yield
        return
    assert folder.stat().st_uid == 0
    libc = ctypes.CDLL(None, use_errno=True)
    header, before = struct.pack("Ii", CAPABILITY_VERSION, 0), ctypes.create_string_buffer(24)
    assert libc.capget(header, before) == 0, os.strerror(ctypes.get_errno())
    effective, *others = struct.unpack("6I", before.raw)
    assert libc.capset(header, struct.pack("6I", effective & ~OVERRIDE_CAPABILITIES, *others)) == 0
    try:
        yield
    finally:
        assert libc.capset(header, before) == 0
