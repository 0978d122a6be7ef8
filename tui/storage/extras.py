"""Command that adds an extra to babeltop with its own installer (pip, pipx or uv) and from its own origin.

It reads the installers' metadata and runs nothing.
"""

import json
import shlex
import sys
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

EXTRAS = {
    "web": "textual_serve",
    "keyring": "keyring",
    "simulate": "uvicorn",
    "socks": "socksio",
    "metrics": "prometheus_client",
    "postgres": "psycopg",
}
"""Module that each extra installs."""


def install_command(*extras: str) -> str:
    """Return the command that adds these extras to the environment that this process runs in."""
    return shlex.join([*_installer(Path(sys.prefix)), *_requirement(",".join(extras), _origin())])


def _installer(prefix: Path) -> list[str]:
    """Return the install command of the environment at `prefix`, without its requirement."""
    if (prefix / "pipx_metadata.json").exists():
        return ["pipx", "install", "--force"]
    if (prefix / "uv-receipt.toml").exists():
        return ["uv", "tool", "install"]
    if find_spec("pip"):
        return [sys.executable, "-m", "pip", "install"]
    return ["uv", "pip", "install", "--python", sys.executable]


def _origin() -> dict[str, Any]:
    """Return the recorded origin of babeltop (PEP 610), empty for an index."""
    try:
        return json.loads(distribution("babeltop").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:  # run in a checkout by `python3 -m tui`
        return {"url": Path(__file__).resolve().parents[2].as_uri(), "dir_info": {}}


def _requirement(extras: str, origin: dict[str, Any]) -> list[str]:
    """Return the arguments for babeltop with these extras, from the same origin."""
    name, url = f"babeltop[{extras}]", str(origin.get("url", ""))
    if "dir_info" in origin:
        folder = f"{unquote(urlsplit(url).path)}[{extras}]"
        return ["--editable", folder] if origin["dir_info"].get("editable") else [folder]
    if "vcs_info" in origin:
        version = origin["vcs_info"]
        return [f"{name} @ {version['vcs']}+{url}@{version['commit_id']}"]
    return [f"{name} @ {url}" if url else name]
