"""`download`: the files of jobs that are done, with a bar on a terminal, and their paths on stdout."""

import asyncio
import shutil
import sys
from collections.abc import Sequence

from tui.cli.commands.poll import run_until_signal
from tui.cli.context import open_workspace, resolve_refs
from tui.cli.output import FAULT, OK, PROBLEM, UsageError, json_array, print_message, write_stdout
from tui.cli.parser import Namespace
from tui.cli.subscriber import EngineSubscriber
from tui.domain import artifacts
from tui.domain.models import DownloadedFile, Phase, Ref
from tui.engine.api import DownloadProgress, DownloadStage, Notice
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.presentation import formatting
from tui.presentation.json_output import JsonObject
from tui.runtime import logfile
from tui.storage.workspace import Workspace

BAR_WIDTH = 20
"""Cells of the bar."""


def download(args: Namespace) -> int:
    """`download`: saves the files of each job, whichever are missing."""
    with open_workspace(args) as library:
        refs = _select_jobs(library, args)
        carrier = DownloadReporter(refs, as_json=args.json)
        if refs:
            run_until_signal(_download(library, carrier, refs, args.dir))
        if args.json:
            write_stdout(json_array(carrier.to_json(ref) for ref in refs))
    return carrier.exit_code


def _select_jobs(library: Workspace, args: Namespace) -> list[Ref]:
    """The jobs that were named; else all that are known to be done."""
    if library.readonly:
        raise UsageError("--readonly forbids downloads")
    board = library.job_states()
    refs = resolve_refs(library, args.refs, board)
    if not args.refs:
        refs = [ref for ref in refs if board[ref].phase is Phase.DONE and not board[ref].job.archived]
    if not refs:
        print_message(
            "no job is done yet: `babeltop check` asks them" if board else "there are no jobs: add some first"
        )
    library.fetch_keys()
    logfile.start_logging(library.paths.state_dir)
    return refs


async def _download(library: Workspace, reporter: "DownloadReporter", refs: Sequence[Ref], folder: str | None) -> None:
    """Asks what is not known to be done, and then fetches what is."""
    session = Engine(
        library, reporter.publish, EngineContext.create(run_blocking=asyncio.to_thread), subset=frozenset(refs)
    )
    session.open()
    await session.poll_once(
        [
            ref
            for ref, state in session.states.items()
            if state.phase is not Phase.DONE or not artifacts.artifacts(state)
        ]
    )
    for ref, state in session.states.items():
        why = session.downloads.why_not(ref)
        if why:
            reporter.fail(ref, state.fault.message if state.fault else why, is_fault=state.fault is not None)
    session.downloads.enqueue([ref for ref in session.states if ref not in reporter.errors], folder)
    await session.downloads.finish()


class DownloadReporter(EngineSubscriber):
    """Hears how the downloads go: a line that is drawn over on a terminal, a path for each file on stdout."""

    def __init__(self, refs: Sequence[Ref], *, as_json: bool) -> None:
        super().__init__({ref.account for ref in refs})
        self._count = len(refs)
        self._as_json = as_json
        self._is_terminal = sys.stderr.isatty()
        self._saved: dict[Ref, tuple[DownloadedFile, ...]] = {}
        self._has_fault = False
        self.errors: dict[Ref, str] = {}
        """Why jobs were not downloaded."""

    @property
    def exit_code(self) -> int:
        """The exit code of what came of it."""
        return FAULT if self._has_fault else PROBLEM if self.errors else OK

    def to_json(self, ref: Ref) -> JsonObject:
        """A job's files, or why there are none."""
        saved = [{"artifact": each.name, "path": each.path, "size": each.size} for each in self._saved.get(ref, ())]
        return {"account": ref.account, "id": ref.id, "saved": saved, "error": self.errors.get(ref)}

    def fail(self, ref: Ref, reason: str, *, is_fault: bool) -> None:
        """It cannot be downloaded; `faulty`: though there is a result."""
        self.errors[ref] = reason
        self._has_fault = self._has_fault or is_fault
        self._draw_line("")
        print_message(f"{ref}: {reason}")

    def _on_download(self, progress: DownloadProgress) -> None:
        """A download has moved."""
        match progress.stage:
            case DownloadStage.DOWNLOADING:
                self._draw_line(f"{len(self._saved) + len(self.errors)} of {self._count}  {_format_progress(progress)}")
            case DownloadStage.FAILED:
                self.fail(progress.ref, progress.message, is_fault=True)
            case DownloadStage.SAVED:
                self._saved[progress.ref] = progress.files
                self._draw_line("")
                if not self._as_json:
                    write_stdout("".join(f"{each.path}\n" for each in progress.files))
            case _:
                pass

    def _on_notice(self, notice: Notice) -> None:
        """All of it is said already."""

    def _draw_line(self, line: str) -> None:
        """Over what stood there before; nothing where nobody looks."""
        if self._is_terminal:
            width = shutil.get_terminal_size().columns
            sys.stderr.write(f"\r\x1b[K{line[: width - 1]}")
            sys.stderr.flush()


def _format_progress(progress: DownloadProgress) -> str:
    parts = [formatting.size(progress.received_bytes)]
    if progress.total_bytes:
        share = progress.received_bytes / progress.total_bytes
        parts = [formatting.bar(share, BAR_WIDTH), f"{share:4.0%} of {formatting.size(progress.total_bytes)}"]
    if progress.bytes_per_second:
        parts.append(f"{formatting.size(int(progress.bytes_per_second))}/s")
    if progress.seconds_left is not None:
        parts.append(f"{formatting.duration(progress.seconds_left)} left")
    return "  ".join([*parts, progress.file_name])
