"""The one table of what an operator can do: bindings, help, palette and footer come from it. It does nothing itself."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from tui.errors import ConfigurationError


class Command(NamedTuple):
    """One thing to do. Its id is what `[keys]` remaps and what the dashboard has a `do_` method for."""

    id: str
    keys: tuple[str, ...]
    """In Textual's names; the first is the one that the footer shows."""
    title: str
    """Two or three words, for footer and palette."""
    help: str
    group: str
    footer_priority: int = 0
    """How much it is wanted in the footer, the lowest first; 0: it is not shown there."""
    writes: bool = False
    """`--readonly` forbids it."""


MOVE, VIEW, JOBS, RESULTS, PROGRAM = "Move", "Look", "Jobs", "Results", "Program"

COMMANDS = (
    Command("help", ("question_mark", "f1"), "help", "shows these keys", PROGRAM, 1),
    Command("down", ("j", "down"), "down", "to the next job", MOVE),
    Command("up", ("k", "up"), "up", "to the job above", MOVE),
    Command("top", ("g", "home"), "first", "to the first job", MOVE),
    Command("bottom", ("G", "end"), "last", "to the last job", MOVE),
    Command("half_down", ("ctrl+d",), "half down", "half a screen down", MOVE),
    Command("half_up", ("ctrl+u",), "half up", "half a screen up", MOVE),
    Command("page_down", ("pagedown",), "page down", "a screen down", MOVE),
    Command("page_up", ("pageup",), "page up", "a screen up", MOVE),
    Command("right", ("l", "right"), "sideways", "moves long names to the left", MOVE),
    Command("left", ("h", "left"), "back", "moves long names back", MOVE),
    Command("focus_next", ("tab",), "table/detail", "between the table and the detail", MOVE),
    Command("open", ("enter",), "detail", "opens the job under the cursor", VIEW, 8),
    Command("back", ("escape", "q"), "back", "closes the search, the detail, the filter, the marks", VIEW),
    Command("interrupt", ("ctrl+c",), "copy", "copies what is selected in the detail, else as Esc", VIEW),
    Command(
        "filter",
        ("slash",),
        "filter",
        "shows what matches: phase:failed -tag:x text; searches Response",
        VIEW,
        2,
    ),
    Command("find_next", ("n",), "next match", "to the next match in Response", VIEW),
    Command("find_previous", ("N",), "match before", "to the match before in Response", VIEW),
    Command("sort", ("s",), "sort", "chooses what the table is sorted by", VIEW, 9),
    Command("sort_reverse", ("S",), "reverse", "turns the order round", VIEW),
    Command("sort_left", ("less_than_sign",), "sort left", "sorts by the column further left", VIEW),
    Command("sort_right", ("greater_than_sign",), "sort right", "sorts by the column further right", VIEW),
    Command("problems", ("exclamation_mark",), "problems", "shows what failed, timed out, is blocked or missing", VIEW),
    Command("tab_next", ("right_square_bracket",), "next tab", "the detail's next tab", VIEW),
    Command("tab_previous", ("left_square_bracket",), "tab before", "the detail's tab before", VIEW),
    Command("freeze", ("z",), "freeze", "holds the view still while the polling goes on", VIEW),
    Command("time", ("t",), "time format", "how long ago, local time, or UTC", VIEW),
    Command("theme", ("T",), "theme", "the next theme", VIEW),
    Command("preview", ("p",), "preview", "shows the detail beside the table, or hides it", VIEW),
    Command("detail_position", ("P",), "place", "the detail below the table, or at its right", VIEW),
    Command("accounts", ("A",), "accounts", "health, quota and pace of every account", VIEW),
    Command("journal", ("J",), "journal", "what happened last, to all jobs", VIEW),
    Command("view_all", ("1",), "all", "every job that is not archived", VIEW),
    Command("view_active", ("2",), "active", "new, queued and running jobs", VIEW),
    Command("view_done", ("3",), "done", "jobs that ended well", VIEW),
    Command("view_problems", ("4",), "problems", "jobs that ended badly", VIEW),
    Command("view_expiring", ("5",), "expiring", "results whose link is about to die", VIEW),
    Command("view_archive", ("6",), "archive", "jobs that were put away", VIEW),
    Command("mark", ("space",), "mark", "marks the job; what follows is about all marked ones", JOBS),
    Command("mark_all", ("V",), "mark all", "marks every job in the table", JOBS),
    Command("unmark", ("U",), "unmark", "takes every mark away", JOBS),
    Command("invert", ("asterisk",), "invert", "marks what is not marked, and the other way round", JOBS),
    Command("add", ("a",), "add", "adds ids or links: paste many, one a line", JOBS, 3, writes=True),
    Command("edit", ("e",), "edit", "label, tags, note and options of the job", JOBS, writes=True),
    Command("remove", ("d",), "remove", "takes the job off the watchlist", JOBS, 10, writes=True),
    Command("undo", ("u",), "undo", "puts back what was removed last", JOBS, 11, writes=True),
    Command("archive", ("x",), "archive", "puts the job away, or back", JOBS, writes=True),
    Command("mute", ("m",), "mute", "no bell, toast or hook for the job", JOBS, writes=True),
    Command("refresh", ("r",), "refresh", "asks now", JOBS, 4),
    Command("refresh_all", ("R",), "refresh all", "asks every job in the table now", JOBS),
    Command("renew", ("L",), "renew link", "asks for a fresh link, whatever is left of the old one", RESULTS),
    Command("pause", ("Z",), "pause", "asks nothing by itself, or goes on; r still asks", JOBS),
    Command("copy_id", ("y",), "copy id", "sends the id to the terminal's clipboard", RESULTS),
    Command("copy_link", ("Y",), "copy link", "sends the link to the terminal's clipboard", RESULTS, 5),
    Command(
        "open_link", ("o",), "open", "opens the link, or the folder of what was downloaded", RESULTS, 6, writes=True
    ),
    Command("download", ("D",), "download", "saves the job's files; again calls it off", RESULTS, 7, writes=True),
    Command("palette", ("colon", "ctrl+p"), "commands", "every command by name", PROGRAM, 7),
    Command("quit", ("ctrl+q",), "quit", "ends babeltop; the services work on", PROGRAM, 12),
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
    """A key as it is written for an operator: `^d`, `Esc`, `?`."""
    if key.startswith("ctrl+"):
        return f"^{key[5:]}"
    return _KEY_LABELS.get(key, key.upper() if key[0] == "f" and key[1:].isdigit() else key)


class KeysError(ConfigurationError):
    """`[keys]` in the settings cannot be followed; the text names each id or key and the way out."""


def apply_keymap(keys: Mapping[str, Iterable[str]]) -> tuple[Command, ...]:
    """The table with an operator's keys in it. Raises KeysError for ids that there are not and keys that clash."""
    ids = [command.id for command in COMMANDS]
    problems = [f"keys.{wrong}: there is no such command{_nearest(wrong, ids)}" for wrong in keys if wrong not in ids]
    table = tuple(
        command._replace(keys=tuple(keys[command.id])) if command.id in keys else command for command in COMMANDS
    )
    owners: dict[str, str] = {}
    for command in table:
        for key in command.keys:
            if key in owners:
                problems.append(f"keys.{command.id}: {key_label(key)} is already the key of {owners[key]!r}")
            owners.setdefault(key, command.id)
    if problems:
        raise KeysError("\n".join(problems))
    return table


def _nearest(wrong: str, ids: list[str]) -> str:
    near = get_close_matches(wrong, ids, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
