"""Table of the dashboard's commands, from which bindings, help, palette and footer are made. Handlers: dashboard."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from tui.domain.operator_input import nearest
from tui.errors import ConfigurationError

# fmt: off
CommandId = Literal[
    "help", "palette", "quit",
    "down", "up", "top", "bottom", "half_down", "half_up", "page_down", "page_up", "right", "left", "focus_next",
    "open", "back", "close", "interrupt", "filter", "find_next", "find_previous",
    "sort", "sort_reverse", "sort_left", "sort_right", "tab_next", "tab_previous",
    "freeze", "time", "theme", "preview", "detail_position", "accounts", "fleet", "calendar", "why", "journal", "team",
    "view_all", "view_active", "view_done", "view_problems", "view_expiring", "view_archive",
    "saved_view_1", "saved_view_2", "saved_view_3", "views", "columns",
    "mark", "mark_all", "unmark", "invert",
    "add", "edit", "remove", "undo", "archive", "mute", "refresh", "refresh_all", "pause",
    "renew", "copy_id", "copy_link", "open_link", "download",
]
# fmt: on
"""The ids that `[keys]` remaps."""


class Command(NamedTuple):
    """One command, its keys and its texts."""

    id: CommandId
    keys: tuple[str, ...]
    """In Textual's names; the footer shows the first."""
    title: str
    """Two or three words, for footer and palette."""
    help: str
    group: str
    footer_priority: int = 0
    """The footer shows the lowest first; 0: not in the footer."""
    writes: bool = False
    """Disabled by `--readonly`."""
    for_viewers: bool = True
    """False: disabled for the role viewer of a team, as are all that write."""


GROUPS = MOVE, VIEW, JOBS, RESULTS, PROGRAM = "Move", "View", "Jobs", "Results", "Program"

