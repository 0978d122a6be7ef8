"""What an account does about an API that is over: who takes over, and which jobs the successor is asked for next.

It sends nothing. What an ask brought that found the API over is kept until the successor was asked for the same job.
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Generic, TypeVar

from tui.domain.models import FaultKind
from tui.domain.polling.throttle import UNAVAILABLE_FAULTS
from tui.storage.workspace import Account

A = TypeVar("A")

AGAIN = 24 * 3600.0
"""Seconds after which a job that the successor refused too is tried there once more."""
UNDECIDED = UNAVAILABLE_FAULTS | {FaultKind.LIMITED}
"""Faults with which the successor neither reports nor refuses: the job is asked again as after any such fault."""

Heir = Callable[[Account], Account | None]
"""The account as its provider's successor has it; None: nobody takes over."""


class Turn(Enum):
    """What an ask meant for the account's succession."""

    NEXT = auto()
    """The API is over for this job: nothing is settled before the successor was asked for it, which comes next."""
    MOVED = auto()
    """The successor gave a report: the account is the successor's from now on."""
    REFUSED = auto()
    """The successor refused the job too."""


class Succession(Generic[A]):
    """One account's. `A` is what an ask brought."""

    def __init__(self, account: Account, heir: Heir) -> None:
        self._find = heir
        self._account = account
        self._refused: dict[str, float] = {}
        self._firsts: dict[str, tuple[Account, A]] = {}
        self.heir = heir(account)

    def recall(self, refused: Mapping[str, float]) -> None:
        """Takes over what is known from before: by id, the instant at which the successor refused it."""
        self._refused.update(refused)

    def owes(self, job: str) -> bool:
        """One more ask for the job follows on one that found the API over."""
        return job in self._firsts

    def begin(self, account: Account, job: str, first: A, at: float) -> bool:
        """Whether one more ask follows on one that found the account's API over; what came first is kept until then.

        An account that has moved while it was asked is asked anew, wherever it is now.
        """
        tried = self._refused.get(job)
        refused = self.heir is None or (tried is not None and at - tried < AGAIN)
        if account is self._account and refused:
            return False
        self._firsts[job] = (account, first)
        return True

    def take(self, job: str) -> A | None:
        """What came first for the job, if the successor is to be asked for it now: the account has not moved since."""
        account, first = self._firsts.pop(job, (None, None))
        return first if account is self._account else None

    def refuse(self, job: str, at: float) -> None:
        """The successor refused the job too."""
        self._refused[job] = at

    def move(self, account: Account) -> None:
        """The account is the successor's, which may have one of its own. What was owed is an ask like any other."""
        self._account, self.heir = account, self._find(account)
        self._refused.clear()
