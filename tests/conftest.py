"""What holds for every test."""

import gc
import os
import sys

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None)  # machines are shared: a slow moment is no defect
settings.load_profile("suite")

sys.dont_write_bytecode = False  # else each worker, and each program that a test starts, compiles every module
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests that mostly wait begin first, in any random order: the others run meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("waits") is None)


def pytest_collection_finish() -> None:
    """Keep the collected tests out of garbage collections: there are thousands, and none of them is garbage."""
    gc.collect()
    gc.freeze()
