"""Attacks by a second local user (uid 65534), with everything that a local user can try, on a running babeltop.

Real processes of root: a simulator, `watch`, `serve`, and a download. The second user's process reads, replaces and
locks their files, looks into them by /proc, signals and traces them, speaks to `serve`, and lays symbolic links,
pipes and false files into folders that both can write. Then the program must have refused, its files be unchanged,
and everything still work. Needs root, to become another user.
"""

import ctypes
import fcntl
import hashlib
import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.servers import serve_app
from tests.support.waiting import DEADLINE, wait_until
from tests.support.web import free_port
from tui.simulator.app import Simulator

OTHER_USER = 65534
KEY = "sk-second-user-4669201609"
TOKENS = 200
"""Tokens and cookies that the second user guesses."""
JOBS = ("done-fine", "more-fine", "long-slow")
PTRACE_ATTACH = 16
Attempt = Callable[[], object]


class Victim:
    """Programs of the first user, in a folder that the second one can enter."""

    def __init__(self, folder: Path, service: str) -> None:
        self.home, self.shared = folder / "home", folder / "shared"
        self.config, self.state = self.home / "config", self.home / "state"
        self.downloads = self.home / "downloads"
        for each in (self.home, self.config, self.downloads):
            each.mkdir(mode=0o755)
        self.shared.mkdir()
        self.shared.chmod(0o1777)
        self.config.chmod(0o700)
        key = self.config / "key"
        key.write_text(KEY)
        key.chmod(0o600)
        account = f'[accounts.flixu]\nbase_url = "{service}"\napi_key = {{ file = "{key}" }}\n'
        (self.config / "config.toml").write_text(f'{account}[polling]\nmax_interval = "2s"\n')
        (self.config / "watchlist.toml").write_text(
            "".join(f'[[job]]\naccount = "flixu"\nid = "doc_{job}"\n' for job in JOBS)
        )
        for path in self.config.iterdir():
            path.chmod(0o600)
        self.env = os.environ | {
            "HOME": str(self.home),
            "BABELTOP_CONFIG_DIR": str(self.config),
            "BABELTOP_STATE_DIR": str(self.state),
            "SERVICE_KEY": KEY,
        }
        self.port = free_port()
        self.link = ""
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *args: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tui", *args]
        process = subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tui", *args]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=DEADLINE, check=False)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run `watch` and `serve`, after a download."""
        os.umask(0o022)
        assert self.run("wait", "doc_done-fine").returncode == 0
        assert self.run("download", "doc_done-fine", "--dir", str(self.downloads)).returncode == 0
        self.start("watch", "--json")
        serve = self.start("serve", "--port", str(self.port))
        assert serve.stderr is not None
        found = re.search(r"http://\S+token=[\w-]+", serve.stderr.readline())
        assert found is not None
        self.link = found[0]
        wait_until((self.state / "babeltop.log").exists)
        try:
            yield
        finally:
            for process in self.processes:
                process.send_signal(signal.SIGTERM)
            for process in self.processes:
                process.communicate(timeout=DEADLINE)

    def files(self) -> list[Path]:
        return sorted(path for path in self.home.rglob("*") if path.is_file())

    def digests(self) -> dict[str, str]:
        """Return the digests of the files that no program of the victim writes meanwhile, by path."""
        kept = [path for path in self.files() if self.state not in path.parents]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def file_attempts(path: Path, *, is_public: bool) -> Iterator[tuple[str, Attempt]]:
    """Yield what a user can try with a file. `is_public`: a download, which the umask lets others read."""
    if not is_public:
        yield "read", path.read_bytes
        yield "stat", path.stat
        yield "link", lambda: os.link(path, f"/tmp/{os.getpid()}-link")
        yield "lock", lambda: fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    yield "append", lambda: os.open(path, os.O_WRONLY | os.O_APPEND)
    yield "truncate", lambda: os.truncate(path, 0)
    yield "lock for writing", lambda: fcntl.lockf(os.open(path, os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
    yield "delete", path.unlink
    yield "replace", lambda: Path(own_file()).replace(path)
    yield "rename away", lambda: path.rename(f"/tmp/{os.getpid()}-away")
    yield "chmod", lambda: path.chmod(0o777)
    yield "chown", lambda: os.chown(path, OTHER_USER, OTHER_USER)
    yield "touch", lambda: os.utime(path, (1, 1))
    yield "set an attribute", lambda: os.setxattr(path, "user.x", b"y")
    yield "mount over", lambda: check(LIBC.mount(b"/tmp", bytes(path), b"none", 4096, None))


def folder_attempts(folder: Path, *, is_public: bool) -> Iterator[tuple[str, Attempt]]:
    """Yield what a user can try with a folder."""
    if not is_public:
        yield "list", lambda: list(os.scandir(folder))
        yield "enter", lambda: os.chdir(folder)
    for name in ("config.toml", "watchlist.toml", ".watchlist.toml.lock", "journal.db-wal", "poller.lock", "x.part"):
        yield f"create {name}", lambda name=name: (folder / name).open("x")
        yield f"link {name}", lambda name=name: (folder / name).symlink_to("/etc/passwd")
        yield f"make a pipe {name}", lambda name=name: os.mkfifo(folder / name)
    yield "create a folder", (folder / "providers.d").mkdir
    yield "chmod", lambda: folder.chmod(0o777)
    yield "rename", lambda: folder.rename(f"/tmp/{os.getpid()}-folder")
    yield "delete", folder.rmdir


def process_attempts(pid: int) -> Iterator[tuple[str, Attempt]]:
    """Yield what a user can try with a process."""
    for name in ("environ", "mem", "maps", "auxv", "syscall", "stack", "io", "pagemap", "personality"):
        yield f"read {name}", lambda name=name: os.read(os.open(f"/proc/{pid}/{name}", os.O_RDONLY), 1)
    for name in ("fd", "map_files", "fdinfo"):
        yield f"list {name}", lambda name=name: list(os.scandir(f"/proc/{pid}/{name}"))
    for name in ("cwd", "root", "exe", "fd/0", "fd/1", "fd/2", "fd/3", "fd/4", "fd/5", "fd/6"):
        yield f"follow {name}", lambda name=name: Path(f"/proc/{pid}/{name}").readlink()
    yield "write memory", lambda: os.open(f"/proc/{pid}/mem", os.O_WRONLY)
    for number in (0, signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP, signal.SIGHUP, signal.SIGUSR1):
        yield f"signal {number}", lambda number=number: os.kill(pid, number)
    yield "trace", lambda: check(LIBC.ptrace(PTRACE_ATTACH, pid, None, None))
    yield "take a descriptor", lambda: check(LIBC.syscall(438, os.pidfd_open(pid), 1, 0))
    yield "read memory", lambda: check(LIBC.process_vm_readv(pid, None, 1, None, 1, 0))
    yield "set limits", lambda: resource.prlimit(pid, 7, (1, 1))
    yield "renice", lambda: os.setpriority(os.PRIO_PROCESS, pid, 19)


def server_attempts(url: str) -> Iterator[tuple[str, Attempt]]:
    """Yield what a user can try with `serve`: each must end in an HTTP error."""
    port = url.rpartition(":")[2]
    for path in ("/", "/ws", "/static/js/textual.js", "/static/../../../etc/passwd", "/?token=", "/download/x"):
        for headers in (
            {},
            {"Host": "localhost"},
            {"X-Forwarded-For": "127.0.0.1"},
            {"Cookie": f"babeltop_{port}=; babeltop=x"},
            {"Authorization": "Bearer "},
            {"Authorization": "Basic cm9vdDo="},
            {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="},
        ):
            request = urllib.request.Request(url + path, headers=headers)
            yield f"GET {path} {headers}", lambda request=request: urllib.request.urlopen(request, timeout=DEADLINE)
    for number in range(TOKENS):
        guess = hashlib.sha256(b"%d" % number).hexdigest()[:43]
        link = f"{url}/?token={guess}"
        yield f"token {number}", lambda link=link: urllib.request.urlopen(link, timeout=DEADLINE)
        cookie = urllib.request.Request(url, headers={"Cookie": f"babeltop_{port}={guess}"})
        yield f"cookie {number}", lambda cookie=cookie: urllib.request.urlopen(cookie, timeout=DEADLINE)
    yield "take the port", lambda: socket.create_server(("127.0.0.1", int(port)), reuse_port=True)


CONTROL = ("read /etc/passwd", Path("/etc/passwd").read_bytes)
LIBC = ctypes.CDLL(None, use_errno=True)


def check(result: int) -> None:
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def own_file() -> str:
    path = Path(f"/tmp/{os.getpid()}-own")
    path.write_text("of the second user")
    return str(path)


def lay_traps(shared: Path, precious: Path) -> Iterator[tuple[str, Attempt]]:
    """Yield what a user can lay into a folder that both can write; it may succeed, and must not matter."""
    yield "link in place of the lock", lambda: (shared / ".watchlist.toml.lock").symlink_to(precious)
    yield (
        "own watchlist",
        lambda: (shared / "watchlist.toml").write_text('[[job]]\naccount = "flixu"\nid = "doc_evil"\n'),
    )
    yield "link in place of a watchlist", lambda: (shared / "linked.toml").symlink_to(precious)
    yield "pipe in place of a watchlist", lambda: os.mkfifo(shared / "pipe.toml")
    yield "own config", lambda: write_config(shared / "config")
    yield "own state", lambda: (shared / "state").mkdir(mode=0o777)
    yield "link in place of a state", lambda: (shared / "linked-state").symlink_to(precious.parent)
    for name in ("doc_more-fine.docx", ".doc_more-fine.docx.part", "doc_more-fine.part", "more.docx"):
        yield f"link {name}", lambda name=name: (shared / name).symlink_to(precious)


def write_config(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    (folder / "config.toml").write_text('[[hook]]\non = ["done"]\nrun = ["touch", "/tmp/babeltop-second-user"]\n')
    (folder / "watchlist.toml").write_text("")


def as_second_user(attempts: list[tuple[str, Attempt]]) -> list[str]:
    """Try everything in a process of the second user. Returns what succeeded."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(OTHER_USER, OTHER_USER, OTHER_USER)
            os.setresuid(OTHER_USER, OTHER_USER, OTHER_USER)
            os.chdir("/tmp")
            for name, attempt in [*attempts, CONTROL]:
                with suppress(OSError, sqlite3.Error, urllib.error.URLError):
                    attempt()
                    os.write(writing, f"{name}\n".encode())
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with open(reading, encoding="utf-8") as stream:  # noqa: PTH123  a descriptor
        succeeded = stream.read().splitlines()
    assert os.waitpid(pid, 0)[1] == 0
    assert succeeded[-1:] == [CONTROL[0]], "the second user's process ended early"
    del succeeded[-1]
    return succeeded


def attack(victim: Victim, precious: Path) -> Iterator[tuple[str, int, list[str]]]:
    """Yield each kind of attempt with its number, and what succeeded."""
    files = [(path, victim.downloads in path.parents) for path in victim.files()]
    folders = [(path, path == victim.downloads) for path in (victim.config, victim.state, victim.downloads)]
    pids = [process.pid for process in victim.processes]
    url = victim.link.partition("/?")[0]
    with suppress(urllib.error.HTTPError):
        urllib.request.urlopen(url)  # imports what the second user could not read
    kinds: dict[str, list[tuple[str, Attempt]]] = {
        "files": [
            (f"{what} {path}", attempt)
            for path, is_public in files
            for what, attempt in file_attempts(path, is_public=is_public)
        ],
        "folders": [
            (f"{what} in {path}", attempt)
            for path, is_public in folders
            for what, attempt in folder_attempts(path, is_public=is_public)
        ],
        "processes": [(f"{what} of {pid}", attempt) for pid in pids for what, attempt in process_attempts(pid)],
        "serve": list(server_attempts(url)),
    }
    for kind, attempts in kinds.items():
        yield kind, len(attempts), as_second_user(attempts)
    traps = list(lay_traps(victim.shared, precious))
    laid = as_second_user(traps)
    assert len(laid) == len(traps), laid
    yield "shared folder", len(traps), []


def walk_into_traps(victim: Victim) -> int:
    """Use the shared folder as the first user would. Returns the number of commands, all of which must be safe."""
    shared, count = victim.shared, 0
    for args, refused in (
        (("--watchlist", str(shared / "watchlist.toml"), "list"), True),
        (("--watchlist", str(shared / "watchlist.toml"), "add", "doc_x"), True),
        (("--watchlist", str(shared / "linked.toml"), "add", "doc_x"), True),
        (("--watchlist", str(shared / "pipe.toml"), "list"), True),
        (("--watchlist", str(shared / "new.toml"), "add", "doc_x"), False),
        (("download", "doc_more-fine", "--dir", str(shared)), False),
    ):
        done = victim.run(*args)
        assert not refused or done.returncode == 2, (args, done)
        assert "Traceback" not in done.stderr, done
        count += 1
    for variable, folder in (("CONFIG", "config"), ("STATE", "state"), ("STATE", "linked-state")):
        before = victim.env
        victim.env = before | {f"BABELTOP_{variable}_DIR": str(shared / folder)}
        done = victim.run("list")
        victim.env = before
        assert done.returncode == 2, (variable, folder, done)
        count += 1
    return count


def main() -> None:
    if os.geteuid() != 0:
        print("second_user: skipped, only root can become another user")
        return
    simulator = Simulator(speed=200)
    with TemporaryDirectory() as name, serve_app(simulator) as service:
        folder = Path(name)
        folder.chmod(0o755)
        victim = Victim(folder, service)
        precious = victim.home / "private" / "precious"
        precious.parent.mkdir(mode=0o700)
        precious.write_text("precious")
        precious.chmod(0o600)
        with victim.running():
            victim.run("wait", "doc_more-fine")
            before, total, found = victim.digests(), 0, []
            for kind, count, succeeded in attack(victim, precious):
                total += count
                found += succeeded
                print(f"  {kind}: {count} attempts, {len(succeeded)} succeeded", *succeeded, sep="\n    ", flush=True)
            commands = walk_into_traps(victim)
            assert victim.digests() == before, "a file of the first user has changed"
            assert all(process.poll() is None for process in victim.processes), "a program has ended"
            browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            with browser.open(victim.link, timeout=DEADLINE) as page:
                assert b"textual-terminal" in page.read(), "the first user's link opens the dashboard"
            command_lines = [Path(f"/proc/{each.pid}/cmdline").read_text() for each in victim.processes]
            assert KEY not in "".join(command_lines)
        assert not Path("/tmp/babeltop-second-user").exists()
        assert found == [], "\n".join(found)
        print(f"second_user: {total} attempts, {len(found)} succeeded; {commands} commands walked into no trap")


if __name__ == "__main__":
    main()
