"""PostgreSQL server for tests: started as an unprivileged user, on a unix socket, without fsync."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.waiting import wait_until

UNPRIVILEGED = 65534
"""User and group that own nothing."""
END_WITH_PARENT = ("--pdeathsig", "QUIT")
"""Options of setpriv: a signal ends the program when the test run ends, however that does; to a server, a crash."""
STEP_DOWN = ("setpriv", f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--clear-groups")
"""Prefix of commands that root may not run itself: initdb refuses root."""
TIMEOUT = 120
"""Seconds that a command of the server has."""


def server_folder() -> Path | None:
    """Return the folder with the newest server's programs; None without one."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return folders[-1].parent if folders else None


class PostgresServer:
    """Cluster in a folder of its own; it can be stopped and started again."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self.folder = programs, folder
        self._prefix = STEP_DOWN if os.geteuid() == 0 else ()
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def _environ(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self.folder)}

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._prefix, str(self._programs / program), *arguments]
        log = self.folder / "command.log"
        with log.open("ab") as output:
            subprocess.run(
                command, check=True, timeout=TIMEOUT, env=self._environ, cwd=self.folder, stdout=output, stderr=output
            )

    def create(self) -> None:
        """Make the cluster."""
        if self._prefix:
            os.chown(self.folder, UNPRIVILEGED, UNPRIVILEGED)
        self.folder.chmod(0o755)
        self._run("initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", str(self._data))

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped."""
        return (self._data / "postmaster.pid").exists()

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        import psycopg

        settings = {"listen_addresses": "", "unix_socket_directories": self.folder, "fsync": "off"}
        options = [f"--{name}={value}" for name, value in (settings | {"max_connections": 80}).items()]
        starter = (*(self._prefix or ("setpriv",)), *END_WITH_PARENT) if shutil.which("setpriv") else ()
        command = [*starter, str(self._programs / "postgres"), "-D", str(self._data), *options]
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
        self._run("pg_ctl", "stop", "-m", mode, "-w", "-D", str(self._data))
        if self._process is not None:
            self._process.wait(TIMEOUT)

    def new_database(self) -> str:
        """Create an empty database, and return its connection string."""
        import psycopg

        name = f"t{os.urandom(6).hex()}"
        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
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
def postgres_server() -> Iterator[PostgresServer]:
    """Run a server of its own. The socket's path has at most 107 bytes, and any user can traverse its folders."""
    programs = server_folder()
    assert programs is not None, "no PostgreSQL server: apt-get install postgresql"
    with tempfile.TemporaryDirectory(prefix="babeltop-pg-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(programs, Path(folder))
        server.create()
        server.start()
        try:
            yield server
        finally:
            if server.is_running:
                server.stop()
