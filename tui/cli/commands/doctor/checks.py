"""Checks without network: program, files and their modes, hooks, terminal. They repair nothing."""

import asyncio
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import tui
from tui.cli.commands.doctor.report import Finding, Level, isolated
from tui.cli.ui_settings import check_ui_settings
from tui.presentation import formatting
from tui.presentation.sanitize import clean
from tui.storage import paths
from tui.storage.config.configuration import Configuration, WorkspacePaths
from tui.storage.config.key_ring import KeyRing
from tui.storage.config.secrets import SecretError
from tui.storage.config.settings import Hook, Settings
from tui.storage.extras import EXTRAS, install_command
from tui.storage.filesystem import network_type
from tui.storage.workspace import Workspace

MIN_FREE_BYTES = 50 * 1024 * 1024
"""Free space that the journal should have."""
TMUX_TIMEOUT = 2.0
"""Seconds."""
MAX_TEAM_SKEW = 5.0
"""Seconds by which the clock of the team's database may differ."""
MAX_ESCAPE_TIME_MS = 50
"""Delay of Esc in tmux that is not noticed."""


def check_program() -> Iterator[Finding]:
    """Yield versions and extras."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("program", "version", Level.OK, f"babeltop {tui.__version__} on Python {python}, {sys.platform}")
    installed = [name for name, module in EXTRAS.items() if find_spec(module)]
    missing = [name for name in EXTRAS if name not in installed]
    remedy = f"optional: {install_command(*missing)}" if missing else ""
    found = f"installed: {', '.join(installed) or 'none'}" + (
        f"; not installed: {', '.join(missing)}" if missing else ""
    )
    yield Finding("program", "extras", Level.OK, found, remedy)


def check_files(places: WorkspacePaths) -> Iterator[Finding]:
    """Yield existence, owner and mode of folders and files."""
    yield from isolated("files", "config folder", _check_folder("config folder", places.config_dir))
    yield _check_file("config.toml", paths.config_file(places.config_dir), private=False)
    yield _check_file("watchlist", places.watchlist_file, private=False)
    yield from isolated("files", "state folder", _check_folder("state folder", places.state_dir, private=True))
    yield _check_file("journal", paths.journal_file(places.state_dir), private=True)
    yield _check_file("log", paths.log_file(places.state_dir), private=True, absent="created when needed")
    yield from isolated("files", "disk", _check_disk(places.state_dir))


def check_downloads(settings: Settings) -> Iterator[Finding]:
    """Yield whether the downloads folder is writable, if it exists."""
    path = paths.expand(settings.downloads.dir)
    if path.exists() and not (path.is_dir() and os.access(path, os.W_OK | os.X_OK)):
        remedy = "correct its permissions, or set another dir in [downloads]"
        yield Finding("files", "downloads", Level.ERROR, f"{path} is not writable", remedy)
    else:
        yield Finding("files", "downloads", Level.OK, f"{path}{'' if path.exists() else ': created when needed'}")


def check_dashboard(config: Configuration) -> Iterator[Finding]:
    """Yield whether the dashboard accepts its theme and keys."""
    check_ui_settings(config)
    remapped = len(config.settings.keys)
    keys = f"{formatting.count_of(remapped, 'command')} with other keys" if remapped else "default keys"
    views = f", {formatting.count_of(count, 'view')} of your own" if (count := len(config.settings.views)) else ""
    yield Finding("files", "dashboard", Level.OK, f"theme {config.settings.ui.theme}, {keys}{views}")


def _check_folder(name: str, path: Path, *, private: bool = False) -> Iterator[Finding]:
    finding = _check_file(name, path, private=private, absent="created when needed")
    if finding.level is Level.OK and path.exists() and not path.is_dir():
        finding = Finding("files", name, Level.ERROR, f"{path} is not a folder", "move it away")
    yield finding


def _check_file(name: str, path: Path, *, private: bool, absent: str = "not present (optional)") -> Finding:
    """Return a file's mode and owner. `private`: other users should not read it; none may write it."""
    try:
        status = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            return Finding("files", name, Level.ERROR, f"{path} is a broken symbolic link", f"correct it: ls -l {path}")
        return Finding("files", name, Level.OK, f"{path}: {absent}")
    except OSError as error:
        return Finding("files", name, Level.ERROR, f"{path}: {error.strerror}", "correct the permissions of its folder")
    mode = stat.S_IMODE(status.st_mode)
    found = f"{path} ({mode:04o})"
    if not os.access(path, os.R_OK):
        return Finding("files", name, Level.ERROR, f"{found} is not readable", f"chmod u+r {path}")
    if status.st_uid not in {os.getuid(), 0}:
        return Finding(
            "files", name, Level.WARNING, f"{found} belongs to another user", f"chown it, or use another folder: {path}"
        )
    if mode & 0o022:
        what = f"{found} is writable by other users: they could run commands through it"
        return Finding("files", name, Level.ERROR, what, f"chmod go-w {path}")
    if private and mode & 0o077:
        what = f"{found} is readable by other users; it contains links that need no key"
        return Finding("files", name, Level.WARNING, what, f"chmod go-rwx {path}")
    return Finding("files", name, Level.OK, found)


