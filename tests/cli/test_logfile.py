"""Log file that is removed, moved or rotated while it is written."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui.runtime import logfile

log = logging.getLogger("tests")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    root, level, raising = logging.getLogger(), logging.getLogger().level, logging.raiseExceptions
    before = list(root.handlers)
    yield logfile.start_logging(tmp_path / "state")
    for handler in [each for each in root.handlers if each not in before]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    logging.raiseExceptions = raising


def test_a_removed_or_moved_log_is_created_again(path: Path):
    log.warning("one")
    path.rename(path.with_name("moved"))
    log.warning("two")
    assert "one" in path.with_name("moved").read_text()
    assert "two" in path.read_text()
    shutil.rmtree(path.parent)
    log.warning("three")
    assert path.read_text().count("\n") == 1
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_rotation_by_another_process_is_followed(path: Path):
    log.warning("one")
    path.rename(path.with_name("babeltop.log.1"))
    path.write_text("theirs\n")
    log.warning("two")
    assert path.read_text().startswith("theirs\n")
    assert "two" in path.read_text()


def test_a_log_that_cannot_be_written_raises_nothing(path: Path, capsys: pytest.CaptureFixture[str]):
    shutil.rmtree(path.parent)
    path.parent.write_text("no folder")
    log.warning("lost")
    assert capsys.readouterr() == ("", "")
    path.parent.unlink()
    log.warning("kept")
    assert "kept" in path.read_text()


def test_a_line_longer_than_a_log_file_does_not_stop_logging(path: Path):
    log.warning("x" * 3_000_000)
    log.warning("after")
    assert "after" in path.read_text()
    assert sum(each.stat().st_size for each in path.parent.iterdir()) < 5_000_000
