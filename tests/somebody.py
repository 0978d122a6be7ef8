"""A user whom permissions bind: root ignores them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534
"""The user id that owns nothing, on Linux."""


@contextmanager
def somebody(folder: Path) -> Iterator[None]:
    """Within it the process is no root, and `folder`, one of pytest's own, is its own."""
    if os.geteuid() != 0:
        yield
        return
    for above in (folder, *folder.parents[:3]):  # three deep under several workers
        if above.name.startswith(("pytest-", "popen-", folder.name)):
            above.chmod(0o755)
    os.chown(folder, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
