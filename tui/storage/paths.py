"""Paths of the program's files, as functions, since nothing happens at import. Only `make_private` creates anything."""

import os
from collections.abc import Callable
from pathlib import Path

from tui.errors import StorageError

_APP_NAME = "babeltop"


def config_dir() -> Path:
    """Return the folder of the operator's files: BABELTOP_CONFIG_DIR, else the platform's. Raises StorageError."""
    if folder := _folder_from_environment("BABELTOP_CONFIG_DIR"):
        return folder
    from platformdirs import user_config_path  # 6 ms, a twelfth of what `list` may take

    return _platform_folder(user_config_path, "BABELTOP_CONFIG_DIR")


def state_dir() -> Path:
    """Return the folder of the program's files: BABELTOP_STATE_DIR, else the platform's. Raises StorageError."""
    if folder := _folder_from_environment("BABELTOP_STATE_DIR"):
        return folder
    from platformdirs import user_state_path

    return _platform_folder(user_state_path, "BABELTOP_STATE_DIR")


def config_file(config_dir: Path) -> Path:
    """Return the path of the operator's settings, which the program never writes."""
    return config_dir / "config.toml"


def watchlist_file(config_dir: Path) -> Path:
    """Return the path of the watchlist, unless `--watchlist` names another."""
    return config_dir / "watchlist.toml"


def providers_dir(config_dir: Path) -> Path:
    """Return the folder of the operator's provider files."""
    return config_dir / "providers"


def journal_file(state_dir: Path) -> Path:
    """Return the path of the journal, an SQLite database."""
    return state_dir / "journal.db"


def log_file(state_dir: Path) -> Path:
    """Return the path of the newest of the rotated logs."""
    return state_dir / "babeltop.log"


def serve_log_file(state_dir: Path) -> Path:
    """Return the path of the newest of the rotated logs of `serve`."""
    return state_dir / "serve.log"


def styles_dir() -> Path:
    """Return the folder of the `.tcss` files: the checkout's if there is one, else the installed package's.

    The checkout comes first: an editable install leaves a stale copy in the package, or none.
    """
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent
    return (checkout if (checkout / "pyproject.toml").is_file() else package) / "styles"


def make_private(folder: Path) -> Path:
    """Create the folder with mode 0700 and return it; an existing folder keeps its mode. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def expand(text: str) -> Path:
    """Return the path that an operator wrote, absolute so that it outlives a change of the working directory.

    Raises StorageError if `~` names no home folder, or if the working directory does not exist.
    """
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise StorageError(f"{text}: no such user, or no home folder; use an absolute path") from None
    except FileNotFoundError:
        raise StorageError(f"{text}: the working directory was deleted; use an absolute path") from None


def _folder_from_environment(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return expand(value) if value else None


def _platform_folder(find: Callable[..., Path], variable: str) -> Path:
    """Return the platform's folder. Raises StorageError without a home folder."""
    try:
        folder = find(_APP_NAME, appauthor=False)
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():  # platformdirs before 4.10 leaves `~` as it is
        raise StorageError(f"no home folder: set HOME, or {variable}, to an absolute path")
    return folder
