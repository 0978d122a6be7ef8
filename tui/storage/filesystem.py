"""Detection of network file systems, on which SQLite's write-ahead log and file locks are unreliable. Linux only."""

import os
from pathlib import Path

NETWORK_TYPES = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "ncpfs", "davfs"}
    | {"fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.davfs2", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse"}
)
"""File system types of /proc/mounts whose locks or shared memory depend on another host."""
MOUNT_TABLE = Path("/proc/self/mounts")


def network_type(folder: Path, mounts: Path = MOUNT_TABLE) -> str | None:
    """Return the type of the network file system that the folder is on, or None for any other file system."""
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
