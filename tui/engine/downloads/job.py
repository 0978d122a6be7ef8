"""Downloader for the files of one job: each link and the text. Order and concurrency are left to the queue."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from tui.domain import artifacts
from tui.domain.artifacts import Artifact
from tui.domain.job_state import JobState, LinkUsed
from tui.domain.models import DownloadedFile, Fault, FaultKind, Link, LinkKind, Ref
from tui.engine.accounts.account import AccountRuntime
from tui.engine.api import DownloadProgress, DownloadStage, Publish
from tui.engine.context import EngineContext
from tui.engine.downloads import http
from tui.engine.downloads.destination import FileRequest
from tui.engine.downloads.http import FetchContext, FetchError, LinkFailedError, RequestHeldError
from tui.engine.downloads.transfer import SENT_ALREADY, FileTransfer
from tui.engine.polling.job_store import JobStore
from tui.presentation import filenames
from tui.storage import partial_file
from tui.storage.config.secrets import Secret, SecretError
from tui.storage.journal.checkpoints import DownloadCheckpoint
from tui.storage.journal.database import JournalError
from tui.storage.partial_file import PartialFile
from tui.storage.workspace import Workspace

PROGRESS_INTERVAL = 0.5
"""Seconds between two progress reports of a file."""
SPEED_WINDOW = 5.0
"""Seconds over which the speed is averaged."""
PENDING_SECONDS = 600.0
"""Seconds after the end of a job in which its link may not work yet."""
_TRANSIENT = frozenset({FaultKind.OFFLINE, FaultKind.TIMEOUT, FaultKind.SERVER})
"""Faults of a link renewal that may be gone later."""

log = logging.getLogger(__name__)


class GetLiveLink(Protocol):
    """Returns a live link of a job, or the fault why there is none."""

    def __call__(
        self,
        ref: Ref,
        kind: LinkKind | None = None,
        dead_url: str | None = None,
        /,
        *,
        nth: int = 0,
        language: str | None = None,
        has_expired: bool = True,
    ) -> Awaitable[Link | Fault]:
        """Return the `nth` link of its kind and language, renewed if needed.

        `dead_url`: this URL was rejected; `has_expired`: for good, so that the job's state says so.
        """
        ...


class DownloadOptions(NamedTuple):
    """Where and why a job's files are downloaded."""

    folder: Path
    user_requested: bool
    """Whether the operator requested it; else the watchlist does."""
    folder_chosen: bool = False
    """Whether the operator chose the folder: files in other folders do not count."""
    language: str | None = None
    """Only files of the part with this language; None: all files."""


