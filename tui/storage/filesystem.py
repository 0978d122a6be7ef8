"""Which folders lie on a network file system, where neither SQLite's log nor our locks hold. Linux tells."""

import os
from pathlib import Path

NETWORK_TYPES = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "ncpfs", "davfs"}
    | {"fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.davfs2", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse"}
)
"""File system types whose locks or shared memory are another host's, by the names of /proc/mounts."""
MOUNT_TABLE = Path("/proc/self/mounts")


def network_type(folder: Path, mounts: Path = MOUNT_TABLE) -> str | None:
    """The type of the network file system that the folder lies on; None: it lies on none that is known."""
    try:
        table = mounts.read_bytes()
    except OSError:
        return None
    real = os.fsencode(os.path.realpath(folder))
    longest, found = b"", b""
    for line in table.splitlines():
        _, place, kind, *_ = line.split(b" ")
        place = place.replace(b"\\040", b" ").replace(b"\\011", b"\t").replace(b"\\134", b"\\")
        inside = real == place or real.startswith(place.rstrip(b"/") + b"/")
        if inside and len(place) >= len(longest):
            longest, found = place, kind
    name = found.decode("ascii", "replace")
    return name if name in NETWORK_TYPES else None
