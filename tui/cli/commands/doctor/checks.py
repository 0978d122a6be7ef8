"""What `doctor` looks at without a network: program, files and their modes, hooks, terminal. It repairs nothing."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import tui
from tui.cli.commands.doctor.report import Finding, Level
from tui.storage.config import secrets
from tui.storage.config.secrets import SecretError
from tui.storage.config.settings import Hook, Settings
from tui.storage.extras import EXTRAS, install_command
from tui.storage.filesystem import network_type
from tui.storage.workspace import WorkspacePaths

MIN_FREE_BYTES = 50 * 1024 * 1024
"""Bytes that should be free where the journal grows."""
TMUX_TIMEOUT = 2.0
"""Seconds that tmux may take to answer."""
MAX_ESCAPE_TIME_MS = 50
"""Milliseconds that tmux may hold Esc back before it is felt."""


def check_program() -> Iterator[Finding]:
    """Versions, and what can be installed besides."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("program", "version", Level.OK, f"babeltop {tui.__version__} on Python {python}, {sys.platform}")
    there = [name for name, module in EXTRAS.items() if find_spec(module)]
    missing = [name for name in EXTRAS if name not in there]
    do = f"where you want them: {install_command(*missing)}" if missing else ""
    found = f"installed: {', '.join(there) or 'none'}" + (f"; not installed: {', '.join(missing)}" if missing else "")
    yield Finding("program", "extras", Level.OK, found, do)


def check_files(places: WorkspacePaths) -> Iterator[Finding]:
    """Folders and files: whether they are there, whose they are, and who else may read or write them."""
    yield _check_folder("config folder", places.config_dir)
    yield _check_file("config.toml", places.config_dir / "config.toml", private=False)
    yield _check_file("watchlist", places.watchlist_file, private=False)
    yield _check_folder("state folder", places.state_dir, private=True)
    yield _check_file("journal", places.state_dir / "journal.db", private=True)
    log = places.state_dir / "babeltop.log"
    if log.exists():
        yield _check_file("log", log, private=True)
    yield from _check_disk(places.state_dir)


def check_downloads(settings: Settings) -> Finding:
    """Where results go. The folder is made when the first one comes."""
    path = Path(settings.downloads.dir).expanduser()
    if path.exists() and not (path.is_dir() and os.access(path, os.W_OK | os.X_OK)):
        do = "see to its rights, or name another below [downloads]"
        return Finding("files", "downloads", Level.ERROR, f"{path} cannot be written", do)
    return Finding("files", "downloads", Level.OK, f"{path}{'' if path.exists() else ': made when it is needed'}")


def _check_folder(name: str, path: Path, *, private: bool = False) -> Finding:
    finding = _check_file(name, path, private=private, absent="made when it is needed")
    if finding.level is Level.OK and path.exists() and not path.is_dir():
        return Finding("files", name, Level.ERROR, f"{path} is no folder", "move it away")
    return finding


def _check_file(name: str, path: Path, *, private: bool, absent: str = "not there, and not needed") -> Finding:
    """`private`: nobody else should read it; for all: nobody else may write it."""
    try:
        status = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            return Finding("files", name, Level.ERROR, f"{path} leads nowhere", f"correct the link: ls -l {path}")
        return Finding("files", name, Level.OK, f"{path}: {absent}")
    except OSError as error:
        return Finding("files", name, Level.ERROR, f"{path}: {error.strerror}", "see to the rights of its folder")
    mode = stat.S_IMODE(status.st_mode)
    found = f"{path} ({mode:04o})"
    if not os.access(path, os.R_OK):
        return Finding("files", name, Level.ERROR, f"{found} cannot be read", f"chmod u+r {path}")
    if status.st_uid not in {os.getuid(), 0}:
        return Finding(
            "files", name, Level.WARNING, f"{found} is another user's", f"chown it, or name another folder: {path}"
        )
    if mode & 0o022:
        what = f"{found} can be written by other users, who could have your hooks run"
        return Finding("files", name, Level.ERROR, what, f"chmod go-w {path}")
    if private and mode & 0o077:
        what = f"{found} can be read by other users; it holds links that need no key"
        return Finding("files", name, Level.WARNING, what, f"chmod go-rwx {path}")
    return Finding("files", name, Level.OK, found)


def _check_disk(state: Path) -> Iterator[Finding]:
    there = next(folder for folder in (state, *state.parents) if folder.exists())
    if kind := network_type(there):
        do = "point BABELTOP_STATE_DIR at a folder on a local disk"
        yield Finding("files", "disk", Level.ERROR, f"{there} lies on a network file system ({kind})", do)
        return
    free = shutil.disk_usage(there).free
    level, do = (
        (Level.OK, "") if free >= MIN_FREE_BYTES else (Level.WARNING, "make room: the journal stops being written")
    )
    yield Finding("files", "disk", level, f"{free // 1024**2} MiB free at {there}", do)


