"""Programs that `tick`, `keys`, `paint` and `memory` start on a pseudo-terminal, and the measurements there.

python -m tests.benchmarks.consoles NAME      (started by the benchmarks)
"""

import asyncio
import os
import select
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

from tests.support.terminal import Terminal

JOBS = 10_000
SIZE = (120, 40)
CURSOR_COLOR = "#26313d"
"""Cursor background of our dark theme, also given to the DataTable: its output shows that a key was painted."""
CURSOR_BACKGROUND = b"48;2;38;49;61"
"""Escape sequence of the cursor's background."""
RANDOM = Random(1)
UPDATES_PER_SECOND = 1000
"""New states per second."""


# Programs.


def states(variant: str, now: float, count: int = JOBS):
    """Yield `count` jobs: `ticking` if every visible time changes each second, `quiet` if none changes for an hour."""
    from tui.domain.job_state import JobState
    from tui.domain.models import Job, Link, LinkKind, Phase, Report

    for number in range(count):
        job = Job(account="heygen", id=f"{number:032x}", label=f"Job {number:05}", tags=("bench",))
        report = Report(phase=Phase.RUNNING, raw_status="running", language="fr", title=f"Title {number}", progress=0.4)
        if variant == "ticking":
            link = Link(LinkKind.VIDEO, f"https://cdn.test/{number}", now, now + 58, expiry_is_exact=True)
            more = {"phase_since": now - 2, "checked_at": now - 2, "stale_after": now - 1, "next_poll_at": now + 58}
            yield JobState(
                job=job,
                phase=Phase.RUNNING,
                first_polled_at=now - 9,
                report=report,
                links=(link,),
                poll_count=3,
                **more,
            )
        else:
            days = 86400.0 * (1 + number % 5) + 1800
            link = Link(LinkKind.VIDEO, f"https://cdn.test/{number}", now - days, now + 3 * days, expiry_is_exact=True)
            yield JobState(
                job=job, phase=Phase.DONE, phase_since=now - days, report=report, links=(link,), poll_count=9
            )