def _check_disk(state: Path) -> Iterator[Finding]:
    existing = next(folder for folder in (state, *state.parents) if folder.exists())
    if kind := network_type(existing):
        remedy = "set BABELTOP_STATE_DIR to a folder on a local disk"
        yield Finding("files", "disk", Level.ERROR, f"{existing} is on a network file system ({kind})", remedy)
        return
    free = shutil.disk_usage(existing).free
    level, remedy = (
        (Level.OK, "")
        if free >= MIN_FREE_BYTES
        else (Level.WARNING, "free some space: the journal cannot be written without it")
    )
    yield Finding("files", "disk", level, f"{free // 1024**2} MiB free at {existing}", remedy)


def check_hooks(settings: Settings, keys: KeyRing) -> Iterator[Finding]:
    """Yield whether the hooks' programs and secrets exist. Sends nothing."""
    for number, hook in enumerate(settings.hooks, 1):
        yield from isolated("hooks", f"{number}", _check_hook(f"{number}", hook, keys))


def _check_hook(name: str, hook: Hook, keys: KeyRing) -> Iterator[Finding]:
    if hook.run:
        path = shutil.which(hook.run[0])
        level, remedy = (Level.OK, "") if path else (Level.ERROR, f"install it, or correct [[hook]] number {name}")
        yield Finding("hooks", name, level, path or f"program {hook.run[0]!r} not found in PATH", remedy)
    else:
        yield _check_webhook(name, hook, keys)


def _check_webhook(name: str, hook: Hook, keys: KeyRing) -> Finding:
    host = urlsplit(hook.url or "").hostname
    if hook.secret is None:
        return Finding("hooks", name, Level.OK, f"POST to {host}, unsigned")
    try:
        keys.fetch_secret(hook.secret)
    except SecretError as error:
        return Finding(
            "hooks", name, Level.ERROR, f"POST to {host}: {error}", "deliveries fail until the secret is available"
        )
    return Finding("hooks", name, Level.OK, f"POST to {host}, signed with {hook.secret}")


