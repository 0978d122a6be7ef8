import importlib.util
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tui.storage import paths


def test_the_environment_determines_the_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("BABELTOP_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("BABELTOP_STATE_DIR", str(tmp_path / "state"))
    assert paths.config_file(paths.config_dir()) == tmp_path / "config" / "config.toml"
    assert paths.watchlist_file(paths.config_dir()) == tmp_path / "config" / "watchlist.toml"
    assert paths.providers_dir(paths.config_dir()) == tmp_path / "config" / "providers"
    assert paths.journal_file(paths.state_dir()) == tmp_path / "state" / "journal.db"
    assert paths.log_file(paths.state_dir()) == tmp_path / "state" / "babeltop.log"
    assert list(tmp_path.iterdir()) == []


def test_a_relative_folder_and_a_home_are_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ops")
    monkeypatch.setenv("BABELTOP_CONFIG_DIR", "here")
    monkeypatch.setenv("BABELTOP_STATE_DIR", "~/state")
    assert paths.config_dir() == tmp_path / "here"
    assert paths.state_dir() == Path("/home/ops/state")


@pytest.mark.skipif(sys.platform != "linux", reason="the XDG folders are Linux's")
def test_with_an_empty_environment_the_platform_determines_the_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in ("BABELTOP_CONFIG_DIR", "BABELTOP_STATE_DIR"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert paths.config_dir() == tmp_path / "config" / "babeltop"
    assert paths.state_dir() == tmp_path / "state" / "babeltop"


def test_a_private_folder_has_mode_0700(tmp_path: Path):
    folder = paths.make_private(tmp_path / "a" / "b")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_existing_folder_keeps_its_mode(tmp_path: Path):
    tmp_path.chmod(0o755)
    assert stat.S_IMODE(paths.make_private(tmp_path).stat().st_mode) == 0o755


def styles_of(root: Path) -> Path:
    """`styles_dir` of a copy of the program below `root`."""
    copy = root / "tui" / "storage" / "paths.py"
    copy.parent.mkdir(parents=True)
    shutil.copy(paths.__file__, copy)
    spec = importlib.util.spec_from_file_location("copied_paths", copy)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.styles_dir()


def test_styles_of_a_checkout_come_first(tmp_path: Path):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "tui" / "styles").mkdir(parents=True)
    assert styles_of(tmp_path) == tmp_path / "styles"


def test_styles_of_the_package_are_found_beside_a_foreign_styles_folder(tmp_path: Path):
    (tmp_path / "styles").mkdir()
    assert styles_of(tmp_path) == tmp_path / "tui" / "styles"


def test_importing_storage_imports_nothing_slow():
    code = (
        "import sys; from tui.storage import paths; from tui.storage.config import secrets, settings; "
        "print({'platformdirs', 'subprocess', 'tomllib', 'difflib', 'asyncio', 'keyring'} & set(sys.modules))"
    )
    root = Path(paths.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