class JobDownloader:
    """Downloader of one engine for the files of any job."""

    def __init__(
        self,
        context: EngineContext,
        workspace: Workspace,
        job_store: JobStore,
        accounts: Mapping[str, AccountRuntime],
        publish: Publish,
        get_live_link: GetLiveLink,
    ) -> None:
        self._context, self._workspace, self._job_store, self._accounts = context, workspace, job_store, accounts
        self._publish, self._get_live_link = publish, get_live_link

    async def save(
        self, ref: Ref, options: DownloadOptions, must_yield: Callable[[], bool]
    ) -> tuple[DownloadedFile, ...]:
        """Return all files of the job, downloading those that are missing.

        At the end raises the first transient FetchError, else the first; YieldedError once a file is slow and
        `must_yield`, whether others wait, returns true.
        """
        recorded = self._workspace.journal.states([ref]).get(ref)  # another process may have downloaded some meanwhile
        recorded_files = {saved.name: saved for saved in recorded.downloads} if recorded is not None else {}
        saved: list[DownloadedFile] = []
        errors: list[FetchError] = []
        for artifact in artifacts.artifacts(self._state(ref)):
            if options.language is not None and artifact.language != options.language:
                continue
            if not (options.user_requested or self.may_fetch(ref, artifact)):
                continue
            existing = recorded_files.get(artifact.name)
            if existing is not None and self._is_current(existing, ref, options):
                saved.append(existing)
                continue
            try:
                saved.append(await self._download_file(ref, artifact, options, must_yield))
            except FetchError as error:
                errors.append(self._masked(error, ref.account))
        if errors:
            raise next((error for error in errors if error.transient), errors[0])
        return tuple(saved)

    def may_fetch(self, ref: Ref, artifact: Artifact) -> bool:
        """Return whether this process has the key that the artifact needs, if it needs one."""
        runtime = self._accounts.get(ref.account)
        return not artifact.needs_key or (runtime is not None and runtime.key_fault is None)

    def _masked(self, error: FetchError, account: str) -> FetchError:
        """Return the error without the account's key: a redirect may have it in its host."""
        key = self._workspace.keys.get(account)
        if isinstance(key, Secret):
            error.args = (key.mask_text(str(error)),)
        return error

    def _state(self, ref: Ref) -> JobState:
        if ref not in self._job_store.states:
            raise FetchError("removed from the watchlist")
        return self._job_store.states[ref]

    def _is_current(self, saved: DownloadedFile, ref: Ref, options: DownloadOptions) -> bool:
        """Return whether an earlier download counts. A file that the operator deleted is restored only on request."""
        if saved.downloaded_at < (self._state(ref).first_polled_at or 0.0):
            return False
        if not options.user_requested:
            return True
        path = Path(saved.path)
        return (
            (not options.folder_chosen or path.parent == options.folder)
            and path.is_file()
            and path.stat().st_size == saved.size
        )

    async def _download_file(
        self, ref: Ref, artifact: Artifact, options: DownloadOptions, must_yield: Callable[[], bool]
    ) -> DownloadedFile:
        state = self._state(ref)
        if artifact.kind is None:
            path, size = await self._write_text(state, artifact, options)
        else:
            path, size = await self._download_link(state, artifact, artifact.kind, options, must_yield)
        saved = DownloadedFile(artifact.name, str(path), size, self._context.now())
        await self._job_store.record_download(ref, saved)
        self._write_journal(lambda: self._workspace.journal.downloads.delete(ref, artifact.name))
        return saved

    async def _write_text(self, state: JobState, artifact: Artifact, options: DownloadOptions) -> tuple[Path, int]:
        """Write the job's text to a file."""
        ref, data = state.job.ref, f"{state.result}\n".encode()
        name = filenames.filename(
            (*_titles(state), state.job.id), (state.report and state.report.language) or "", "txt"
        )
        checkpoint = self._checkpoints(ref).get(artifact.name)
        path = await self._context.run_blocking(lambda: _free_text_path(checkpoint, options.folder, name))
        self._write_journal(
            lambda: self._workspace.journal.downloads.save(
                ref, artifact.name, DownloadCheckpoint(part_path=str(path), filename=name)
            )
        )
        return await self._context.run_blocking(lambda: _write_file(path, name, data))

    async def _download_link(
        self,
        state: JobState,
        artifact: Artifact,
        kind: LinkKind,
        options: DownloadOptions,
        must_yield: Callable[[], bool],
    ) -> tuple[Path, int]:
        ref = state.job.ref
        if artifact.is_used:
            raise LinkFailedError(SENT_ALREADY)
        link = await self._get_live_link(ref, kind, nth=artifact.position, language=artifact.language)
        if isinstance(link, Fault):
            if link.kind is FaultKind.LIMITED:
                raise RequestHeldError(link.message, link.retry_at)
            raise FetchError(link.message, transient=True) if link.kind in _TRANSIENT else LinkFailedError(link.message)
        checkpoint = self._checkpoints(ref).get(artifact.name)
        if checkpoint is not None and options.folder_chosen and Path(checkpoint.part_path).parent != options.folder:
            _delete_partial(checkpoint)
            checkpoint = None
        context = self._fetch_context(ref.account)
        if link.needs_key and (key_fault := self._accounts[ref.account].key_fault) is not None:
            raise FetchError(key_fault.message)
        if link.form is not None:
            job_secrets = await self._accounts[ref.account].secrets_of(state.job)
            if isinstance(job_secrets, SecretError):
                raise FetchError(str(job_secrets))
            context = replace(context, job_secrets=job_secrets)
        request = FileRequest(
            link=link,
            folder=options.folder,
            titles=_titles(state),
            job_id=state.job.id,
            language=link.language or (state.report and state.report.language) or "",
            pending_until=(state.phase_since or 0.0) + PENDING_SECONDS,
            used_conditions=self._accounts[ref.account].account.provider.endpoint(state.job.kind).used_conditions,
        )
        async with http.build_client(self._context.http.tls, self._context.http.transport) as client:
            return await FileTransfer(
                request,
                context,
                client,
                checkpoint=checkpoint,
                save_checkpoint=lambda begun: self._write_journal(
                    lambda: self._workspace.journal.downloads.save(ref, artifact.name, begun)
                ),
                report_progress=_ProgressReporter(ref, self._publish, asyncio.get_running_loop().time),
                renew_link=lambda url, has_expired: self._get_live_link(
                    ref, kind, url, nth=artifact.position, language=artifact.language, has_expired=has_expired
                ),
                on_used=lambda url: self._mark_used(ref, url),
                must_yield=must_yield,
                now=self._context.now,
                run_blocking=self._context.run_blocking,
                random=self._context.random,
            ).run()

    def _mark_used(self, ref: Ref, url: str) -> None:
        """Record that the service sends the file, or has sent it: a later process would request it in vain."""
        if ref in self._job_store.states:
            self._job_store.apply(ref, LinkUsed(url))

    def _fetch_context(self, account: str) -> FetchContext:
        runtime = self._accounts.get(account)
        if runtime is None:
            raise FetchError(self._workspace.config.why_unconfigured(account))
        table, key = self._workspace.settings.accounts.get(account), self._workspace.keys.get(account)
        return FetchContext(
            base_url=runtime.account.base_url,
            key_header=runtime.account.provider.key,
            key=key if isinstance(key, Secret) else None,
            headers=runtime.account.provider.constant_headers(runtime.account.variables),
            insecure_http=table is not None and table.insecure_http,
            max_size=self._workspace.settings.downloads.max_size,
        )

    def discard(self, ref: Ref) -> bool:
        """Delete the job's partial files. Returns whether there were any."""
        checkpoints = self._checkpoints(ref)
        for name, checkpoint in checkpoints.items():
            _delete_partial(checkpoint)
            self._write_journal(lambda what=name: self._workspace.journal.downloads.delete(ref, what))
        return bool(checkpoints)

    def _checkpoints(self, ref: Ref) -> dict[str, DownloadCheckpoint]:
        try:
            return self._workspace.journal.downloads.checkpoints(ref)
        except JournalError as error:
            log.warning("%s", error)
            return {}

    def _write_journal(self, write: Callable[[], None]) -> None:
        """Write to the journal. A failure is logged: the download goes on, but cannot be resumed later."""
        try:
            write()
        except JournalError as error:
            log.warning("%s", error)