def check_environment(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the proxies and root certificates that the environment sets, and what is wrong with them."""
    from tui.engine.http import environment

    try:
        found = environment.proxies(environ)
    except environment.EnvironmentSettingError as error:
        yield Finding("network", "proxy", Level.ERROR, str(error))
    else:
        hosts = sorted({proxy.url.host for proxy in found.values()})
        yield Finding("network", "proxy", Level.OK, ", ".join(hosts) or "none")
    if certificates := environment.certificate_problem(environ):
        yield Finding("network", "certificates", Level.ERROR, certificates)
    for warning in environment.warnings(environ):
        yield Finding("network", "environment", Level.WARNING, warning)


def check_terminal(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield colours, size, encoding, clipboard and tmux settings of the terminal on stdout or stderr."""
    stream = next((each for each in (sys.stdout, sys.stderr) if each.isatty()), None)
    if stream is None:
        yield Finding("terminal", "terminal", Level.OK, "no terminal", "to check one, run this in it without a pipe")
        return
    from rich.console import Console  # a dependency of Textual

    term = environ.get("TERM", "")
    if term in {"", "dumb", "unknown"}:
        yield Finding(
            "terminal",
            "TERM",
            Level.ERROR,
            f"TERM is {term!r}",
            "the dashboard requires a terminal type such as TERM=xterm-256color",
        )
    colours = Console(file=stream).color_system
    names = {"truecolor": "16 million", "256": "256", "standard": "16"}
    good = colours == "truecolor"
    remedy = "" if good else "if the terminal supports more: export COLORTERM=truecolor"
    if environ.get("NO_COLOR"):
        remedy = "unset NO_COLOR for colours"
    shown = names.get(colours or "", "none")
    yield Finding("terminal", "colours", Level.OK if good else Level.WARNING, f"{shown} (TERM={term})", remedy)
    columns, lines = os.get_terminal_size(stream.fileno())
    small = columns < 80 or lines < 24
    remedy = "enlarge it: 80x24 shows the table, 120x30 also the detail" if small else ""
    yield Finding("terminal", "size", Level.WARNING if small else Level.OK, f"{columns}x{lines}", remedy)
    encoding = stream.encoding.lower().replace("_", "-")
    utf8 = encoding in {"utf-8", "utf8"}
    remedy = "" if utf8 else 'export LC_ALL=C.UTF-8, or set glyphs = "ascii" in [ui]'
    yield Finding("terminal", "encoding", Level.OK if utf8 else Level.WARNING, stream.encoding, remedy)
    yield _check_clipboard(environ)
    if "TMUX" in environ:
        yield from _check_tmux()


def _check_clipboard(environ: Mapping[str, str]) -> Finding:
    """Return whether the terminal is known to drop OSC 52, which none acknowledges."""
    if environ.get("TERM_PROGRAM") == "Apple_Terminal":
        remedy = "use another terminal, or select the link in the detail with the mouse"
        return Finding(
            "terminal", "clipboard", Level.WARNING, "Apple's Terminal ignores OSC 52: copying does not work", remedy
        )
    if environ.get("TERM_PROGRAM") == "iTerm.app":
        remedy = "Settings, General, Selection: applications in terminal may access clipboard"
        return Finding("terminal", "clipboard", Level.OK, "iTerm2 supports OSC 52 if it is enabled", remedy)
    if "STY" in environ:
        return Finding(
            "terminal", "clipboard", Level.WARNING, "GNU screen ignores OSC 52", "use tmux, or select with the mouse"
        )
    remedy = "test it: press y in the dashboard, and paste"
    return Finding("terminal", "clipboard", Level.OK, "OSC 52, which no terminal acknowledges", remedy)


def _check_tmux() -> Iterator[Finding]:
    """Yield the settings of tmux that affect the dashboard."""
    clipboard = _tmux_option("-sv", "set-clipboard")
    if clipboard is None:
        yield Finding(
            "terminal", "tmux", Level.WARNING, "tmux does not respond", "check that $TMUX is the socket of its server"
        )
        return
    good = clipboard == "on"
    remedy = "" if good else "for copying, in ~/.tmux.conf: set -s set-clipboard on"
    yield Finding("terminal", "set-clipboard", Level.OK if good else Level.WARNING, clipboard, remedy)
    passthrough = _tmux_option("-Apv", "allow-passthrough") or "off"
    good = passthrough in {"on", "all"}
    remedy = "" if good else "for desktop notifications (tmux 3.3 or newer): set -g allow-passthrough on"
    yield Finding("terminal", "allow-passthrough", Level.OK if good else Level.WARNING, passthrough, remedy)
    escape_time = _tmux_option("-sv", "escape-time") or ""
    slow = escape_time.isdigit() and int(escape_time) > MAX_ESCAPE_TIME_MS
    remedy = "for a fast Esc key: set -s escape-time 10" if slow else ""
    yield Finding("terminal", "escape-time", Level.WARNING if slow else Level.OK, f"{escape_time} ms", remedy)


def _tmux_option(flags: str, name: str) -> str | None:
    command = ["tmux", "show-options", flags, name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TMUX_TIMEOUT, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def check_team(workspace: Workspace) -> Iterator[Finding]:
    """Yield the state of the team's database. Raises SettingsError and JournalError."""
    workspace.config.check_team()
    from tui.storage.team.administration import read_status

    found = asyncio.run(read_status(workspace.config.team_database))
    text = f"PostgreSQL {found.server_version}, layout {found.layout.number}, as {found.user} ({found.role})"
    yield Finding("team", "database", Level.OK, text)
    if found.restriction:
        yield Finding("team", "layout", Level.WARNING, found.restriction)
    if workspace.settings.team.insecure_database:
        yield Finding("team", "encryption", Level.WARNING, "insecure_database = true: the server is not verified")
    if not found.workers:
        remedy = "start `babeltop watch` where the API keys are"
        yield Finding("team", "worker", Level.WARNING, "no worker polls", remedy)
    for worker in found.workers:
        polled = ", ".join(worker.polled) or "no account"
        text = f"{worker.host}, PID {worker.pid}, babeltop {worker.version}: polls {polled}"
        yield Finding("team", "worker", Level.OK, clean(text))
        if worker.clock_step is not None:
            step, stepped_at = worker.clock_step
            at = datetime.fromtimestamp(stepped_at, UTC)
            text = f"the database's clock jumped by {step:+.0f} s until {at:%Y-%m-%d %H:%M:%S} UTC"
            remedy = "synchronize the clocks of the database's servers: waits and intervals count from them"
            yield Finding("team", "clock step", Level.WARNING, text, remedy)
    if found.unpolled:
        remedy = "start `babeltop watch` where their API keys are"
        yield Finding("team", "accounts", Level.WARNING, clean(f"not polled: {', '.join(found.unpolled)}"), remedy)
    is_off = abs(found.clock_lead) > MAX_TEAM_SKEW
    yield Finding(
        "team",
        "clock",
        Level.WARNING if is_off else Level.OK,
        f"the database's clock is {found.clock_lead:+z.1f} s from this computer's",
        "set this machine's clock: the times that a dashboard shows count from it" if is_off else "",
    )
