"""Specification of a demo job: its entry in the watchlist and its scenario at the service. The jobs: `fixtures`.

Times are in seconds from the start time, at which the demo opens; past ones are negative.
"""

from dataclasses import KW_ONLY, dataclass
from hashlib import blake2b
from uuid import UUID

from tui.domain.models import Job
from tui.presentation import languages
from tui.simulator.scenario import Scenario, stable_fraction
from tui.storage.config.secrets import Secret

POLL_DELAY = 5.0
"""Seconds from each change of a scenario to the past poll that reports it."""
LAST_POLL_RANGE = (2.0, 14.0)
"""Range of the last poll of an active job. Seconds before the start time."""
ADD_DELAY = 45.0
"""Seconds from the submission of a job to its entry in the watchlist."""

SERVICES = {
    "heygen": "heygen",
    "konpro": "konpro",
    "camb": "camb",
    "flixu": "flixu",
    "deepl": "deepl-voice",
    "agency": "heygen",
    "legal": "flixu",
    "papers": "deepl-documents",
}
"""Service of each account. "agency" is at HeyGen's retired API, "legal" is another organisation's at Flixu, without a
key."""
UNTITLED_SERVICES = frozenset({"camb", "flixu", "deepl-voice", "deepl-documents"})
"""Services without titles: their jobs have a label."""


@dataclass(frozen=True, slots=True)
class DemoJob:
    """One job: its watchlist entry and its scenario. Times in seconds from the start time."""

    account: str
    title: str
    """Title at the service; for services without titles, the label."""
    language: str = ""
    """In HeyGen's spelling; the other services have none."""
    _: KW_ONLY
    starts: float
    runs: float | None = None
    """End of its time in the queue; None: it is not queued."""
    ends: float
    """Infinite: never."""
    behaviour: str = "fine"
    """One of the simulator's BEHAVIOURS."""
    polled: tuple[float, ...] | None = None
    """Past polls; None: soon after each change, and just before the start time if it is active."""
    next_poll: float | None = None
    """Next poll; None: as the polling policy determines."""
    kind: str = ""
    label: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    keep_link: bool = False
    muted: bool = False
    archived: bool = False
    has_signed_links: bool = False
    """Its links contain their expiry."""
    link_lifetime: float | None = None
    """Lifetime of its links. Seconds; None: the documented seven days."""
    has_captions: bool = False
    languages: tuple[str, ...] = ()
    """Target languages, at a service with several."""
    text: str | None = None
    """Translation, one line per sentence."""
    failure_message: str | None = None
    """Message of the service for its failure."""

    @property
    def service(self) -> str:
        """Service of the job."""
        return SERVICES[self.account]

    def id(self, seed: int) -> str:
        """Return the job's id in the format of its service."""
        digest = blake2b(f"{seed}/{self.account}/{self.title}".encode(), digest_size=16).hexdigest()
        match self.service:
            case "heygen":
                return f"{digest}-{languages.language_code(self.language)}"
            case "camb" | "deepl-voice":
                return str(UUID(digest))
            case "deepl-documents":
                return digest.upper()
            case "flixu":
                return f"doc_{digest[:12]}"
            case _:
                return f"vt_{digest[:16]}"

    def job(self, start_time: float, seed: int) -> Job:
        """Return the job of the watchlist."""
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

    def secrets(self, seed: int) -> dict[str, Secret]:
        """Return the secrets of the job, by name; only a document of DeepL has one."""
        if self.service != "deepl-documents":
            return {}
        return {
            "document_key": Secret(blake2b(f"{seed}/{self.title}/key".encode(), digest_size=32).hexdigest().upper())
        }

    def scenario(self, start_time: float, seed: int) -> Scenario:
        """Return the simulator's scenario of the job."""
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
            languages=self.languages,
        )

    def past_polls(self, seed: int) -> tuple[float, ...]:
        """Return the past polls in seconds from the start time."""
        if self.polled is not None:
            return self.polled
        changes = (self.starts, self.starts if self.runs is None else self.runs, self.ends)
        polls = {change + POLL_DELAY for change in changes if change + POLL_DELAY < -LAST_POLL_RANGE[1]}
        if self.ends > 0:
            nearest, farthest = LAST_POLL_RANGE
            polls.add(
                max(self.starts / 2, -nearest - (farthest - nearest) * stable_fraction(seed, self.title, "latest"))
            )
        return tuple(sorted(polls))
