"""Link handlers: renew, copy and open the links of the selected jobs. A link about to expire is renewed first."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tui.dashboard.actions.dialog_results import open_dialog
from tui.dashboard.actions.jobs import send_or_confirm
from tui.dashboard.actions.selection import not_shown, with_selected
from tui.domain import job_state
from tui.domain.links import expiry
from tui.domain.models import ENDED, Link, Phase, Ref
from tui.engine.api import CommandResult, Renew
from tui.presentation import formatting
from tui.presentation.formatting import count_of

if TYPE_CHECKING:
    from tui.dashboard.screen import Dashboard

OPEN_LIMIT = 5
"""Links and folders that are opened without a confirmation."""

HIDDEN_LINKS = "Links are hidden from the role viewer: an editor of the team copies, opens and downloads them"
"""Why nothing is done with the links of a job."""

UseLinks = Callable[[Sequence[Link]], None]


def renew(dashboard: "Dashboard") -> None:
    """Renew the links of the selected jobs that are done."""
    with_selected(dashboard, "Renew", lambda refs: _renew_jobs(dashboard, refs))


def _renew_jobs(dashboard: "Dashboard", refs: tuple[Ref, ...]) -> None:
    done = tuple(ref for ref in refs if dashboard.board.states[ref].phase is Phase.DONE)
    if not done:
        dashboard.toast("Only done jobs have a link to renew", ok=False)
        return
    if len(done) < len(refs):
        dashboard.toast(f"{count_of(len(refs) - len(done), 'job')} skipped: only done jobs have a link to renew")
    send_or_confirm(dashboard, Renew(done), title="Renew", question=f"Renew the links of {count_of(len(done), 'job')}?")


def copy_id(dashboard: "Dashboard") -> None:
    """Copy the ids of the selected jobs, one per line."""
    refs = dashboard.selected_refs
    if refs:
        name = "Id" if len(refs) == 1 else count_of(len(refs), "id")
        dashboard.copy_text("\n".join(ref.id for ref in refs), f"{name}{not_shown(dashboard)}")


def copy_link(dashboard: "Dashboard") -> None:
    """Copy the links of the selected jobs, one per line."""
    refs, hidden = dashboard.selected_refs, not_shown(dashboard)

    def copy(links: Sequence[Link]) -> None:
        name = "Link" if len(refs) == 1 else count_of(len(links), "link")
        missing = f"; {count_of(len(refs) - len(links), 'job')} without a link" if len(links) < len(refs) else ""
        dashboard.copy_text("\n".join(link.url for link in links), f"{name}{hidden}", missing)

    with_live_links(dashboard, refs, copy)


def with_live_links(dashboard: "Dashboard", refs: Sequence[Ref], use: UseLinks) -> None:
    """Call `use` with the links of the jobs, as `use_live_links` does, if there are any."""
    states = dashboard.board.states
    found = {ref: link for ref in refs if (link := job_state.primary_link(states[ref])) is not None}
    if found:
        use_live_links(dashboard, found, use)
    elif refs:
        dashboard.toast(_why_no_link(dashboard, refs), ok=False)


def use_live_links(
    dashboard: "Dashboard", found: Mapping[Ref, Link], use: UseLinks, *, language: str | None = None
) -> None:
    """Call `use` with the links of jobs, or of their parts with this language, in their order.

    Expired and expiring ones are renewed first; one that has expired and could not be renewed is left out, and so is
    one for a single download, which a browser would use up.
    """
    from tui.domain.links import renewal

    if any(link.is_hidden for link in found.values()):
        dashboard.toast(HIDDEN_LINKS, ok=False)
        return
    now = dashboard.board.now()
    links = {ref: link for ref, link in found.items() if not (link.one_time or link.form is not None)}
    fading = tuple(ref for ref, link in links.items() if not renewal.has_enough_life(link.expires_at, now))
    if not links:
        dashboard.toast(_why_not_shown(next(iter(found.values()))), ok=False)
        return
    if not fading:
        use(tuple(links.values()))
        return
    dashboard.toast(_why_renewed([links[ref] for ref in fading], now))

    def on_result(result: CommandResult) -> None:
        alive = {ref: result.links.get(ref) if ref in fading else link for ref, link in links.items()}
        live = tuple(link for link in alive.values() if link is not None)
        if live:
            use(live)

    question = f"Renew the links of {count_of(len(fading), 'job')}?"
    send_or_confirm(dashboard, Renew(fading, language), on_result, title="Renew", question=question)


def _why_no_link(dashboard: "Dashboard", refs: Sequence[Ref]) -> str:
    has_ended = all(dashboard.board.states[ref].phase in ENDED for ref in refs)
    if len(refs) > 1:
        return f"None of the {len(refs)} jobs has a link"
    return "No link" if has_ended else "No link yet: the job has not ended"


def _why_not_shown(link: Link) -> str:
    """Return why a link for a single download is neither copied nor opened."""
    return "Used: the service sends this file once" if link.is_used else "One download only: D downloads the file"


def _why_renewed(links: Sequence[Link], now: float) -> str:
    """Return why these links are renewed before their use."""
    if len(links) > 1:
        return f"{len(links)} links expired or expire within an hour: renewing them"
    left = expiry.remaining(links[0], now) or 0.0
    reason = "expired" if left <= 0 else f"expires in {formatting.duration(left)}"
    return f"Link {reason}: renewing it"


def open_link_or_folder(dashboard: "Dashboard") -> None:
    """Open the folders of the selected jobs' downloaded files, else their links."""
    with_selected(dashboard, "Open", lambda refs: _open_jobs(dashboard, refs))


