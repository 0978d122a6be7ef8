"""PostgreSQL servers for tests end with the test runs that started them, however these end."""

import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.support.waiting import wait_until

pytestmark = [pytest.mark.waits, pytest.mark.usefixtures("postgres")]  # which skips without a server


def test_a_server_for_tests_ends_with_its_test_run():
    script = (
        "import time\nfrom tests.support.postgres_server import postgres_server\n"
        "with postgres_server() as server:\n"
        "    print(server._process.pid, server.folder, flush=True)\n    time.sleep(3600)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    pid, folder = run.stdout.readline().split()
    assert Path(f"/proc/{pid}").exists()
    run.kill()
    run.communicate()
    wait_until(lambda: not Path(folder, "data", "postmaster.pid").exists())
    shutil.rmtree(folder)


def test_a_server_that_test_processes_share_ends_with_the_last_of_them(tmp_path):
    script = (
        "import time\nfrom pathlib import Path\nfrom tests.support.postgres_server import shared_server\n"
        f"with shared_server(Path({str(tmp_path)!r})) as server:\n"
        "    print(server.folder, flush=True)\n    time.sleep(3600)\n"
    )
    command = [sys.executable, "-c", script]
    users = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folder, other = (Path(user.stdout.readline().strip()) for user in users)
    assert folder == other
    users[0].kill()
    users[0].communicate()
    psycopg.connect(f"host={folder} user=postgres").close()
    users[1].kill()
    users[1].communicate()
    wait_until(lambda: not folder.exists())