COMMANDS = (
    Command("help", ("question_mark", "f1"), "help", "keys, signs and filter terms", PROGRAM, 1),
    Command("down", ("j", "down"), "next job", "next job", MOVE),
    Command("up", ("k", "up"), "previous job", "previous job", MOVE),
    Command("top", ("g", "home"), "first job", "first job", MOVE),
    Command("bottom", ("G", "end"), "last job", "last job", MOVE),
    Command("half_down", ("ctrl+d",), "half down", "half a page down", MOVE),
    Command("half_up", ("ctrl+u",), "half up", "half a page up", MOVE),
    Command("page_down", ("pagedown",), "page down", "one page down", MOVE),
    Command("page_up", ("pageup",), "page up", "one page up", MOVE),
    Command(
        "right", ("l", "right"), "scroll right", "show the parts of a job that has them; else scroll names right", MOVE
    ),
    Command("left", ("h", "left"), "scroll left", "scroll names left", MOVE),
    Command("focus_next", ("tab",), "table/detail", "switch between table and detail", MOVE),
    Command("open", ("enter",), "detail", "open the job's detail; in the detail: show the job's parts", VIEW, 8),
    Command("back", ("escape",), "back", "close search, detail, filter or marks", VIEW),
    Command("close", ("q",), "close", "like Esc; with nothing open: quit, after a question", VIEW),
    Command("interrupt", ("ctrl+c",), "copy selection", "copy the text selected in the detail; else like q", VIEW),
    Command("filter", ("slash",), "filter", "filter the table; in tab Response: search", VIEW, 2),
    Command("find_next", ("n",), "next match", "next match in Response", VIEW),
    Command("find_previous", ("N",), "previous match", "previous match in Response", VIEW),
    Command("sort", ("s",), "sort", "select the sort order", VIEW, 9),
    Command("sort_reverse", ("S",), "reverse", "reverse sort order", VIEW),
    Command("sort_left", ("less_than_sign",), "sort left", "sort by previous column", VIEW),
    Command("sort_right", ("greater_than_sign",), "sort right", "sort by next column", VIEW),
    Command("tab_next", ("right_square_bracket",), "next tab", "next tab of the detail", VIEW),
    Command("tab_previous", ("left_square_bracket",), "previous tab", "previous tab of the detail", VIEW),
    Command("freeze", ("z",), "freeze", "freeze the view; polling continues", VIEW),
    Command("time", ("t",), "time format", "cycle time format: relative, local, UTC", VIEW),
    Command("theme", ("T",), "theme", "next theme", VIEW),
    Command("preview", ("p",), "preview", "show or hide the detail beside the table", VIEW),
    Command("detail_position", ("P",), "detail position", "move the detail: below or right of the table", VIEW),
    Command("accounts", ("A",), "accounts", "health, quota and rate limit of each account", VIEW),
    Command("fleet", ("F",), "fleet", "each account today: jobs, durations, failures, limits", VIEW),
    Command("calendar", ("E",), "expiring links", "links that expire in 14 days, by day and hour", VIEW),
    Command("why", ("w",), "why", "why nothing is sent yet, and what to do: the account of the job", VIEW),
    Command("journal", ("J",), "recent events", "recent events of all jobs", VIEW),
    Command("team", ("M",), "mine/team", "switch between your watchlist and those of the whole team", VIEW),
    Command("view_all", ("1",), "view all", "all jobs, except archived ones", VIEW),
    Command("view_active", ("2",), "view active", "new, queued and running jobs", VIEW),
    Command("view_done", ("3",), "view done", "completed jobs", VIEW),
    Command(
        "view_problems", ("4", "exclamation_mark"), "view problems", "failed, timed-out, blocked and missing jobs", VIEW
    ),
    Command("view_expiring", ("5",), "view expiring", "completed jobs with a link that expires soon", VIEW),
    Command("view_archive", ("6",), "view archive", "archived jobs", VIEW),
    Command("saved_view_1", ("7",), "view 7", "first [[view]] of config.toml", VIEW),
    Command("saved_view_2", ("8",), "view 8", "second [[view]] of config.toml", VIEW),
    Command("saved_view_3", ("9",), "view 9", "third [[view]] of config.toml", VIEW),
    Command("views", ("v",), "views", "all views, with their counts and filters", VIEW),
    Command("columns", ("c",), "columns", "select and order the columns", VIEW),
    Command("mark", ("space",), "mark", "mark the job; commands act on all marked jobs", JOBS),
    Command("mark_all", ("V",), "mark all", "mark all jobs in the table", JOBS),
    Command("unmark", ("U",), "clear marks", "clear all marks", JOBS),
    Command("invert", ("asterisk",), "invert marks", "invert marks in the table", JOBS),
    Command("add", ("a",), "add", "add job ids or links; paste many, one per line", JOBS, 3, writes=True),
    Command("edit", ("e",), "edit", "edit label, tags, note and options; of many at once", JOBS, writes=True),
    Command("remove", ("d",), "remove", "remove from the watchlist", JOBS, 10, writes=True),
    Command("undo", ("u",), "undo", "undo the last change of the watchlist", JOBS, 11, writes=True),
    Command("archive", ("x",), "archive", "archive or unarchive", JOBS, writes=True),
    Command("mute", ("m",), "mute", "mute or unmute alerts and hooks", JOBS, writes=True),
    Command("refresh", ("r",), "refresh", "refresh now", JOBS, 4, for_viewers=False),
    Command("refresh_all", ("R",), "refresh all", "refresh all jobs in the table", JOBS, for_viewers=False),
    Command("renew", ("L",), "renew link", "renew the links now", RESULTS, for_viewers=False),
    Command("pause", ("Z",), "pause", "pause or resume polling; r still refreshes", JOBS, for_viewers=False),
    Command("copy_id", ("y",), "copy id", "copy the ids to the clipboard (OSC 52), one per line", RESULTS),
    Command(
        "copy_link",
        ("Y",),
        "copy link",
        "copy the links to the clipboard (OSC 52), one per line",
        RESULTS,
        5,
        for_viewers=False,
    ),
    Command("open_link", ("o",), "open", "open the links, or the folders of the downloads", RESULTS, 6, writes=True),
    Command("download", ("D",), "download", "download the files; press again to cancel", RESULTS, 7, writes=True),
    Command("palette", ("colon", "ctrl+p"), "commands", "all commands by name", PROGRAM, 7),
    Command("quit", ("ctrl+q",), "quit", "quit; your jobs keep running", PROGRAM, 12),
)

_KEY_LABELS = {
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "exclamation_mark": "!",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
    "tab": "Tab",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "home": "Home",
    "end": "End",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "asterisk": "*",
    "less_than_sign": "<",
    "greater_than_sign": ">",
}


def key_label(key: str) -> str:
    """Return the key as an operator reads it: `^d`, `Esc`, `?`."""
    if key.startswith("ctrl+"):
        return f"^{key[5:]}"
    return _KEY_LABELS.get(key, key.upper() if key[0] == "f" and key[1:].isdigit() else key)


class KeysError(ConfigurationError):
    """Invalid `[keys]` in the settings; `problems` names each unknown id and each key that is assigned twice."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def apply_keymap(keys: Mapping[str, Iterable[str]]) -> tuple[Command, ...]:
    """Return the table with the operator's keys. Raises KeysError for unknown ids and keys assigned twice."""
    ids = [command.id for command in COMMANDS]
    problems = [f"keys.{unknown}: unknown command{_suggestion(unknown, ids)}" for unknown in keys if unknown not in ids]
    table = tuple(
        command._replace(keys=tuple(keys[command.id])) if command.id in keys else command for command in COMMANDS
    )
    owners: dict[str, str] = {}
    for command in table:
        for key in command.keys:
            if key in owners:
                problems.append(f"keys.{command.id}: key {key_label(key)} already belongs to {owners[key]!r}")
            owners.setdefault(key, command.id)
    if problems:
        raise KeysError(tuple(problems))
    return table


def _suggestion(unknown: str, ids: Iterable[str]) -> str:
    near = nearest(unknown, ids)
    return f"; did you mean {near!r}?" if near else ""
