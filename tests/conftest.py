"""What holds for every test."""

import gc
import os
import shlex
import signal
import sys
import tempfile
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile(
    "suite",
    deadline=None,  # machines are shared: a slow moment is no defect
    max_examples=100 if "BABELTOP_CI" in os.environ else 50,  # they differ in each run, and to make them takes long
)
settings.load_profile("suite")

sys.dont_write_bytecode = False  # else each worker, and each program that a test starts, compiles every module
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:  # as nohup has it: programs that tests start would ignore it too
        signal.signal(_number, lambda *_: None)

WAITS_SHARE = 0.6
"""Part of the run in which the tests that wait begin."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest tests begin first, and tests that wait between the others, in any random order."""
    longest = [item for item in items if item.get_closest_marker("longest")]
    waiting = [item for item in items if item.get_closest_marker("waits") and item not in longest]
    first = {*longest, *waiting}
    others = [item for item in items if item not in first]
    places = [(WAITS_SHARE * place / len(waiting), item) for place, item in enumerate(waiting)]
    places += [(place / len(others), item) for place, item in enumerate(others)]
    items[:] = [*longest, *(item for _, item in sorted(places, key=lambda each: each[0]))]


def pytest_collection_finish() -> None:
    """Keep the collected tests out of garbage collections, and collect less often, which saves a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure() -> None:
    """Collect the garbage of the last tests once: pytest does so five times, through all that caches hold."""
    gc.collect()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the files of tests in memory, and start the processes from which workers and programs are forked."""
    from tests.support.fork_server import ADDRESS, fork_server
    from tests.support.memory import memory_folder
    from tests.support.worker import worker_server

    gc.disable()  # while tests are collected, of which none is garbage
    if (folder := memory_folder()) is not None:
        os.environ.setdefault("TMPDIR", str(folder))
        tempfile.tempdir = None  # read again

    if sys.platform == "linux" and ADDRESS not in os.environ:
        stack = ExitStack()
        stack.enter_context(fork_server())
        if config.getoption("numprocesses", None):
            stack.enter_context(worker_server(config.args))
        config.add_cleanup(stack.close)


def pytest_xdist_setupnodes(specs: list[Any]) -> None:
    """Fork the workers."""
    from tests.support import worker

    if worker.ADDRESS in os.environ:
        for spec in specs:
            spec.python = shlex.join([sys.executable, worker.__file__])


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory):
    """PostgreSQL server of this test run."""
    from tests.support.postgres_server import server_folder, shared_server

    if server_folder() is None and "BABELTOP_CI" not in os.environ:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    folder = tmp_path_factory.getbasetemp()
    with shared_server(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) as server:
        yield server


@pytest.fixture
def team(postgres):
    """Connection string of a new database with the schema of a team."""
    return postgres.new_team()