def check_hooks(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the programs of hooks are there, and the secrets that sign what is sent. Nothing is sent."""
    for number, hook in enumerate(settings.hooks, 1):
        if hook.run:
            path = shutil.which(hook.run[0])
            level, do = (Level.OK, "") if path else (Level.ERROR, f"install it, or correct [[hook]] number {number}")
            yield Finding("hooks", f"{number}", level, path or f"there is no program {hook.run[0]!r} in PATH", do)
        elif hook.url:
            yield _check_webhook(f"{number}", hook, environ)


def _check_webhook(name: str, hook: Hook, environ: Mapping[str, str]) -> Finding:
    host = urlsplit(hook.url or "").hostname
    if hook.secret is None:
        return Finding("hooks", name, Level.OK, f"POST to {host}, not signed")
    try:
        secrets.fetch(hook.secret, environ)
    except SecretError as error:
        return Finding(
            "hooks", name, Level.ERROR, f"POST to {host}: {error}", "what is sent cannot be signed until then"
        )
    return Finding("hooks", name, Level.OK, f"POST to {host}, signed by {hook.secret}")


def check_terminal(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Colours, size, letters, clipboard and tmux of the terminal on stdout or stderr."""
    stream = next((each for each in (sys.stdout, sys.stderr) if each.isatty()), None)
    if stream is None:
        yield Finding("terminal", "terminal", Level.OK, "none here", "to look at one, run this in it without a pipe")
        return
    from rich.console import Console  # Textual brings it, and draws with it

    term = environ.get("TERM", "")
    if term in {"", "dumb", "unknown"}:
        yield Finding(
            "terminal", "TERM", Level.ERROR, f"TERM is {term!r}", "the board takes a terminal: TERM=xterm-256color"
        )
    colours = Console(file=stream).color_system
    names = {"truecolor": "16 million", "256": "256", "standard": "16"}
    good = colours == "truecolor"
    do = "" if good else "if the terminal can do more: export COLORTERM=truecolor"
    if "NO_COLOR" in environ:
        do = "NO_COLOR is set: unset it for colours"
    shown = names.get(colours or "", "none")
    yield Finding("terminal", "colours", Level.OK if good else Level.WARNING, f"{shown} (TERM={term})", do)
    columns, lines = os.get_terminal_size(stream.fileno())
    small = columns < 80 or lines < 24
    do = "make it larger: 80x24 shows the table, 120x30 the detail too" if small else ""
    yield Finding("terminal", "size", Level.WARNING if small else Level.OK, f"{columns}x{lines}", do)
    encoding = stream.encoding.lower().replace("_", "-")
    utf8 = encoding in {"utf-8", "utf8"}
    do = "" if utf8 else 'export LC_ALL=C.UTF-8, or write glyphs = "ascii" below [ui]'
    yield Finding("terminal", "letters", Level.OK if utf8 else Level.WARNING, stream.encoding, do)
    yield _check_clipboard(environ)
    if "TMUX" in environ:
        yield from _check_tmux()


def _check_clipboard(environ: Mapping[str, str]) -> Finding:
    """OSC 52 is never acknowledged: what can be said is which terminals are known to drop it."""
    if environ.get("TERM_PROGRAM") == "Apple_Terminal":
        do = "use another terminal, or select the link in the detail and copy it by hand"
        return Finding(
            "terminal", "clipboard", Level.WARNING, "Apple's Terminal drops OSC 52: copying does nothing", do
        )
    if environ.get("TERM_PROGRAM") == "iTerm.app":
        do = "Settings, General, Selection: applications in terminal may access clipboard"
        return Finding("terminal", "clipboard", Level.OK, "iTerm2 takes OSC 52 where it is allowed", do)
    if "STY" in environ:
        return Finding("terminal", "clipboard", Level.WARNING, "GNU screen drops OSC 52", "use tmux, or copy by hand")
    do = "try it: press y in the board, and paste"
    return Finding("terminal", "clipboard", Level.OK, "by OSC 52, which no terminal acknowledges", do)


def _check_tmux() -> Iterator[Finding]:
    """The settings of tmux that stand between the board and the terminal."""
    clipboard = _tmux_option("-sv", "set-clipboard")
    if clipboard is None:
        yield Finding(
            "terminal", "tmux", Level.WARNING, "tmux does not answer", "is this its server's shell? echo $TMUX"
        )
        return
    good = clipboard == "on"
    do = "" if good else "copying takes: set -s set-clipboard on   (in ~/.tmux.conf)"
    yield Finding("terminal", "set-clipboard", Level.OK if good else Level.WARNING, clipboard, do)
    passes = _tmux_option("-Apv", "allow-passthrough") or "off"
    good = passes in {"on", "all"}
    do = "" if good else "desktop notifications take: set -g allow-passthrough on   (tmux 3.3 and newer)"
    yield Finding("terminal", "allow-passthrough", Level.OK if good else Level.WARNING, passes, do)
    held = _tmux_option("-sv", "escape-time") or ""
    slow = held.isdigit() and int(held) > MAX_ESCAPE_TIME_MS
    do = "Esc comes at once with: set -s escape-time 10" if slow else ""
    yield Finding("terminal", "escape-time", Level.WARNING if slow else Level.OK, f"{held} ms", do)


def _tmux_option(flags: str, name: str) -> str | None:
    command = ["tmux", "show-options", flags, name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TMUX_TIMEOUT, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