class _ProgressReporter:
    """Reporter of a file's progress, at most every PROGRESS_INTERVAL."""

    def __init__(self, ref: Ref, report: Callable[[DownloadProgress], None], time: Callable[[], float]) -> None:
        self._ref, self._report, self._time = ref, report, time
        self._reported_at, self._reported_bytes = time(), -1
        self._speed: float | None = None

    def __call__(self, name: str, received: int, total: int | None) -> None:
        now = self._time()
        elapsed = now - self._reported_at
        if self._reported_bytes >= 0 and elapsed < PROGRESS_INTERVAL and received != total:
            return
        if self._reported_bytes >= 0 and elapsed > 0:
            speed = max(0.0, (received - self._reported_bytes) / elapsed)
            self._speed = (
                speed if self._speed is None else self._speed + (speed - self._speed) * min(1.0, elapsed / SPEED_WINDOW)
            )
        self._reported_at, self._reported_bytes = now, received
        self._report(
            DownloadProgress(
                ref=self._ref,
                stage=DownloadStage.DOWNLOADING,
                file_name=name,
                received_bytes=received,
                total_bytes=total,
                bytes_per_second=self._speed or None,
            )
        )


def _titles(state: JobState) -> tuple[str, str]:
    return state.job.label, (state.report and state.report.title) or ""


def _delete_partial(checkpoint: DownloadCheckpoint) -> None:
    try:
        Path(checkpoint.part_path).unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s: %s", checkpoint.part_path, error.strerror)


def _free_text_path(checkpoint: DownloadCheckpoint | None, folder: Path, name: filenames.Filename) -> Path:
    """Return a free path for a text's partial file; delete the one that a killed process left. Raises OSError."""
    if checkpoint is not None:
        _delete_partial(checkpoint)
    return partial_file.free_part_path(folder, name)


def _write_file(path: Path, name: filenames.Filename, data: bytes) -> tuple[Path, int]:
    """Write a file in one go and return its path and size. Raises OSError and leaves nothing behind."""
    partial = PartialFile.create(path, name)
    try:
        partial.write(data)
        while True:
            final = partial.free_final_path()
            try:
                partial.finish(final)
            except FileExistsError:
                continue
            return final, partial.size
    except OSError:
        partial.discard()
        raise
    finally:
        partial.close()
