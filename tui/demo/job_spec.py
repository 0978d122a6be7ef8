"""What a role in the demo is: a job as its operator wrote it down, and its story at the service. No job is named here.

Every instant of a role is in seconds from the curtain, the moment at which the demo opens: what has been is negative.
"""

from dataclasses import KW_ONLY, dataclass
from hashlib import blake2b
from uuid import UUID

from tui.domain.models import Job
from tui.presentation import formatting
from tui.simulator.scenario import Story, fraction

NOTICED = 5.0
"""Seconds after each turn of a story at which a console of the past asked and saw it."""
LATEST = (2.0, 14.0)
"""Seconds before the curtain, least and most, at which a job that goes on was last asked."""
WRITTEN_DOWN = 45.0
"""Seconds after a job was submitted at which its id was put on the watchlist."""

SERVICES = {"heygen": "heygen", "konpro": "konpro", "camb": "camb", "flixu": "flixu", "legal": "flixu"}
"""Each account's service. "legal" is another organisation's access to Flixu, and its key is not at hand."""
NAMELESS = frozenset({"camb", "flixu"})
"""Services that tell no title: there the operator gives the job a label."""


@dataclass(frozen=True, slots=True)
class Role:
    """One job: what the operator wrote of it, and its story. Instants in seconds from the curtain."""

    account: str
    title: str
    """What the service calls it; where a service tells no titles, the operator's label."""
    language: str = ""
    """As HeyGen spells it; the other services tell none."""
    _: KW_ONLY
    began: float
    runs: float | None = None
    """When its time in the queue is over; None: it has none."""
    ends: float
    """Infinite: never."""
    end: str = "fine"
    """One of the simulator's ends."""
    asked: tuple[float, ...] | None = None
    """When it was asked before the curtain; None: soon after each turn, and a moment ago if it goes on."""
    cue: float | None = None
    """When it is asked next; None: when the engine's cadence says."""
    kind: str = ""
    label: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    keep_link: bool = False
    muted: bool = False
    archived: bool = False
    signed: bool = False
    """Its links tell when they die."""
    life: float | None = None
    """Seconds that a link lives; None: the seven days that are documented."""
    captions: bool = False
    text: str | None = None
    """The translation, a line a sentence."""
    message: str | None = None
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
                return f"{mark}-{formatting.language_code(self.language)}"
            case "camb":
                return str(UUID(mark))
            case "flixu":
                return f"doc_{mark[:12]}"
            case _:
                return f"vt_{mark[:16]}"

    def job(self, curtain: float, seed: int) -> Job:
        """Return the job as the watchlist holds it."""
        return Job(
            account=self.account,
            id=self.id(seed),
            kind=self.kind,
            label=self.label or (self.title if self.service in NAMELESS else ""),
            tags=self.tags,
            note=self.note,
            added=float(int(curtain + min(self.began + WRITTEN_DOWN, self.began / 2))),
            keep_link=self.keep_link,
            muted=self.muted,
            archived=self.archived,
        )

    def story(self, curtain: float, seed: int) -> Story:
        """Return what the simulator is to tell of the job."""
        runs = self.began if self.runs is None else self.runs
        return Story(
            self.id(seed),
            title=self.title,
            language=self.language,
            queued=runs - self.began,
            running=self.ends - runs,
            end=self.end,
            began=curtain + self.began,
            signed=self.signed,
            link_life=self.life,
            text=self.text,
            message=self.message,
            reason=self.message,
            captions=self.captions,
        )

    def past(self, seed: int) -> tuple[float, ...]:
        """Return the instants, from the curtain, at which the job was asked before it."""
        if self.asked is not None:
            return self.asked
        turns = (self.began, self.began if self.runs is None else self.runs, self.ends)
        seen = {turn + NOTICED for turn in turns if turn + NOTICED < -LATEST[1]}
        if self.ends > 0:
            least, most = LATEST
            seen.add(max(self.began / 2, -least - (most - least) * fraction(seed, self.title, "latest")))
        return tuple(sorted(seen))
