"""PostgreSQL server for tests: started as an unprivileged user, on a unix socket, without fsync."""

import asyncio
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.memory import memory_folder
from tests.support.waiting import wait_until

UNPRIVILEGED = 65534
"""User and group that own nothing."""
END_WITH_PARENT = ("--pdeathsig", "QUIT")
"""Options of setpriv: a signal ends the program when the test run ends, however that does; to a server, a crash."""
STEP_DOWN = ("setpriv", f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--clear-groups")
"""Prefix of commands that root may not run itself: initdb refuses root."""
TIMEOUT = 120
"""Seconds that a command of the server has."""
EMPTY_CLUSTER = "EMPTY_CLUSTER"
"""Environment variable: path of a cluster that new ones are copied from, in a tenth of initdb's time."""
TEMPLATE = "team"
"""Database of a shared server with the schema of a team."""

USERS, ADDRESS = "users.lock", "address"
"""Files of a shared server: what each of its users locks, and its folder beside that of an empty cluster."""


def server_folder() -> Path | None:
    """Return the folder with the newest server's programs; None without one."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return folders[-1].parent if folders else None


class PostgresServer:
    """Cluster in a folder of its own; it can be stopped and started again."""

    def __init__(self, programs: Path, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self._programs, self.folder, self._settings = programs, folder, settings or {}
        self._prefix = STEP_DOWN if os.geteuid() == 0 else ()
        self.data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def _environ(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self.folder)}

    def _run(self, program: Path | str, *arguments: str) -> None:
        command = [*self._prefix, str(program), *arguments]
        log = self.folder / "command.log"
        with log.open("ab") as output:
            subprocess.run(
                command, check=True, timeout=TIMEOUT, env=self._environ, cwd=self.folder, stdout=output, stderr=output
            )

    def create(self) -> None:
        """Make an empty cluster."""
        if self._prefix:
            os.chown(self.folder, UNPRIVILEGED, UNPRIVILEGED)
        self.folder.chmod(0o755)
        if EMPTY_CLUSTER in os.environ:
            self._run("cp", "-R", os.environ[EMPTY_CLUSTER], str(self.data))
            return
        self._run(
            self._programs / "initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", str(self.data)
        )

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped."""
        return (self.data / "postmaster.pid").exists()

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        import psycopg

        settings = {"listen_addresses": "", "unix_socket_directories": str(self.folder), "fsync": "off"}
        settings |= {"max_connections": "80", **self._settings}
        options = [f"--{name}={value}" for name, value in settings.items()]
        starter = (*(self._prefix or ("setpriv",)), *END_WITH_PARENT) if shutil.which("setpriv") else ()
        command = [*starter, str(self._programs / "postgres"), "-D", str(self.data), *options]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environ, cwd=self.folder, stdout=log, stderr=log)

        def accepts() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, (self.folder / "server.log").read_text()
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.conninfo()).close()
                return True
            return False

        wait_until(accepts, TIMEOUT)

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server as a crash does."""
        self._run(self._programs / "pg_ctl", "stop", "-m", mode, "-w", "-D", str(self.data))
        if self._process is not None:
            self._process.wait(TIMEOUT)

    def new_database(self, name: str = "") -> str:
        """Create an empty database, of any name if none is given, and return its connection string."""
        return self._create(name or f"t{os.urandom(6).hex()}", "template1", ())

    def new_team(self) -> str:
        """Create a database with the schema of a team, and return its connection string: on a shared server."""
        from tui.storage.team.administration import SETTINGS

        return self._create(f"t{os.urandom(6).hex()}", TEMPLATE, SETTINGS)  # which are not copied

    def _create(self, name: str, template: str, settings: Sequence[str]) -> str:
        import psycopg

        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            has_strategies = connection.info.server_version >= 15_00_00  # older servers always copy the files
            strategy = "STRATEGY file_copy" if has_strategies else ""  # half the time of a copy through the log
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} {strategy}")
            for setting in settings:
                connection.execute(f"ALTER DATABASE {name} SET {setting}")
        return self.conninfo(name)

    def conninfo(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the connection string of a database."""
        return f"host={self.folder} dbname={database} user={user}"


def member_of(conninfo: str, role: str) -> str:
    """Create a login with a role of the team, and return its connection string."""
    import psycopg

    name = f"{role}_{psycopg.conninfo.conninfo_to_dict(conninfo)['dbname']}"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN IN ROLE babeltop_{role}")
    return psycopg.conninfo.make_conninfo(conninfo, user=name)


@contextmanager
def postgres_server(**settings: str) -> Iterator[PostgresServer]:
    """Run a server of its own. The socket's path has at most 107 bytes, and any user can traverse its folders."""
    with _new_server(settings) as server:
        server.start()
        try:
            yield server
        finally:
            if server.is_running:
                server.stop()


@contextmanager
def _new_server(settings: Mapping[str, str]) -> Iterator[PostgresServer]:
    """Yield a server that has not been started."""
    programs = server_folder()
    assert programs is not None, "no PostgreSQL server: apt-get install postgresql"
    parent = memory_folder() or "/tmp"  # a database is 300 files, slow to create on a disk
    with tempfile.TemporaryDirectory(prefix="babeltop-pg-", dir=parent, ignore_cleanup_errors=True) as folder:
        server = PostgresServer(programs, Path(folder), settings)
        server.create()
        yield server


@contextmanager
def shared_server(folder: Path) -> Iterator[PostgresServer]:
    """Use the server of this folder together with other processes. The first one starts it; it ends with the last one.

    Its databases live for a test: autovacuum, which visits each of them every minute, would take most of its time.
    """
    programs = server_folder()
    assert programs is not None, "no PostgreSQL server: apt-get install postgresql"
    keeper = None
    with (folder / USERS).open("w") as users:
        with (folder / "start.lock").open("w") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_SH)
            if not (folder / ADDRESS).exists():
                command = [sys.executable, "-m", __name__, str(folder)]
                keeper = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
                assert keeper.stdout is not None
                (folder / ADDRESS).write_text(keeper.stdout.readline())
        shared, empty = (folder / ADDRESS).read_text().split()
        os.environ[EMPTY_CLUSTER] = empty
        try:
            yield PostgresServer(programs, Path(shared))
        finally:
            del os.environ[EMPTY_CLUSTER]
    if keeper is not None:
        keeper.communicate()


def _keep_server(folder: Path) -> None:
    """Run a server while any process holds the lock, also when its processes are killed.

    Prints its folder and that of an empty cluster.
    """
    from tui.storage.team.administration import initialize

    with _new_server({}) as empty:
        os.environ[EMPTY_CLUSTER] = str(empty.data)
        with postgres_server(autovacuum="off", max_connections="400") as server, (folder / USERS).open() as users:
            asyncio.run(initialize(server.new_database(TEMPLATE)))
            print(server.folder, empty.data, flush=True)
            fcntl.flock(users, fcntl.LOCK_EX)
            (folder / ADDRESS).unlink(missing_ok=True)


if __name__ == "__main__":
    _keep_server(Path(sys.argv[1]))
