"""The command that adds an extra, for each way in which babeltop can have been installed."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from tui.storage.extras import install_command

PIP = f"{shlex.quote(sys.executable)} -m pip install"
FOLDER: dict[str, Any] = {"url": "file:///home/jo/my%20tools/babeltop", "dir_info": {}}
WHEEL = "file:///tmp/babeltop-0.1.0-py3-none-any.whl"
VERSION = {"url": "https://host/babeltop", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}


@pytest.mark.parametrize(
    ("marker", "origin", "command"),
    [
        ("", FOLDER, f"{PIP} '/home/jo/my tools/babeltop[web]'"),
        ("", FOLDER | {"dir_info": {"editable": True}}, f"{PIP} --editable '/home/jo/my tools/babeltop[web]'"),
        ("", {"url": WHEEL, "archive_info": {}}, f"{PIP} 'babeltop[web] @ {WHEEL}'"),
        ("", VERSION, f"{PIP} 'babeltop[web] @ git+https://host/babeltop@c0ffee'"),
        ("", None, f"{PIP} 'babeltop[web]'"),
        ("pipx_metadata.json", FOLDER, "pipx install --force '/home/jo/my tools/babeltop[web]'"),
        ("pipx_metadata.json", None, "pipx install --force 'babeltop[web]'"),
        ("uv-receipt.toml", FOLDER, "uv tool install '/home/jo/my tools/babeltop[web]'"),
        ("uv-receipt.toml", None, "uv tool install 'babeltop[web]'"),
    ],
)
def test_an_extra_is_installed_by_the_same_installer_from_the_same_origin(
    marker: str, origin: dict[str, Any] | None, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    info = tmp_path / "babeltop-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: babeltop\nVersion: 0.1.0\n")
    if origin:
        (info / "direct_url.json").write_text(json.dumps(origin))
    if marker:
        (tmp_path / marker).touch()
        monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    assert install_command("web") == command


def test_several_extras_are_one_command():
    assert install_command("web", "keyring").endswith("[web,keyring]'")
