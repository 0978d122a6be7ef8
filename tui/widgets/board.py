"""The front end's board: its own dict of states, and what the operator chose to see of it. It draws nothing."""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from tui.domain import rows
from tui.domain.board import JobState
from tui.domain.cells import ASCII, UNICODE, Face
from tui.domain.jobs import Ref
from tui.domain.rows import Filter, Outlook, View
from tui.engine.feed import AccountState, Health, Update


class Board:
    """What every widget of the dashboard reads. Only `take` and the operator's choices change it."""

    def __init__(self, outlook: Outlook, now: Callable[[], float], *, ascii_only: bool = False) -> None:
        """`outlook` carries the thresholds of the settings; `now` gives instants."""
        self.states: dict[Ref, JobState] = {}
        self.accounts: dict[str, AccountState] = {}
        self.problems: tuple[str, ...] = ()
        self.marks: set[Ref] = set()
        self.view = View.ALL
        self.filter = Filter()
        self.filter_text = ""
        self.sort = ""
        self.descending = False
        self.now = now
        self._outlook = outlook
        self._glyphs = ASCII if ascii_only else UNICODE

    def take(self, update: Update) -> bool:
        """Takes over an update; True: the rows are to be arranged anew."""
        arranged = bool(update.states) or update.order is not None
        self.states.update(update.states)
        if update.order is not None:
            self.states = {ref: self.states[ref] for ref in update.order if ref in self.states}
            self.marks &= self.states.keys()
        if update.accounts:
            self.accounts.update(update.accounts)
            providers = {name: account.provider for name, account in self.accounts.items()}
            self._outlook = replace(self._outlook, providers=providers)
        if update.problems is not None:
            self.problems = update.problems
        return arranged

    @property
    def outlook(self) -> Outlook:
        """What judging a job takes, now."""
        return replace(self._outlook, now=self.now())

    @property
    def face(self) -> Face:
        """How cells are to look, now."""
        until = {name: account.until for name, account in self.accounts.items() if account.until is not None}
        stopped = {name for name, state in self.accounts.items() if state.health in {Health.REFUSED, Health.NO_KEY}}
        return Face(self.outlook, self._glyphs, until, frozenset(stopped))

    def arranged(self) -> list[Ref]:
        """The jobs that the table shows, in its order."""
        return rows.arranged(
            self.states.values(),
            self.outlook,
            view=self.view,
            wanted=self.filter,
            sort=self.sort,
            descending=self.descending,
        )

    def counts(self) -> Mapping[View, int]:
        """How many jobs each view holds."""
        return rows.counts(self.states.values(), self.outlook)

    def search(self, text: str) -> None:
        """Sets the filter."""
        self.filter_text = text
        self.filter = Filter.parse(text)

    def chosen(self, cursor: Ref | None) -> tuple[Ref, ...]:
        """What a command is about: the marked jobs, else the one under the cursor."""
        if self.marks:
            return tuple(ref for ref in self.states if ref in self.marks)
        return (cursor,) if cursor is not None else ()
