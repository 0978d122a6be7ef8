"""A user whom permissions bind: root ignores them."""

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CAPABILITY_VERSION = 0x20080522
"""Of capget(2) and capset(2): two sets of three words, each effective, permitted and inheritable."""
OVERRIDE_CAPABILITIES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what lets root read and write whatever a file's mode says."""


@contextmanager
def unprivileged(folder: Path) -> Iterator[None]:
    """Within it this thread, and what it starts, may do with `folder` what its modes say, and no more.

    Root stays the user: another one could not read a checkout that lies in a private folder.
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
