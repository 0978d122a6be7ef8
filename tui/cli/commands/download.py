"""Subcommand download: files of done jobs, with a progress bar on a terminal, and their paths on stdout."""

import asyncio
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from itertools import chain
from pathlib import Path

from tui.cli.commands.poll import run_until_signal
from tui.cli.context import open_workspace, require_editor, select_jobs
from tui.cli.output import FAULT, OK, PROBLEM, UsageError, json_array, print_message, write_stdout
from tui.cli.subscriber import EngineSubscriber
from tui.domain import artifacts
from tui.domain.models import DownloadedFile, Phase, Ref
from tui.engine.api import DownloadProgress, DownloadStage, Notice
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.presentation import formatting
from tui.presentation.json_output import JsonObject
from tui.runtime import logfile
from tui.storage import paths
from tui.storage.workspace import Workspace

BAR_WIDTH = 20
"""Cells."""


def download(args: Namespace) -> int:
    """Run `download`: save the missing files of each job."""
    with open_workspace(args) as workspace:
        refs = _select_jobs(workspace, args)
        reporter = DownloadReporter(refs, as_json=args.json)
        if refs:
            folder = paths.expand(args.dir or workspace.settings.downloads.dir)
            with _private_files() if args.private else nullcontext():
                run_until_signal(_download(workspace, reporter, refs, str(folder) if args.dir else None))
            if args.private:
                reporter.make_private()
        if args.json:
            write_stdout(json_array(reporter.to_json(ref) for ref in refs))
    return reporter.exit_code


@contextmanager
def _private_files() -> Generator[None]:
    """Create files and folders for this user alone."""
    umask = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(umask)


def _select_jobs(workspace: Workspace, args: Namespace) -> list[Ref]:
    """Return the named jobs, or all that are known to be done."""
    if workspace.readonly:
        raise UsageError("--readonly disables downloads")
    require_editor(workspace, "downloads")
    states = workspace.job_states()
    refs = matching = select_jobs(workspace, args, states)
    if not args.refs:
        refs = [ref for ref in refs if states[ref].phase is Phase.DONE and not states[ref].job.archived]
    if not refs and (matching or not states):
        print_message(
            "no job is done yet: poll with `babeltop check`" if states else "no jobs: add some with `babeltop add ID`"
        )
    workspace.keys.fetch_all()
    logfile.start_logging(workspace.paths.state_dir)
    return refs


async def _download(
    workspace: Workspace, reporter: "DownloadReporter", refs: Sequence[Ref], folder: str | None
) -> None:
    """Poll the jobs that are not known to be done, then download."""
    engine = Engine(
        workspace,
        reporter.publish,
        EngineContext.create(wall=workspace.wall, run_blocking=asyncio.to_thread),
        subset=frozenset(refs),
    )
    await engine.open()
    await engine.poll_once(
        [ref for ref, state in engine.states.items() if state.phase is not Phase.DONE or not artifacts.artifacts(state)]
    )
    for ref, state in engine.states.items():
        reason = engine.downloads.why_not(ref)
        if reason:
            reporter.fail(ref, state.fault.message if state.fault else reason, is_fault=state.fault is not None)
    engine.downloads.enqueue([ref for ref in engine.states if ref not in reporter.errors], folder)
    await engine.finish_downloads()


class DownloadReporter(EngineSubscriber):
    """Subscriber that prints the progress of downloads on a terminal, and each file's path on stdout."""

    def __init__(self, refs: Sequence[Ref], *, as_json: bool) -> None:
        super().__init__({ref.account for ref in refs})
        self._count = len(refs)
        self._as_json = as_json
        self._is_terminal = sys.stderr.isatty()
        self._saved: dict[Ref, tuple[DownloadedFile, ...]] = {}
        self._has_fault = False
        self.errors: dict[Ref, str] = {}
        """Reasons by job."""

    @property
    def exit_code(self) -> int:
        """Exit code for the result."""
        return FAULT if self._has_fault else PROBLEM if self.errors else OK

    def to_json(self, ref: Ref) -> JsonObject:
        """Return a job's files, or the reason for none."""
        saved = [{"artifact": each.name, "path": each.path, "size": each.size} for each in self._saved.get(ref, ())]
        return {"account": ref.account, "id": ref.id, "saved": saved, "error": self.errors.get(ref)}

    def make_private(self) -> None:
        """Take other users' access to files that an earlier download began. FAT has no modes."""
        for each in chain.from_iterable(self._saved.values()):
            with suppress(OSError):
                Path(each.path).chmod(0o600)

    def fail(self, ref: Ref, reason: str, *, is_fault: bool) -> None:
        """Record and print a job that was not downloaded; `is_fault`: although it has a result."""
        self.errors[ref] = reason
        self._has_fault = self._has_fault or is_fault
        self._draw_line("")
        print_message(f"{ref}: {reason}")

    def _on_download(self, progress: DownloadProgress) -> None:
        """Print the progress of a download."""
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
        """Ignore notices: they repeat the progress."""

    def _draw_line(self, line: str) -> None:
        """Replace the last line on a terminal; do nothing without one."""
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
