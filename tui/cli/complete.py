"""Values for the shells' completions: refs, accounts, tags and views, one per line, within some milliseconds.

The files are searched for lines, not parsed: a parser and its imports would take longer than a key may. Imports no
module of the program, and so finds fewer folders than `storage.paths`: those of XDG and of BABELTOP_CONFIG_DIR.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

MAX_VALUES = 200
"""Values that are printed at most."""
MAX_SEARCHED = 1000
"""Values that are looked at, at most: more would take longer than a key may, and are too many to read."""
BUILT_IN_VIEWS = ("all", "active", "done", "problems", "expiring", "archive")
_STRING = r"(?:\"([^\"\\\n]*)\"|'([^'\n]*)')"
_JOB_LINE = re.compile(rf"^[ \t]*(\[\[job\]\]|(?:id|account)[ \t]*=[ \t]*{_STRING})", re.MULTILINE)
_ACCOUNT = re.compile(r"^[ \t]*\[accounts\.\"?([^\"\]\n]+)\"?\]", re.MULTILINE)
_VIEW = re.compile(rf"^[ \t]*\[\[view\]\][^\[]*?^[ \t]*name[ \t]*=[ \t]*{_STRING}", re.MULTILINE)


def print_values(argv: Sequence[str]) -> int:
    """Print the values of a kind that begin like a word. `argv`: kind, word, and the command line so far."""
    kind, word, *line = [*argv, "", ""][: max(2, len(argv))]
    find = _KINDS.get(kind)
    if find is not None:
        found = dict.fromkeys(value for value in find(word, line) if value.startswith(word) and value.isprintable())
        sys.stdout.write("".join(f"{value}\n" for value in [*found][:MAX_VALUES]))
    return 0


def _refs(word: str, line: Sequence[str]) -> Iterator[str]:
    """Yield the id of each job, with its account in front if another account has the same id."""
    text = _watchlist(line)
    ids = _values_of("id", text, word)
    if ids and len(set(ids)) == len(ids):
        yield from ids
        return
    jobs = [*_jobs(text)]
    counts: dict[str, int] = {}
    for _, job_id in jobs:
        counts[job_id] = counts.get(job_id, 0) + 1
    for account, job_id in jobs:
        yield job_id if counts[job_id] == 1 else f"{account}:{job_id}"


def _tags(word: str, line: Sequence[str]) -> Iterator[str]:  # noqa: ARG001  each kind gets both
    for tags in dict.fromkeys(re.findall(r"^[ \t]*tags[ \t]*=[ \t]*\[([^\]]*)\]", _watchlist(line), re.MULTILINE)):
        yield from (found[1] or found[2] or "" for found in re.finditer(_STRING, tags))


def _accounts(word: str, line: Sequence[str]) -> Iterator[str]:
    yield from (found[1] for found in _ACCOUNT.finditer(_read(_config_file("config.toml"))))
    yield from _values_of("account", _watchlist(line), word)


def _views(word: str, line: Sequence[str]) -> Iterator[str]:  # noqa: ARG001  each kind gets both
    yield from BUILT_IN_VIEWS
    yield from (found[1] or found[2] for found in _VIEW.finditer(_read(_config_file("config.toml"))))


_KINDS: Mapping[str, Callable[[str, Sequence[str]], Iterable[str]]] = {
    "refs": _refs,
    "accounts": _accounts,
    "tags": _tags,
    "views": _views,
}


def _values_of(key: str, text: str, start: str) -> list[str]:
    """Return the values of a key in a watchlist that begin like this. One pattern for all takes 5 ms of 10,000 jobs."""
    begun = re.escape(start)
    pattern = rf"^[ \t]*{key}[ \t]*=[ \t]*(?:\"({begun}[^\"\\\n]*)\"|'({begun}[^'\n]*)')"
    found = islice(re.finditer(pattern, text, re.MULTILINE), MAX_SEARCHED)
    return [each[1] or each[2] for each in found]


def _jobs(text: str) -> Iterator[tuple[str, str]]:
    """Yield account and id of each job."""
    job = {"account": "", "id": ""}
    for found in _JOB_LINE.finditer(text + "\n[[job]]"):
        name = found[1].partition("=")[0].strip()
        if name in job:
            job[name] = found[2] or found[3] or ""
        elif job["id"]:
            yield job["account"], job["id"]
            job = dict.fromkeys(job, "")


def _watchlist(line: Sequence[str]) -> str:
    """Return the text of the watchlist that the command line names, or of the default one."""
    return _read(_named_watchlist(line) or _config_file("watchlist.toml"))


def _named_watchlist(line: Sequence[str]) -> str:
    for at, word in enumerate(line):
        option, is_assigned, value = word.partition("=")
        if option == "--watchlist":
            return os.path.expanduser(value if is_assigned else "".join(line[at + 1 : at + 2]))  # noqa: PTH111
    return ""


def _config_file(name: str) -> str:
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - pathlib: 6 ms
    is_mac = sys.platform == "darwin" and not os.environ.get("XDG_CONFIG_HOME")
    home = os.path.expanduser("~/Library/Application Support") if is_mac else home  # noqa: PTH111
    return os.path.join(os.environ.get("BABELTOP_CONFIG_DIR") or os.path.join(home, "babeltop"), name)  # noqa: PTH118


def _read(path: str) -> str:
    """Return the text of a file; "" if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""
