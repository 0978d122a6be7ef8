"""The commands about jobs and their results: each becomes one wish for the engine, or one thing for the terminal."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from tui.dashboard.screen import Dashboard
from tui.domain import job_state as reducer
from tui.domain.links import expiry
from tui.domain.models import Job, Link, Phase, Ref
from tui.engine.api import AccountState, CommandResult, Pause, Refresh, Renew
from tui.presentation import formatting
from tui.storage.watchlist.file import Add, Remove, RemovedBlock, Restore, Set

CONFIRM_FROM_MINUTES = 1.0
"""Minutes of asking from which on an operator is asked whether it is meant."""


def polling_duration(refs: Iterable[Ref], accounts: Mapping[str, AccountState]) -> tuple[float, str]:
    """How many minutes it takes to ask for the jobs, and the account that takes longest."""
    counts = Counter(ref.account for ref in refs)
    minutes = {
        name: count / (accounts[name].rate_per_minute or 60) for name, count in counts.items() if name in accounts
    }
    slowest = max(minutes, key=minutes.__getitem__, default="")
    return minutes.get(slowest, 0.0), slowest


class JobActions:
    """What is done with the chosen jobs; each method is the command of its name."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self._board = dashboard.board
        self._table = dashboard.table
        self._removed_blocks: list[tuple[RemovedBlock, ...]] = []

    # The watchlist.

    def add(self) -> None:
        """Opens the dialog that takes ids and links."""
        from tui.dashboard.dialogs.add import AddScreen  # imported when its key is pressed, as all dialogs are

        accounts = tuple(self._board.accounts.values())
        dialog = AddScreen(accounts, self._board.states.keys(), self._board.now)
        self._dashboard.typed_app.push_screen(dialog, self._jobs_entered)

    def _jobs_entered(self, jobs: tuple[Job, ...] | None) -> None:
        if jobs:
            self._dashboard.send_command(Add(jobs))

    def edit(self) -> None:
        """Opens the dialog for label, tags, note and options of the job under the cursor."""
        from tui.dashboard.dialogs.edit import EditScreen

        state = self._board.states.get(self._table.cursor) if self._table.cursor is not None else None
        if state is not None:
            self._dashboard.typed_app.push_screen(EditScreen(state.job), self._options_edited)

    def _options_edited(self, change: Set | None) -> None:
        if change is not None:
            self._dashboard.send_command(change)

    def remove(self) -> None:
        """Takes the chosen jobs off the watchlist; `undo` puts them back."""
        chosen = self._dashboard.selected_refs
        if chosen:
            self._dashboard.send_command(Remove(chosen), self._jobs_removed)

    def _jobs_removed(self, result: CommandResult) -> None:
        if result.removed:
            self._removed_blocks.append(result.removed)
            self._dashboard.toast("u puts back what was removed")

    def undo(self) -> None:
        """Puts back what was removed last, where it stood."""
        if self._removed_blocks:
            self._dashboard.send_command(Restore(self._removed_blocks.pop()))
        else:
            self._dashboard.toast("nothing was removed since the start", ok=False)

    def archive(self) -> None:
        """Puts the chosen jobs away, or back."""
        self._toggle_option("archived")

    def mute(self) -> None:
        """No bell, toast or hook for the chosen jobs, or all of it again."""
        self._toggle_option("muted")

    def _toggle_option(self, option: str) -> None:
        """Sets an option of all chosen jobs, or takes it away if all have it."""
        chosen = self._dashboard.selected_refs
        if chosen:
            everywhere = all(getattr(self._board.states[ref].job, option) for ref in chosen)
            self._dashboard.send_command(Set(chosen, {option: not everywhere}))

    # Asking.

    def refresh(self) -> None:
        """Asks the chosen jobs now."""
        self._refresh_jobs(self._dashboard.selected_refs)

    def refresh_all(self) -> None:
        """Asks every job in the table now."""
        self._refresh_jobs(tuple(self._table.refs))

    def _refresh_jobs(self, refs: tuple[Ref, ...]) -> None:
        if refs:
            self._confirm_and_send(refs, Refresh(refs), f"Refresh {len(refs)} jobs")

    def _confirm_and_send(self, refs: tuple[Ref, ...], command: Refresh | Renew, question: str) -> None:
        """Asks, but says first what it costs if that is much."""
        from tui.dashboard.dialogs.confirm import ConfirmScreen

        minutes, account = polling_duration(refs, self._board.accounts)
        if minutes < CONFIRM_FROM_MINUTES:
            self._dashboard.send_command(command)
            return
        question = f"{question}: about {formatting.span(minutes * 60)} at {account}'s limit."
        answered = ConfirmScreen(question, "asks them all")
        self._dashboard.typed_app.push_screen(
            answered, lambda yes: self._dashboard.send_command(command) if yes else None
        )

    def pause(self) -> None:
        """Has the engine ask nothing by itself, or go on."""
        self._dashboard.send_command(Pause(not self._board.is_paused))

    # Results.

    def renew(self) -> None:
        """Asks for fresh links of the chosen jobs that are done."""
        refs = tuple(ref for ref in self._dashboard.selected_refs if self._board.states[ref].phase is Phase.DONE)
        if refs:
            self._confirm_and_send(refs, Renew(refs), f"Renew the links of {len(refs)} jobs")
        else:
            self._dashboard.toast("only a job that is done has a link to renew", ok=False)

    def copy_id(self) -> None:
        """Sends the id to the terminal's clipboard."""
        if self._table.cursor is not None:
            self._copy(self._table.cursor.id, "the id")

    def copy_link(self) -> None:
        """Sends the link to the terminal's clipboard, a fresh one where the old one has less than an hour left."""
        self._with_link(lambda link: self._copy(link.url, "the link"))

    def open_job_link(self) -> None:
        """Opens the link on this machine's desktop; a fresh one where the old one has less than an hour left."""
        self._with_link(self._open)

    def _open(self, link: Link) -> None:
        from tui.dashboard.terminal import open_external

        if self._dashboard.typed_app.is_web:
            self._dashboard.typed_app.open_url(link.url)
            self._dashboard.toast("the link was handed to the browser")
        elif open_external.open_external(link.url):  # the reader lets http(s) links pass, and no others
            self._dashboard.toast("the link was handed to the desktop")
        else:
            self._dashboard.toast("there is no desktop here; Y copies the link", ok=False)

    def _with_link(self, action: Callable[[Link], None]) -> None:
        """Does it with the link of the job under the cursor; one that dies soon, or is dead, is renewed before."""
        from tui.domain.links import renewal

        state = self._board.states.get(self._table.cursor) if self._table.cursor is not None else None
        if state is None:
            return
        link, now = reducer.primary_link(state), self._board.now()
        if link is None:
            self._dashboard.toast(
                "this job has no link" + (" yet" if state.phase not in reducer.ENDED else ""), ok=False
            )
        elif renewal.has_enough_life(link.expires_at, now):
            action(link)
        else:
            left = expiry.remaining(link, now) or 0.0
            how = "is dead" if left <= 0 else f"dies in {formatting.duration(left)}"
            self._dashboard.toast(f"this link {how}: asking for a fresh one")
            self._dashboard.send_command(
                Renew((state.job.ref,)), lambda outcome: self._use_renewed_links(outcome, action), even_if_failed=True
            )

    @staticmethod
    def _use_renewed_links(result: CommandResult, action: Callable[[Link], None]) -> None:
        """Goes on with the link that lives, if there is one; what became of the wish is said already."""
        for link in result.links:
            action(link)

    def _copy(self, text: str, name: str) -> None:
        """OSC 52 is never acknowledged, so no more is claimed than was done."""
        self._dashboard.typed_app.copy_to_clipboard(text)
        self._dashboard.toast(f"{name} was sent to the terminal")