def mixed_states(now: float, count: int):
    """Yield `count` jobs of every phase, with languages, messages, links and estimates."""
    from tui.domain.job_state import JobState
    from tui.domain.models import Fault, FaultKind, Job, Link, LinkKind, Phase, Report
    from tui.domain.polling.duration_model import LogNormalFit

    done, running, queued, failed = Phase.DONE, Phase.RUNNING, Phase.QUEUED, Phase.FAILED
    phases = (done, running, done, failed, done, queued, Phase.TIMED_OUT, done)
    languages = ("fr", "ur", "pt-BR", "Hindi", None)
    for number in range(count):
        phase, passed = phases[number * 7 // 3 % 8], 100.0 + number * 7919 % 90_000
        tags = "bench", f"t{number % 50}"
        job = Job(account="heygen", id=f"{number * 48271:032x}", label=f"Job {number:06}", tags=tags)
        report = Report(
            phase=phase,
            raw_status=str(phase),
            language=languages[number % 5],
            title=f"Title {number}",
            progress=0.4 if phase is running else None,
            message="the speaker's voice could not be cloned" if phase is failed else None,
        )
        seen_at, is_active = now - passed, phase in {running, queued}
        link = Link(LinkKind.VIDEO, f"https://cdn.test/{number}", seen_at, seen_at + 3e5, expiry_is_exact=True)
        yield JobState(
            job=job,
            phase=phase,
            phase_since=now - passed,
            first_polled_at=now - passed - 60,
            report=report,
            links=(link,) if phase is done else (),
            fault=Fault(FaultKind.SERVER, "internal error", 500) if number % 11 == 0 else None,
            next_poll_at=now + 60 + number % 600 if is_active else None,
            stale_after=now + 5e4 if is_active else None,
            duration_fit=LogNormalFit(7.0, 1.0, 30) if is_active else None,
            poll_count=number % 30,
        )


class FixedEngine:
    """Engine without polling; with `busy`, updates arrive through its outbox as in the program."""

    def __init__(self, initial, busy: bool):
        self._states, self._busy, self._outbox = list(initial), busy, None

    def start(self, wake: Callable[[], None]) -> None:
        from tui.engine.outbox import Outbox

        self._outbox = Outbox(wake)
        if self._busy:
            start_updates(self._states, self._outbox.publish)

    def take_update(self):
        return self._outbox.take()

    def send(self, command):
        return Future()

    job_history = recent_changes = fleet = send

    def silent_for(self) -> float:
        return 0.0

    def close(self) -> None:
        pass


def start_updates(states: list, publish: Callable[[object], object]) -> None:
    """Publish UPDATES_PER_SECOND states a second, one by one, from a loop on its own thread."""

    async def publish_all() -> None:
        due = time.monotonic()
        for state in endless_updates(states):
            publish(state)
            due += 1 / UPDATES_PER_SECOND
            await asyncio.sleep(max(0.0, due - time.monotonic()))  # late states are published all the same

    threading.Thread(target=lambda: asyncio.run(publish_all()), daemon=True).start()


def endless_updates(states: list, random=RANDOM) -> Iterator:
    """Yield random states with a new progress, without end."""
    from msgspec.structs import replace

    while True:
        index = random.randrange(len(states))
        state = states[index]
        states[index] = replace(
            state, report=replace(state.report, progress=random.random()), poll_count=state.poll_count + 1
        )
        yield states[index]


def run_babeltop(variant: str, busy: bool = False, count: int = JOBS) -> None:
    import gc
    from datetime import UTC

    from tui.dashboard.app import Babeltop
    from tui.dashboard.widgets.welcome import OnboardingInfo
    from tui.engine.api import Update
    from tui.storage.config.settings import Settings

    gc.disable()  # as `cli.main` does: the dashboard exempts what the first frame created
    began = time.monotonic()
    minute = time.time() // 60 * 60 + 5  # no window crosses a minute: the header shows the time

    def now() -> float:
        return minute + time.monotonic() - began

    given = mixed_states(now(), count) if variant == "mixed" else states(variant, now(), count)
    initial = {state.job.ref: state for state in given}
    Babeltop(
        FixedEngine(initial.values(), busy),
        Settings(),
        OnboardingInfo("", ()),
        initial_update=Update(states=initial, order=tuple(initial)),
        now=now,
        zone=UTC,
    ).run()


def run_datatable() -> None:
    """Show the same rows in Textual's DataTable, used at its best: only cells whose text changed are set.

    The updates arrive from a thread as well; each is a message, Textual's way to pass data between threads. They are
    not collected for 0.1 s as by our outbox.
    """
    os.environ.setdefault("TEXTUAL_FPS", "250")
    from rich.text import Text
    from textual import on
    from textual.app import App
    from textual.message import Message
    from textual.widgets import DataTable

    from tui.domain.evaluation import EvaluationContext
    from tui.presentation import columns, table_layout
    from tui.presentation.columns import RenderOptions

    jobs = list(states("ticking", time.time()))
    shown = table_layout.visible_columns(SIZE[0])

    class Arrived(Message):
        def __init__(self, state):
            super().__init__()
            self.state = state

    class Peer(App):
        CSS = f"DataTable {{ height: 1fr; }} DataTable > .datatable--cursor {{ background: {CURSOR_COLOR}; }}"

        def compose(self):
            yield DataTable(cursor_type="row")

        def on_mount(self):
            table = self.query_one(DataTable)
            for column in shown:
                table.add_column(column.title, key=column.id, width=column.width)
            self.texts_by_row = {state.job.id: self.texts(state) for state in jobs}
            for row, texts in self.texts_by_row.items():
                table.add_row(*map(Text, texts), key=row)
            start_updates(jobs, lambda state: self.post_message(Arrived(state)))

        def texts(self, state):
            return [
                cell.text for cell in columns.row_cells(state, shown, RenderOptions(EvaluationContext(now=time.time())))
            ]

        @on(Arrived)
        def set_row(self, event):
            row, texts = event.state.job.id, self.texts(event.state)
            for column, text, before in zip(shown, texts, self.texts_by_row[row], strict=True):
                if text != before:
                    self.query_one(DataTable).update_cell(row, column.id, Text(text))
            self.texts_by_row[row] = texts

        def on_key(self, event):
            if event.key in "jk":
                table = self.query_one(DataTable)
                table.move_cursor(row=table.cursor_row + (1 if event.key == "j" else -1))

    Peer().run()


CHILDREN = {
    "ticking": partial(run_babeltop, "ticking"),
    "quiet": partial(run_babeltop, "quiet"),
    "mixed": partial(run_babeltop, "mixed"),
    "busy": partial(run_babeltop, "ticking", True),
    "datatable": run_datatable,
}


# Measurements.

EMPTY = [sys.executable, "-c", "from textual.app import App; App().run()"]
"""Command of an empty Textual app without this module's imports."""


def command(child: str, count: int = JOBS) -> list[str]:
    """Return the command of a program; `count`: its jobs, where it is our dashboard."""
    return [sys.executable, "-m", "tests.benchmarks.consoles", child, *([str(count)] if count != JOBS else [])]


@contextmanager
def console(argv: list[str], env: dict[str, str] | None = None) -> Iterator[Terminal]:
    """Run a program on a pseudo-terminal, from compiled files like an installed one; end it afterwards."""
    settings = ["-u", "PYTHONDONTWRITEBYTECODE", *(f"{name}={value}" for name, value in (env or {}).items())]
    with Terminal(["env", *settings, *argv], columns=SIZE[0], lines=SIZE[1]) as terminal:
        yield terminal


def read_until(terminal: Terminal, until: Callable[[bytes], bool], seconds: float) -> bytes:
    """Return the program's output until `until` accepts it. It is not rendered: that costs more than the program.

    Raises RuntimeError if the program ends.
    """
    data, end = b"", time.perf_counter() + seconds
    while not until(data) and (left := end - time.perf_counter()) > 0:
        if select.select([terminal.fd], [], [], left)[0]:
            try:
                data += os.read(terminal.fd, 1 << 16)
            except OSError:
                raise RuntimeError(f"the program ended; its last output: {data[-200:]!r}") from None
    return data


def drain(terminal: Terminal, seconds: float) -> bytes:
    """Return the output of the next `seconds`."""
    return read_until(terminal, lambda _: False, seconds)


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of all threads so far."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def resident_mb(pid: int) -> float:
    """Return the resident memory in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def cpu_milliseconds(terminal: Terminal, action: Callable[[], object]) -> float:
    """Return the CPU milliseconds of the program during an action."""
    before = cpu_seconds(terminal.pid)
    action()
    return 1000 * (cpu_seconds(terminal.pid) - before)


def cpu_share(terminal: Terminal, seconds: float) -> tuple[float, int]:
    """Return the percentage of a core and the bytes written in a window of `seconds`."""
    before, began = cpu_seconds(terminal.pid), time.perf_counter()
    written = len(drain(terminal, seconds))
    return 100 * (cpu_seconds(terminal.pid) - before) / (time.perf_counter() - began), written


def row(ours: float, peer: float, hold: float, unit: str, *, better: str = "lower", ratio: float | None = None):
    """Return a row as the benchmarks print it."""
    ratio = ours / peer if ratio is None else ratio
    return {"ours": ours, "peer": peer, "ratio": ratio, "hold": hold, "better": better, "unit": unit}


def quantile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def print_rows(measured: dict) -> None:
    for name, figures in measured.items():
        pairs = (
            f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in figures.items()
        )
        print(f"{name}: {'  '.join(pairs)}")


if __name__ == "__main__":
    CHILDREN[sys.argv[1]](**({"count": int(sys.argv[2])} if sys.argv[2:] else {}))
