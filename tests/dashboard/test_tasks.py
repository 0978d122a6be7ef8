"""Fifteen tasks of an operator's day, replayed with real keys: what they take now, beside what they took before.

`before` holds the keys that the same task took at commit 6612c4e, where `BABELTOP_TASKS=before` replays them. A paste
counts as one key.
"""

import os
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace
from textual import events

from tests.dashboard.conftest import NOW
from tui.dashboard.app import Babeltop
from tui.domain.job_state import JobState
from tui.domain.models import Fault, FaultKind, Job, Link, LinkKind, Phase, PollReason, Ref, Report
from tui.engine.api import Health, Update
from tui.storage.journal.journal import JournalEntry
from tui.storage.watchlist.operations import Add, Remove

HOUR, DAY = 3600.0, 86400.0
REPLAYED = os.environ.get("BABELTOP_TASKS", "now")
LAUNCH = [Ref("heygen", f"launch-{number:02}") for number in range(40)]
FAILED_URDU = [LAUNCH[0], LAUNCH[10]]
TODAY = [ref for number, ref in enumerate(LAUNCH) if number % 10 in {2, 5, 8}]
"""Done jobs whose link expires today."""
LATER = [ref for number, ref in enumerate(LAUNCH) if number % 10 in {3, 4, 6, 7, 9}]
CLIPS = [Ref("camb", f"clip-{number}") for number in range(10)]
LONG = CLIPS[:6]
"""Running for over two hours."""
MISSING = [Ref("konpro", f"lost-{number}") for number in range(4)]
PASTED = "\n".join(["interview-1", "interview-2", "7544c0b52ada44fda693a15b1181b5b4-fr"])
FIVE = "\n".join(f"7544c0b52ada44fda693a15b1181b5{number}4-fr" for number in range(5))
IDLE = "the account's key was rejected"


def states() -> list[JobState]:
    """The board: a launch of forty jobs, ten clips that run, four jobs that are missing."""
    found = list[JobState]()
    for number, ref in enumerate(LAUNCH):
        phase = Phase.FAILED if number % 10 == 1 or ref in FAILED_URDU else Phase.DONE
        language = "Urdu (Pakistan)" if number % 10 == 0 else "German (Germany)"
        expires_at = NOW + (10 * HOUR if ref in TODAY else 5 * DAY)
        link = Link(LinkKind.VIDEO, f"https://cdn.test/{ref.id}", NOW - DAY, expires_at, False)
        job = Job(account=ref.account, id=ref.id, label=f"Launch {number + 1}", tags=("launch",), note="for legal")
        links = (link,) if phase is Phase.DONE else ()
        found.append(ended(job, phase, language=language, links=links))
    for ref in CLIPS:
        since = NOW - (3 * HOUR if ref in LONG else 600)
        state = JobState(job=Job(account=ref.account, id=ref.id, label=f"Film {ref.id[-1]}"), phase=Phase.RUNNING)
        report = Report(phase=Phase.RUNNING, raw_status="running")
        schedule = {"next_poll_at": NOW + 12, "next_poll_reason": PollReason.REGULAR, "poll_count": 3}
        times = {"phase_since": since, "first_polled_at": since, "checked_at": NOW - 4}
        found.append(replace(state, report=report, **times, **schedule))
    fault = Fault(FaultKind.MISSING, "KonPro returned 404 (job not found)", 404)
    found += [replace(ended(Job(account=ref.account, id=ref.id), Phase.MISSING), fault=fault) for ref in MISSING]
    return found


def ended(job: Job, phase: Phase, language: str | None = None, links: tuple[Link, ...] = ()) -> JobState:
    report = Report(phase=phase, raw_status=str(phase), language=language)
    times = {"phase_since": NOW - HOUR, "first_polled_at": NOW - 2 * HOUR, "checked_at": NOW - HOUR}
    return JobState(job=job, phase=phase, report=report, links=links, poll_count=2, **times)


class TaskResult(NamedTuple):
    """What a task has brought about."""

    app: Babeltop
    engine: Any
    copied: list[str]
    opened: list[str]
    shown: list[str]
    """The screen after each key."""

    def jobs(self, refs: Sequence[Ref]) -> list[Job]:
        listed = {job.ref: job for job in self.engine.workspace.watchlist.read().jobs}
        return [listed[ref] for ref in refs]

    def copied_lines(self) -> set[str]:
        return {line for text in self.copied for line in text.splitlines()}

    def has_shown(self, *texts: str) -> bool:
        return all(any(text in screen for screen in self.shown) for text in texts)


class Task(NamedTuple):
    name: str
    before: Sequence[str]
    now: Sequence[str]
    holds: Callable[[TaskResult], object]
    start: Sequence[str] = ()
    """Keys that make the situation, which are not counted."""


def links_of(refs: Sequence[Ref]) -> set[str]:
    return {f"https://cdn.test/{ref.id}" for ref in refs}


def repeated(keys: Sequence[str], count: int) -> list[str]:
    """Return the keys for each of `count` jobs, one below the other."""
    return [key for number in range(count) for key in ((*keys, "j") if number + 1 < count else keys)]


