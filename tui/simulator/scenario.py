"""What happens to a job: its story, and what is made up where the story leaves something open.

Nothing here knows HTTP or a service's words. The same id and seed make the same plot on every machine.
"""

from dataclasses import dataclass
from hashlib import blake2b
from math import inf
from typing import Literal

Pace = Literal["text", "document", "video"]
"""How long a job takes: a text is short, a video long."""
Outcome = Literal["success", "failure", "timeout", "payment"]

WORDS = frozenset(
    {"fine", "fail", "pay", "timeout", "missing", "slow", "stuck", "nolink", "odd", "limit", "flaky", "delay", "short"}
)
"""The ends an id can ask for, as a word between its hyphens."""
OUTCOMES: dict[str, Outcome] = {"fail": "failure", "timeout": "timeout", "pay": "payment"}
"""The ends that are not a success. A story that is `missing` or `stuck` never gets that far."""
SPANS: dict[Pace, tuple[float, float]] = {"text": (10.0, 40.0), "document": (20.0, 90.0), "video": (60.0, 600.0)}
"""Seconds from queue to end, shortest and longest."""
SLOWER = 10.0
"""How much longer a `slow` story takes."""
LIFE = 7 * 86400.0
"""Seconds that a link lives: the 7 days of HeyGen [D] and KonPro [D]."""
SHORT_LIFE = 60.0
"""Seconds that the link of a `short` story lives."""
CHANCES = ((0.06, "fail"), (0.08, "timeout"), (0.10, "pay"), (1.0, "fine"))
"""Cumulative chances of the ends, for an id that asks for none: nine in ten go well."""
SIZES = (128 * 1024, 768 * 1024)
"""Bytes of a video or a recording, least and most."""

SCENES = (
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
"""Language, title and text of what is translated."""
FAILURES = (
    ("Source video could not be downloaded", "ERROR_DOWNLOADING_SOURCE"),
    ("No speech was found in the source", "VIDEO_DOES_NOT_HAVE_AUDIO_STREAMS"),
    ("The source is longer than the plan allows", "SOURCE_TOO_LONG"),
    ("Lip sync failed: the face is not visible", "PROCESSING_ERROR"),
)
"""Message, and CAMB.AI's exception_reason [S]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plot:
    """A story with nothing left open. Durations in seconds."""

    id: str
    title: str
    language: str
    """As HeyGen spells it: "Urdu (Pakistan)"."""
    queued: float
    running: float
    """From the end of the queue to the end; infinite for a `stuck` story."""
    end: str
    """One of WORDS."""
    began: float | None
    """Instant; None: at the first ask."""
    signed: bool
    link_life: float
    link_kept: float
    """Seconds for which every ask gets the same link; infinite: until it dies."""
    text: str
    """The translation, a line a sentence."""
    message: str
    """Why the job failed, where it does."""
    reason: str
    """The same as CAMB.AI's exception_reason, a code."""
    captions: bool
    size: int
    """Bytes of a video or a recording."""

    @property
    def outcome(self) -> Outcome:
        """What the job comes to when its time is over."""
        return OUTCOMES.get(self.end, "success")


@dataclass(frozen=True, slots=True)
class Story:
    """What is wanted of a job. None leaves it to the id and the seed."""

    id: str
    service: str | None = None
    """"heygen", "konpro", "camb" or "flixu"; None: this story at each of them that is asked."""
    title: str | None = None
    language: str | None = None
    queued: float | None = None
    """Seconds in the queue."""
    running: float | None = None
    """Seconds from the end of the queue to the end."""
    end: str | None = None
    """One of WORDS; None: the word between hyphens in the id, else by chance."""
    began: float | None = None
    """Instant; None: at the first ask."""
    signed: bool = False
    """Its links carry an exact expiry: CloudFront's at HeyGen, S3's elsewhere."""
    link_life: float | None = None
    """Seconds from the moment when a link is first given."""
    link_kept: float = inf
    """Seconds for which every ask gets the same link; after them there is another, and the old one lives on."""
    text: str | None = None
    """The translation, a line a sentence."""
    message: str | None = None
    """Why the job failed."""
    reason: str | None = None
    """CAMB.AI's exception_reason, where the job failed."""
    captions: bool = False
    size: int | None = None
    """Bytes of a video or a recording."""

    def __post_init__(self) -> None:
        """Refuse an end that there is none of."""
        if self.end is not None and self.end not in WORDS:
            raise ValueError(f"{self.id}: a story does not end in {self.end!r}")

    def plotted(self, pace: Pace, seed: int) -> Plot:
        """Return the story whole, with what it left open made up from its id and `seed`."""
        end = self.end or told_by(self.id) or _chance(self.id, seed)
        language, title, text = SCENES[int(fraction(seed, self.id, "scene") * len(SCENES))]
        message, reason = FAILURES[int(fraction(seed, self.id, "failure") * len(FAILURES))]
        queued, running = _times(self.id, pace, end, seed)
        least, most = SIZES
        return Plot(
            id=self.id,
            title=title if self.title is None else self.title,
            language=language if self.language is None else self.language,
            queued=queued if self.queued is None else self.queued,
            running=running if self.running is None else self.running,
            end=end,
            began=self.began,
            signed=self.signed,
            link_life=(SHORT_LIFE if end == "short" else LIFE) if self.link_life is None else self.link_life,
            link_kept=self.link_kept,
            text=text if self.text is None else self.text,
            message=message if self.message is None else self.message,
            reason=reason if self.reason is None else self.reason,
            captions=self.captions,
            size=int(least + fraction(seed, self.id, "size") * (most - least)) if self.size is None else self.size,
        )


def fraction(*parts: object) -> float:
    """Return a number in [0, 1) that looks random and is the same for the same `parts`."""
    digest = blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def told_by(job_id: str) -> str | None:
    """Return the first of WORDS that stands between hyphens in `job_id`, if there is one."""
    return next((part for part in job_id.split("-") if part in WORDS), None)


def _chance(job_id: str, seed: int) -> str:
    drawn = fraction(seed, job_id, "end")
    return next(end for chance, end in CHANCES if drawn < chance)


def _times(job_id: str, pace: Pace, end: str, seed: int) -> tuple[float, float]:
    """Return the seconds queued and running: log-uniform over the span of its pace, a tenth to a third of it queued."""
    shortest, longest = SPANS[pace]
    whole = shortest * (longest / shortest) ** fraction(seed, job_id, "time")
    if end == "slow":
        whole *= SLOWER
    queued = whole * (0.1 + 0.2 * fraction(seed, job_id, "queue"))
    return queued, inf if end == "stuck" else whole - queued
