"""Scenario of a simulated job, with seeded values for everything that it leaves open.

Independent of HTTP and services. The same id and seed give the same resolved scenario on every machine.
"""

from dataclasses import dataclass
from hashlib import blake2b
from math import inf
from typing import Literal

JobLength = Literal["text", "document", "video"]
"""Class of durations: a text is short, a video long."""
JobOutcome = Literal["success", "failure", "timeout", "payment"]

BEHAVIOURS = frozenset(
    {
        *("fine", "fail", "partial", "pay", "timeout", "missing", "gone", "slow", "stuck", "nolink", "short"),
        *("odd", "limit", "flaky", "delay", "hint", "damaged", "cached", "floats"),
        *("notready", "accepted", "expired400", "expired403", "expired200", "loginpage", "norange", "members"),
    }
)
"""Behaviours that an id can select with a word between hyphens."""
OUTCOME_BY_BEHAVIOUR: dict[str, JobOutcome] = {"fail": "failure", "timeout": "timeout", "pay": "payment"}
"""Behaviours that end without success. `missing`, `gone` and `stuck` never end."""
DURATION_RANGES: dict[JobLength, tuple[float, float]] = {
    "text": (10.0, 40.0),
    "document": (20.0, 90.0),
    "video": (60.0, 600.0),
}
"""Seconds from queue to end, shortest and longest."""
SLOW_FACTOR = 10.0
"""Factor of the duration of a `slow` scenario."""
LINK_LIFETIME = 7 * 86400.0
"""Lifetime of a link. Seconds: the 7 days of HeyGen [D] and KonPro [D]."""
SHORT_LINK_LIFETIME = 60.0
"""Lifetime of a link of a `short` scenario. Seconds."""
BEHAVIOUR_CHANCES = ((0.06, "fail"), (0.08, "timeout"), (0.10, "pay"), (1.0, "fine"))
"""Cumulative probabilities of the behaviours for an id that selects none: nine in ten succeed."""
FILE_SIZE_RANGE = (128 * 1024, 768 * 1024)
"""Bytes of a video or a recording, least and most."""

SAMPLE_TRANSLATIONS = (
    ("Urdu (Pakistan)", "بہار کی رونمائی", "خوش آمدید۔\nیہ ہماری نئی مصنوعات ہیں۔"),
    ("Japanese (Japan)", "製品紹介ビデオ", "ようこそ。\n新しい製品をご紹介します。"),
    ("French (France)", "Présentation du printemps", "Bienvenue.\nVoici notre nouvelle gamme."),
    ("German (Germany)", "Sicherheitsunterweisung", "Willkommen.\nHier gilt Helmpflicht."),
    ("Hindi (India)", "ग्राहक सहायता परिचय", "स्वागत है।\nहम आपकी मदद के लिए यहाँ हैं।"),
    ("Spanish (Mexico)", "Curso de bienvenida", "Bienvenidos.\nEmpecemos por lo básico."),
    ("Korean (Korea)", "신제품 소개", "환영합니다.\n새로운 제품을 소개합니다."),
    ("Arabic (Egypt)", "دليل الموظف الجديد", "أهلاً بكم.\nلنبدأ من البداية."),
    ("Greek (Greece)", "Ετήσια αναφορά", "Καλώς ήρθατε.\nΑς ξεκινήσουμε."),
    ("Chinese (Mandarin, Simplified)", "季度回顾", "欢迎。\n让我们开始吧。"),
    ("Portuguese (Brazil)", "Guia de integração", "Boas-vindas.\nVamos começar."),
)
"""Language, title and text of a translation."""
SAMPLE_FAILURES = (
    ("Source video could not be downloaded", "ERROR_DOWNLOADING_SOURCE"),
    ("No speech was found in the source", "VIDEO_DOES_NOT_HAVE_AUDIO_STREAMS"),
    ("The source is longer than the plan allows", "SOURCE_TOO_LONG"),
    ("Lip sync failed: the face is not visible", "PROCESSING_ERROR"),
)
"""Message, and CAMB.AI's exception_reason [S]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedScenario:
    """Scenario with every value set. Durations in seconds."""

    id: str
    title: str
    language: str
    """As HeyGen spells it: "Urdu (Pakistan)"."""
    queued: float
    running: float
    """From the end of the queue to the end; infinite for a `stuck` scenario."""
    behaviour: str
    """One of BEHAVIOURS."""
    started_at: float | None
    """Instant; None: at the first poll."""
    has_signed_links: bool
    link_lifetime: float
    link_reuse: float
    """Seconds for which every poll gets the same link; infinite: until it expires."""
    text: str
    """Translation, one line per sentence."""
    failure_message: str
    """Reason of a failure."""
    exception_reason: str
    """Code of the failure: CAMB.AI's exception_reason."""
    has_captions: bool
    file_size: int
    """Bytes of a video or a recording."""
    languages: tuple[str, ...] = ()
    """Target languages of a service with several; empty: derived from the id."""

    @property
    def outcome(self) -> JobOutcome:
        """Outcome at the end of the job."""
        return OUTCOME_BY_BEHAVIOUR.get(self.behaviour, "success")


