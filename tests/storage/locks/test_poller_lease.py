import subprocess

from tests.support.fork_server import start_program
from tui.storage.filesystem import network_type
from tui.storage.journal.heartbeats import Heartbeat
from tui.storage.journal.journal import Journal
from tui.storage.locks.poller_lease import Lease

HOLDER = """
import signal, sys
from pathlib import Path
from tui.storage.locks.poller_lease import Lease
lease = Lease(Path(sys.argv[1]), Path(sys.argv[2]))
assert lease.acquire()
print("held", flush=True)
signal.pause()
"""


def test_one_process_at_a_time_holds_the_lease_of_a_watchlist_by_any_path(tmp_path):
    (tmp_path / "real.toml").touch()
    (tmp_path / "link.toml").symlink_to("real.toml")
    first = Lease(tmp_path / "state", tmp_path / "real.toml")
    second = Lease(tmp_path / "state", tmp_path / "link.toml")
    other = Lease(tmp_path / "state", tmp_path / "other.toml")
    assert (first.acquire(), second.acquire(), other.acquire()) == (True, False, True)
    assert first.acquire(), "it is ours already"
    first.release()
    assert second.acquire()
    for lease in (first, second, other):
        lease.release()


def test_checking_whether_a_lease_is_free_does_not_acquire_it(tmp_path):
    first, second = Lease(tmp_path, tmp_path / "w"), Lease(tmp_path, tmp_path / "w")
    assert first.is_free()
    assert second.acquire()
    assert not first.is_free()
    assert second.is_free()
    assert second.is_held
    second.release()


def test_the_lease_of_a_process_that_is_killed_is_free_at_once(tmp_path):
    lease = Lease(tmp_path / "state", tmp_path / "w")
    arguments = (str(tmp_path / "state"), str(tmp_path / "w"))
    with start_program("-c", HOLDER, *arguments, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert not lease.acquire()
        holder.kill()
        holder.wait()
    assert lease.acquire()
    lease.release()


def test_the_folder_and_the_lock_are_private(tmp_path):
    lease = Lease(tmp_path / "state", tmp_path / "w")
    lease.acquire()
    assert [oct(path.stat().st_mode & 0o777) for path in (lease.path.parent, lease.path)] == ["0o700", "0o600"]
    lease.release()


def test_heartbeats_are_counted_so_that_no_clock_is_needed(tmp_path):
    first, second = Journal(tmp_path / "journal.db"), Journal(tmp_path / "journal.db")
    assert second.heartbeats.latest("w") is None
    first.heartbeats.record("w", 7, b"[]")
    received = second.heartbeats.latest("w")
    assert second.heartbeats.latest("w") == received == Heartbeat(7, 1, b"[]")
    first.heartbeats.record("w", 7, b"[]")
    assert second.heartbeats.latest("w") != received
    assert second.heartbeats.latest("another") is None
    first.close()
    second.close()


MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb /home/me/local\\040disk ext4 rw 0 0
me@host: /mnt/far fuse.sshfs rw 0 0
//nas/x /srv cifs rw 0 0
"""


def test_a_network_file_system_is_known_by_the_innermost_mount(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    found = {
        folder: network_type(tmp_path.__class__(folder), mounts)
        for folder in ("/var/lib", "/home/me", "/home/me/local disk/state", "/homes", "/mnt/far/state", "/srv")
    }
    assert found == {
        "/var/lib": None,
        "/home/me": "nfs4",
        "/home/me/local disk/state": None,
        "/homes": None,
        "/mnt/far/state": "fuse.sshfs",
        "/srv": "cifs",
    }
    assert network_type(tmp_path, tmp_path / "nowhere") is None