TASKS = (
    Task(
        "refresh all failed Urdu jobs of the launch",
        ["4", "slash", *"lang:ur tag:launch", "enter", "V", "r"],
        ["4", "slash", *"urdu launch", "enter", "V", "r"],
        lambda task: set(task.engine.refreshed) == set(FAILED_URDU),
    ),
    Task(
        "tag the 40 jobs of the launch",
        ["slash", *"tag:launch", "enter", *repeated(["e", "tab", "end", *" web", "enter"], 40)],
        ["slash", *"launch", "enter", "V", "e", "tab", *"web", "enter"],
        lambda task: all(job.tags == ("launch", "web") for job in task.jobs(LAUNCH)),
    ),
    Task(
        "see why nothing of an account moves, and what it may send",
        ["A", "escape", "enter"],
        ["w"],
        lambda task: task.has_shown(IDLE, "retry, reloading the key"),
    ),
    Task(
        "copy all links that expire today",
        ["5", *repeated(["Y"], len(TODAY))],
        ["5", "V", "Y"],
        lambda task: task.copied_lines() == links_of(TODAY),
    ),
    Task(
        "take back the archiving of five jobs",
        ["6", "V", "x"],
        ["u"],
        lambda task: not any(job.archived for job in task.jobs(LAUNCH[:5])),
        start=[*["space"] * 5, "x", "U"],
    ),
    Task(
        "mute all jobs of one account",
        ["slash", *"account:camb", "enter", "V", "m"],
        ["slash", *"camb", "enter", "V", "m"],
        lambda task: all(job.muted for job in task.jobs(CLIPS)) and not any(job.muted for job in task.jobs(LAUNCH)),
    ),
    Task(
        "keep the links that expire today renewed",
        ["5", *repeated(["e", "tab", "tab", "tab", "space", "ctrl+s"], len(TODAY))],
        ["5", "V", "e", "tab", "tab", "tab", "space", "enter"],
        lambda task: [job.ref for job in task.jobs(LAUNCH) if job.keep_link] == TODAY,
    ),
    Task(
        "open four links",
        ["5", *repeated(["o"], 4)],
        ["5", *["space"] * 4, "o"],
        lambda task: set(task.opened) == links_of(TODAY[:4]),
    ),
    Task(
        "add three pasted ids, two of them without a known account",
        ["a", PASTED, "up", "up", "home", *"konpro:", "down", "home", *"konpro:", "down", "end", "enter", "enter"],
        ["a", PASTED, "enter", "2", "2", "enter"],
        lambda task: (
            [job.account for job in task.engine.workspace.watchlist.read().jobs[-3:]] == ["konpro", "konpro", "heygen"]
        ),
    ),
    Task(
        "add five pasted ids",
        ["a", FIVE, "enter", "enter"],
        ["a", FIVE, "enter"],
        lambda task: {job.id for job in task.engine.workspace.watchlist.read().jobs[-5:]} == set(FIVE.split()),
    ),
    Task(
        "refresh what has run for over two hours",
        ["2", *["greater_than_sign"] * 6, *["space"] * 6, "r"],
        ["2", "slash", *"age>2h", "enter", "V", "r"],
        lambda task: set(task.engine.refreshed) == set(LONG),
    ),
    Task(
        "copy the ids of the missing jobs for the service's support",
        ["slash", *"phase:miss", "enter", *repeated(["y"], len(MISSING))],
        ["slash", *"miss", "enter", "V", "y"],
        lambda task: task.copied_lines() == {ref.id for ref in MISSING},
    ),
    Task(
        "write a note on three jobs",
        repeated(["e", "tab", "tab", *"check", "enter"], 3),
        [*["space"] * 3, "e", "tab", "tab", *"check", "enter"],
        lambda task: {job.note for job in task.jobs(LAUNCH[:3])} == {"check"},
    ),
    Task(
        "take back a note written over another",
        ["e", "tab", "tab", *"for legal", "enter"],
        ["u"],
        lambda task: task.jobs(LAUNCH[:1])[0].note == "for legal",
        start=["e", "tab", "tab", *"x", "enter"],
    ),
    Task(
        "find the key that mutes a job",
        ["question_mark", *["pagedown"] * 4],
        ["question_mark", "slash", *"mut"],
        lambda task: task.has_shown("mute or unmute alerts and hooks"),
    ),
)


@pytest.fixture
def filled(workspace, engine):
    """The demo's workspace with the board of this module."""
    listed = tuple(job.ref for job in workspace.watchlist.read().jobs)
    workspace.edit_watchlist(Remove(listed))
    board = states()
    workspace.journal.record([JournalEntry(state) for state in board])
    workspace.edit_watchlist(Add(tuple(state.job for state in board)))
    health = {"health": Health.REFUSED, "message": IDLE, "rate_per_minute": 600.0}
    engine.accounts = {
        name: replace(state, **(health if name == "konpro" else {"rate_per_minute": 600.0}))
        for name, state in engine.accounts.items()
    }


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
async def test_each_task_takes_its_keys(filled, app: Babeltop, engine, task: Task):
    from tests.dashboard.test_dashboard import text_of

    copied, opened, shown = list[str](), list[str](), list[str]()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.screen.open_external = lambda target: opened.append(target) or True
        app.copy_to_clipboard = copied.append
        if task.name.startswith("see why"):
            app.screen.table.move_to_job(MISSING[0])
            await pilot.pause()
        for key in (*task.start, *(task.now if REPLAYED == "now" else task.before)):
            if key in {PASTED, FIVE}:
                app.post_message(events.Paste(key))
            else:
                await pilot.press({" ": "space", ":": "colon", ">": "greater_than_sign"}.get(key, key))
            await pilot.pause()
            shown.append(text_of(pilot))
        engine.push(Update(states={}))
        await pilot.pause()
        assert task.holds(TaskResult(app, engine, copied, opened, shown)), (copied, opened, shown[-1])


def test_the_median_of_keys_is_halved():
    assert len(TASKS) == 15
    assert median(len(task.now) / len(task.before) for task in TASKS) <= 0.5
    assert median(len(task.now) for task in TASKS) <= median(len(task.before) for task in TASKS) / 2


if __name__ == "__main__":
    for task in TASKS:
        print(f"| {task.name} | {len(task.before)} | {len(task.now)} |")
    print(f"| median | {median(len(task.before) for task in TASKS):g} | {median(len(task.now) for task in TASKS):g} |")