@dataclass(frozen=True, slots=True)
class Scenario:
    """Requested behaviour of a job. None: determined by the id and the seed."""

    id: str
    service: str | None = None
    """One of `services.NAMES`, or "operations"; None: at each service that is polled."""
    title: str | None = None
    language: str | None = None
    queued: float | None = None
    """Seconds in the queue."""
    running: float | None = None
    """Seconds from the end of the queue to the end."""
    behaviour: str | None = None
    """One of BEHAVIOURS; None: the word between hyphens in the id, else random."""
    started_at: float | None = None
    """Instant; None: at the first poll."""
    has_signed_links: bool = False
    """Links contain an exact expiry: CloudFront's at HeyGen, S3's elsewhere."""
    link_lifetime: float | None = None
    """Seconds from the issue of a link on."""
    link_reuse: float = inf
    """Seconds for which every poll gets the same link; then it gets a new one, and the old one stays valid."""
    text: str | None = None
    """Translation, one line per sentence."""
    failure_message: str | None = None
    """Reason of a failure."""
    exception_reason: str | None = None
    """CAMB.AI's exception_reason of a failure."""
    has_captions: bool = False
    file_size: int | None = None
    """Bytes of a video or a recording."""
    languages: tuple[str, ...] = ()
    """Target languages of a service with several; empty: derived from the id."""

    def __post_init__(self) -> None:
        """Raise ValueError for an unknown behaviour."""
        if self.behaviour is not None and self.behaviour not in BEHAVIOURS:
            raise ValueError(f"{self.id}: unknown behaviour {self.behaviour!r}")

    def resolve(self, length: JobLength, seed: int) -> ResolvedScenario:
        """Return the scenario with every value set; missing ones are derived from its id and `seed`."""
        behaviour = self.behaviour or behaviour_in(self.id) or _random_behaviour(self.id, seed)
        language, title, text = SAMPLE_TRANSLATIONS[
            int(stable_fraction(seed, self.id, "scene") * len(SAMPLE_TRANSLATIONS))
        ]
        message, reason = SAMPLE_FAILURES[int(stable_fraction(seed, self.id, "failure") * len(SAMPLE_FAILURES))]
        queued, running = _random_durations(self.id, length, behaviour, seed)
        least, most = FILE_SIZE_RANGE
        return ResolvedScenario(
            id=self.id,
            title=title if self.title is None else self.title,
            language=language if self.language is None else self.language,
            queued=queued if self.queued is None else self.queued,
            running=running if self.running is None else self.running,
            behaviour=behaviour,
            started_at=self.started_at,
            has_signed_links=self.has_signed_links,
            link_lifetime=(SHORT_LINK_LIFETIME if behaviour == "short" else LINK_LIFETIME)
            if self.link_lifetime is None
            else self.link_lifetime,
            link_reuse=self.link_reuse,
            text=text if self.text is None else self.text,
            failure_message=message if self.failure_message is None else self.failure_message,
            exception_reason=reason if self.exception_reason is None else self.exception_reason,
            has_captions=self.has_captions,
            file_size=int(least + stable_fraction(seed, self.id, "size") * (most - least))
            if self.file_size is None
            else self.file_size,
            languages=self.languages,
        )


def stable_fraction(*parts: object) -> float:
    """Return a pseudo-random number in [0, 1), equal for equal `parts`."""
    digest = blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def behaviour_in(job_id: str) -> str | None:
    """Return the first of BEHAVIOURS between hyphens in `job_id`, if there is one."""
    return next((part for part in job_id.split("-") if part in BEHAVIOURS), None)


def _random_behaviour(job_id: str, seed: int) -> str:
    number = stable_fraction(seed, job_id, "end")
    return next(behaviour for chance, behaviour in BEHAVIOUR_CHANCES if number < chance)


def _random_durations(job_id: str, length: JobLength, behaviour: str, seed: int) -> tuple[float, float]:
    """Return the seconds queued and running: log-uniform over the range of the length, 10 to 30 % of it queued."""
    shortest, longest = DURATION_RANGES[length]
    duration = shortest * (longest / shortest) ** stable_fraction(seed, job_id, "time")
    if behaviour == "slow":
        duration *= SLOW_FACTOR
    queued = duration * (0.1 + 0.2 * stable_fraction(seed, job_id, "queue"))
    return queued, inf if behaviour == "stuck" else duration - queued
