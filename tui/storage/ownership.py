"""Trust in files and folders by owner and mode, as ssh has it: no other user may write what this program obeys.

A folder that a group shares is trusted if the variable SHARED_GROUP_VARIABLE names the group.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tui.errors import ConfigurationError

SHARED_GROUP_VARIABLE = "BABELTOP_SHARED_GROUP"
"""Environment variable with the name of a group whose members may own and write the files."""

MAX_LINKS = 10
"""Symbolic links one after the other that are checked."""


class UntrustedFileError(ConfigurationError):
    """Another user could have written a file, or could replace it; the message has the remedy."""


def check_trusted(places: Iterable[Path], environ: Mapping[str, str]) -> None:
    """Raise UntrustedFileError for the first path, or folder above it, that another user owns or may write.

    A path that does not exist is trusted; so is a sticky folder above it, such as /tmp.
    """
    shared_group = _group_id(environ.get(SHARED_GROUP_VARIABLE, ""))
    checked: set[Path] = set()
    for place in places:
        for link in _links_on_the_way(place):
            _check_owner(link, link.lstat(), shared_group)
        real = Path(os.path.realpath(place))
        for path in (real, *real.parents):
            if path not in checked:
                checked.add(path)
                _check(path, shared_group, is_parent=path is not real)


def files_below(folder: Path, suffix: str) -> Iterator[Path]:
    """Yield a folder and its files with this suffix, if there is one."""
    yield folder
    if folder.is_dir():
        yield from sorted(folder.glob(f"*{suffix}"))


def _check(path: Path, shared_group: int | None, *, is_parent: bool) -> None:
    try:
        status = path.stat()
    except OSError:
        return  # reported by its use
    mode = status.st_mode
    if is_parent and mode & stat.S_ISVTX:
        return
    shared = _check_owner(path, status, shared_group)
    by_group = mode & stat.S_IWGRP and not shared and not _is_own_group(status.st_gid)
    if by_group or mode & stat.S_IWOTH:
        remedy = f", or set {SHARED_GROUP_VARIABLE} to the group that shares it" if not mode & stat.S_IWOTH else ""
        raise UntrustedFileError(
            f"{path} can be written by other users (mode {stat.S_IMODE(mode):04o}): chmod go-w {path}{remedy}"
        )


def _check_owner(path: Path, status: os.stat_result, shared_group: int | None) -> bool:
    """Return whether the group that is trusted shares the path. Raises UntrustedFileError if another user owns it."""
    shared = shared_group is not None and status.st_gid == shared_group
    if status.st_uid not in {0, os.geteuid()} and not shared:
        raise UntrustedFileError(
            f"{path} belongs to another user (uid {status.st_uid}) and decides what babeltop does: chown it, "
            f"use another folder, or set {SHARED_GROUP_VARIABLE} to the group that shares it"
        )
    return shared


def _links_on_the_way(place: Path, depth: int = 0) -> Iterator[Path]:
    """Yield the symbolic links that lead from a path to its place, which may lie in a sticky folder."""
    for path in (place, *place.parents):
        if os.path.islink(path):  # noqa: PTH114  False below a folder that may not be entered, which its use reports
            yield path
            if depth < MAX_LINKS:
                yield from _links_on_the_way(path.parent / path.readlink(), depth + 1)


def _group_id(name: str) -> int | None:
    if not name:
        return None
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UntrustedFileError(f"{SHARED_GROUP_VARIABLE}: no group {name!r}") from None


def _is_own_group(group: int) -> bool:
    """Return whether only this user is in the group: distributions create one for each user, with umask 002."""
    import grp
    import pwd

    try:
        user, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return user.pw_gid == group and found.gr_name == user.pw_name and set(found.gr_mem) <= {user.pw_name}