def _open_jobs(dashboard: "Dashboard", refs: tuple[Ref, ...]) -> None:
    """Open folders and links; many only after a confirmation."""
    files = {ref: path for ref in refs if (path := _downloaded_file(dashboard, ref)) is not None}
    folders = dict.fromkeys(path.parent for path in files.values())
    linked = [ref for ref in refs if ref not in files and job_state.primary_link(dashboard.board.states[ref])]

    def open_all() -> None:
        if files:
            _open_folders(dashboard, tuple(files.values()))
        if linked or not files:
            with_live_links(dashboard, linked or refs, lambda links: open_links(dashboard, links))

    if len(folders) + len(linked) <= OPEN_LIMIT:
        open_all()
        return
    from tui.dashboard.dialogs.confirm import ConfirmScreen

    counts = [(len(folders), "folder"), (len(linked), "link")]
    what = " and ".join(count_of(count, noun) for count, noun in counts if count)
    open_dialog(dashboard, ConfirmScreen("Open", f"Open {what}?", "open all"), lambda _: open_all())


def _downloaded_file(dashboard: "Dashboard", ref: Ref) -> Path | None:
    """Return the path of the last downloaded file of the job that still exists."""
    paths = [Path(each.path) for each in job_state.current_downloads(dashboard.board.states[ref])]
    return next((path for path in reversed(paths) if path.exists()), None)


def _open_folders(dashboard: "Dashboard", files: Sequence[Path]) -> None:
    """Open the folder of each file, once; without a desktop, show where the files are."""
    folders = tuple(dict.fromkeys(path.parent for path in files))
    if not dashboard.typed_app.is_web and all(dashboard.open_external(str(folder)) for folder in folders):
        name = f"Folder sent to the desktop: {folders[0]}"
        dashboard.toast(name if len(folders) == 1 else f"{len(folders)} folders sent to the desktop")
    else:
        dashboard.toast(f"Saved as {files[0]}" if len(files) == 1 else f"{len(files)} files saved in {folders[0]}")


def open_links(dashboard: "Dashboard", links: Sequence[Link]) -> None:
    """Open the links in the browser. The response parser lets only http(s) links pass."""
    what = "Link" if len(links) == 1 else count_of(len(links), "link")
    if dashboard.typed_app.is_web:
        for link in links:
            dashboard.typed_app.open_url(link.url)
        dashboard.toast(f"{what} sent to the browser")
    elif all(dashboard.open_external(link.url) for link in links):
        dashboard.toast(f"{what} sent to the desktop")
    else:
        dashboard.toast("No desktop found. Y: copy link", ok=False)
