"""Check of the settings that only the dashboard uses: `[keys]` and `[ui] theme`. It is done before its start."""

from collections.abc import Iterator

from tui.commands import KeysError, apply_keymap
from tui.providers.table_decoder import suggest
from tui.storage import paths
from tui.storage.config.configuration import Configuration
from tui.storage.config.settings import OWN_THEMES, Settings, located_error


def check_ui_settings(config: Configuration) -> None:
    """Raise SettingsError, with the line of each problem and the nearest valid name."""
    if problems := tuple(_problems(config.settings)):
        raise located_error(paths.config_file(config.paths.config_dir), problems)


def _problems(settings: Settings) -> Iterator[str]:
    from textual.theme import BUILTIN_THEMES

    names = {*OWN_THEMES, *BUILTIN_THEMES}
    if settings.ui.theme not in names:
        yield f"ui.theme: no theme {settings.ui.theme!r}{suggest(settings.ui.theme, names)}"
    try:
        apply_keymap(settings.keys)
    except KeysError as error:
        yield from error.problems
