"""Paths of the program's files, as functions, since nothing happens at import. Only `make_private` creates anything."""

import os
from pathlib import Path

_APP_NAME = "babeltop"


def config_dir() -> Path:
    """Return the folder of the operator's files: BABELTOP_CONFIG_DIR, else the platform's."""
    if folder := _folder_from_environment("BABELTOP_CONFIG_DIR"):
        return folder
    from platformdirs import user_config_path  # 6 ms, a twelfth of what `list` may take

    return user_config_path(_APP_NAME, appauthor=False)


def state_dir() -> Path:
    """Return the folder of the program's files: BABELTOP_STATE_DIR, else the platform's."""
    if folder := _folder_from_environment("BABELTOP_STATE_DIR"):
        return folder
    from platformdirs import user_state_path

    return user_state_path(_APP_NAME, appauthor=False)


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


def _folder_from_environment(variable: str) -> Path | None:
    """Return the folder that a variable names, absolute so that it outlives a change of the working directory."""
    value = os.environ.get(variable)
    return Path(value).expanduser().absolute() if value else None
