"""What a role in the demo is: a job as its operator wrote it down, and its story at the service. No job is named here.

Every instant of a role is in seconds from the curtain, the moment at which the demo opens: what has been is negative.
"""

from dataclasses import KW_ONLY, dataclass
from hashlib import blake2b
from uuid import UUID

from tui.domain.models import Job
from tui.presentation import languages
from tui.simulator.scenario import Scenario, stable_fraction

POLL_DELAY = 5.0
"""Seconds after each turn of a story at which a console of the past asked and saw it."""
LAST_POLL_RANGE = (2.0, 14.0)
"""Seconds before the curtain, least and most, at which a job that goes on was last asked."""
ADD_DELAY = 45.0
"""Seconds after a job was submitted at which its id was put on the watchlist."""

SERVICES = {"heygen": "heygen", "konpro": "konpro", "camb": "camb", "flixu": "flixu", "legal": "flixu"}
"""Each account's service. "legal" is another organisation's access to Flixu, and its key is not at hand."""
UNTITLED_SERVICES = frozenset({"camb", "flixu"})
"""Services that tell no title: there the operator gives the job a label."""


@dataclass(frozen=True, slots=True)
class DemoJob:
    """One job: what the operator wrote of it, and its story. Instants in seconds from the curtain."""

    account: str
    title: str
    """What the service calls it; where a service tells no titles, the operator's label."""
    language: str = ""
    """As HeyGen spells it; the other services tell none."""
    _: KW_ONLY
    starts: float
    runs: float | None = None
    """When its time in the queue is over; None: it has none."""
    ends: float
    """Infinite: never."""
    behaviour: str = "fine"
    """One of the simulator's ends."""
    polled: tuple[float, ...] | None = None
    """When it was asked before the curtain; None: soon after each turn, and a moment ago if it goes on."""
    next_poll: float | None = None
    """When it is asked next; None: when the engine's cadence says."""
    kind: str = ""
    label: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    keep_link: bool = False
    muted: bool = False
    archived: bool = False
    has_signed_links: bool = False
    """Its links tell when they die."""
    link_lifetime: float | None = None
    """Seconds that a link lives; None: the seven days that are documented."""
    has_captions: bool = False
    text: str | None = None
    """The translation, a line a sentence."""
    failure_message: str | None = None
    """What the service says of its failure."""

    @property
    def service(self) -> str:
        """Who does the work."""
        return SERVICES[self.account]

    def id(self, seed: int) -> str:
        """Return the job's id, of the shape that its service gives out."""
        mark = blake2b(f"{seed}/{self.account}/{self.title}".encode(), digest_size=16).hexdigest()
        match self.service:
            case "heygen":
                return f"{mark}-{languages.language_code(self.language)}"
            case "camb":
                return str(UUID(mark))
            case "flixu":
                return f"doc_{mark[:12]}"
            case _:
                return f"vt_{mark[:16]}"

    def job(self, start_time: float, seed: int) -> Job:
        """Return the job as the watchlist holds it."""
        return Job(
            account=self.account,
            id=self.id(seed),
            kind=self.kind,
            label=self.label or (self.title if self.service in UNTITLED_SERVICES else ""),
            tags=self.tags,
            note=self.note,
            added=float(int(start_time + min(self.starts + ADD_DELAY, self.starts / 2))),
            keep_link=self.keep_link,
            muted=self.muted,
            archived=self.archived,
        )

    def scenario(self, start_time: float, seed: int) -> Scenario:
        """Return what the simulator is to tell of the job."""
        runs = self.starts if self.runs is None else self.runs
        return Scenario(
            self.id(seed),
            title=self.title,
            language=self.language,
            queued=runs - self.starts,
            running=self.ends - runs,
            behaviour=self.behaviour,
            started_at=start_time + self.starts,
            has_signed_links=self.has_signed_links,
            link_lifetime=self.link_lifetime,
            text=self.text,
            failure_message=self.failure_message,
            exception_reason=self.failure_message,
            has_captions=self.has_captions,
        )

    def past_polls(self, seed: int) -> tuple[float, ...]:
        """Return the instants, from the curtain, at which the job was asked before it."""
        if self.polled is not None:
            return self.polled
        turns = (self.starts, self.starts if self.runs is None else self.runs, self.ends)
        seen = {turn + POLL_DELAY for turn in turns if turn + POLL_DELAY < -LAST_POLL_RANGE[1]}
        if self.ends > 0:
            least, most = LAST_POLL_RANGE
            seen.add(max(self.starts / 2, -least - (most - least) * stable_fraction(seed, self.title, "latest")))
        return tuple(sorted(seen))
