"""Where our files are: functions, since nothing happens at import. They create nothing but `make_private`."""

import os
from pathlib import Path

_APP_NAME = "babeltop"


def config_dir() -> Path:
    """The folder of what the operator writes: BABELTOP_CONFIG_DIR, else the platform's."""
    if told := _folder_from_environment("BABELTOP_CONFIG_DIR"):
        return told
    from platformdirs import user_config_path  # 6 ms, a twelfth of what `list` may take

    return user_config_path(_APP_NAME, appauthor=False)


def state_dir() -> Path:
    """The folder of what the program keeps: BABELTOP_STATE_DIR, else the platform's."""
    if told := _folder_from_environment("BABELTOP_STATE_DIR"):
        return told
    from platformdirs import user_state_path

    return user_state_path(_APP_NAME, appauthor=False)


def config_file() -> Path:
    """The operator's settings; never written by the program."""
    return config_dir() / "config.toml"


def watchlist_file() -> Path:
    """The watchlist, where `--watchlist` names no other."""
    return config_dir() / "watchlist.toml"


def providers_dir() -> Path:
    """The operator's own provider files."""
    return config_dir() / "providers"


def journal_file() -> Path:
    """The journal, an SQLite database."""
    return state_dir() / "journal.db"


def log_file() -> Path:
    """The newest of the rotated logs."""
    return state_dir() / "babeltop.log"


def styles_dir() -> Path:
    """The screens' `.tcss` files: the checkout's, where we run from one, else those inside the installed package.

    The checkout comes first: an editable install leaves a stale copy in the package, or none.
    """
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent
    return (checkout if (checkout / "pyproject.toml").is_file() else package) / "styles"


def make_private(folder: Path) -> Path:
    """The folder, created with mode 0700 where it is not there yet; one that is keeps the mode that it was given.

    Raises OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _folder_from_environment(variable: str) -> Path | None:
    """A folder from the environment, absolute so that it outlives a change of the working directory."""
    told = os.environ.get(variable)
    return Path(told).expanduser().absolute() if told else None
