"""Jobs of the demo: their entries in the watchlist and their scenarios.

Times are in seconds from the start time, at which the demo opens; past ones are negative. About every 20 seconds a job
ends, for five minutes; the first one within five seconds.
"""

from math import inf
from typing import NamedTuple

from tui.demo.job_spec import DemoJob

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
"""Seconds."""


class JobGroup(NamedTuple):
    """Adjacent jobs of the watchlist, below the operator's comment."""

    comment: str
    jobs: tuple[DemoJob, ...]


LAUNCH = JobGroup(
    "Spring launch. Deadline: the 30th; Urdu first.",
    (
        DemoJob(
            "heygen",
            "بہار کی رونمائی",
            "Urdu (Pakistan)",
            starts=-7 * MINUTE,
            runs=-6 * MINUTE,
            ends=24,
            next_poll=26,
            tags=("launch",),
            note="legal wants Urdu first",
            keep_link=True,
        ),
        DemoJob(
            "camb",
            "Store page, Italian",
            starts=-12,
            ends=3.2,
            next_poll=5,
            tags=("launch", "web"),
            text="La primavera arriva in anticipo.\nScopri la nuova collezione.\nSpedizione gratuita fino a domenica.",
        ),
        DemoJob("flixu", "Launch contract.docx", starts=-6, runs=0, ends=5, next_poll=6, tags=("launch",)),
        DemoJob(
            "heygen",
            "Sicherheitsunterweisung",
            "German (Germany)",
            starts=-9 * MINUTE,
            runs=-8 * MINUTE,
            ends=3.2,
            next_poll=5,
        ),
        DemoJob("konpro", "Ролик для выставки", starts=-30, runs=80, ends=190, tags=("launch",)),
        DemoJob(
            "heygen", "新製品のご紹介", "Japanese (Japan)", starts=-20, runs=5, ends=102, next_poll=7, tags=("launch",)
        ),
        DemoJob(
            "camb",
            "商店页面文案",
            starts=-25,
            ends=30,
            tags=("launch", "web"),
            text="春天提前到来。\n探索全新系列。\n周日前免运费。",
        ),
        DemoJob(
            "heygen",
            "Teaser 🎬 15 s",
            "Spanish (Mexico)",
            starts=-4 * MINUTE,
            runs=-3 * MINUTE,
            ends=-45,
            has_signed_links=True,
            link_lifetime=2 * MINUTE,
            tags=("launch",),
            note="its link expires after two minutes: L renews it",
        ),
        DemoJob("camb", "Catálogo, Português", starts=-4 * HOUR, ends=-3.9 * HOUR, behaviour="pay", tags=("web",)),
        DemoJob(
            "camb",
            "Product strings, second try",
            starts=-3.2 * HOUR,
            ends=-3 * HOUR,
            behaviour="timeout",
            tags=("web",),
        ),
        DemoJob("flixu", "Договор поставки.docx", starts=-14, runs=28, ends=54, tags=("launch",)),
        DemoJob("heygen", "Онбординг: первый день", "Russian (Russia)", starts=-5 * MINUTE, runs=-4 * MINUTE, ends=160),
    ),
)

COMPANY = JobGroup(
    "The board and the company.",
    (
        DemoJob(
            "heygen",
            "דבר המנכ״ל",
            "Hebrew (Israel)",
            starts=-1.9 * DAY,
            ends=-1.82 * DAY,
            has_signed_links=True,
            has_captions=True,
            tags=("board",),
        ),
        DemoJob("heygen", "Q3 all-hands", "French (France)", starts=-6.3 * DAY, ends=-6.24 * DAY, tags=("board",)),
        DemoJob(
            "heygen",
            "Ετήσια αναφορά",
            "Greek (Greece)",
            starts=-6 * MINUTE,
            runs=-5 * MINUTE,
            ends=120,
            behaviour="fail",
            failure_message="Lip sync failed: the face is not visible",
        ),
        DemoJob(
            "heygen",
            "Interview",
            "Japanese (Japan)",
            starts=-3.5 * HOUR,
            ends=-3 * HOUR,
            behaviour="fail",
            failure_message="The audio is missing or cannot be decoded",
        ),
        DemoJob("heygen", "Old interview", "Japanese (Japan)", starts=-9.1 * DAY, ends=-9 * DAY, muted=True),
        DemoJob(
            "camb",
            "Newsletter, العربية",
            starts=-3.1 * HOUR,
            ends=-3 * HOUR,
            text="أهلاً بكم.\nإليكم أخبار هذا الشهر.",
        ),
        DemoJob(
            "camb",
            "Podcast 12, Ελληνικά",
            starts=-9 * HOUR,
            ends=-8.5 * HOUR,
            kind="dub",
            has_signed_links=True,
            link_lifetime=DAY,
            text="Καλώς ήρθατε.\nΣήμερα μιλάμε για τη μετάφραση.",
        ),
        DemoJob("konpro", "Visite du site de Lyon", starts=-7.1 * DAY, ends=-7 * DAY + 41 * MINUTE),
        DemoJob(
            "heygen", "Archive tape 4", "French (France)", starts=-5 * HOUR, ends=inf, behaviour="stuck", next_poll=9
        ),
    ),
)

TRAINING = JobGroup(
    "Training and manuals.",
    (
        DemoJob("konpro", "دليل الموظف الجديد", starts=-3 * MINUTE, runs=-2 * MINUTE, ends=66, next_poll=6),
        DemoJob("flixu", "用户手册.pdf", starts=-40, runs=-20, ends=134),
        DemoJob("heygen", "ग्राहक सहायता परिचय", "Hindi (India)", starts=-2 * MINUTE, runs=-MINUTE, ends=238),
        DemoJob(
            "flixu",
            "Bedienungsanleitung.docx",
            starts=-MINUTE,
            runs=-35,
            ends=218,
            behaviour="limit",
            polled=(-55, -45, -30, -12),
            next_poll=12,
        ),
        DemoJob(
            "konpro",
            "Warehouse walkthrough",
            starts=-8 * MINUTE,
            runs=-7 * MINUTE,
            ends=300,
            behaviour="flaky",
            polled=(-7.5 * MINUTE, -7.4 * MINUTE),
            next_poll=4,
            note="their gateway is unstable today",
        ),
        DemoJob(
            "konpro",
            "Schulungsfilm Gabelstapler",
            starts=-HOUR,
            ends=-0.9 * HOUR,
            behaviour="pay",
            label="Forklift training",
        ),
        DemoJob("konpro", "Recorrido por la fábrica", starts=-1.2 * DAY, ends=-1.1 * DAY),
        DemoJob(
            "camb",
            "FAQ, Български",
            starts=-70,
            ends=156,
            behaviour="fail",
            failure_message="The source text is longer than the plan allows",
        ),
        DemoJob(
            "camb",
            "Release notes, Deutsch",
            starts=-50,
            ends=82,
            tags=("web",),
            text="Neu: Exporte im Hintergrund.\nBehoben: Umlaute in Dateinamen.",
        ),
    ),
)

SALES = JobGroup(
    "Sales and legal.",
    (
        DemoJob(
            "konpro",
            "Trade fair loop",
            starts=-2.1 * HOUR,
            ends=inf,
            behaviour="missing",
            polled=(-2 * HOUR, -2 * HOUR + 25, -2 * HOUR + 75, -50 * MINUTE),
            label="Trade fair loop",
            note="submitted with the agency's key?",
        ),
        DemoJob("camb", "Katalog, Español", starts=-90, ends=256, text="Sillas.\nMesas.\nLámparas."),
        DemoJob("heygen", "신제품 소개", "Korean (South Korea)", starts=-15, runs=110, ends=275, behaviour="nolink"),
        DemoJob("flixu", "अनुबंध.pdf", starts=-5.1 * HOUR, runs=-5.05 * HOUR, ends=-5 * HOUR),
        DemoJob(
            "flixu",
            "Patent claims.pdf",
            starts=-26 * HOUR,
            runs=-25.9 * HOUR,
            ends=inf,
            behaviour="odd",
            polled=(-26 * HOUR, -25.5 * HOUR, -25 * HOUR, -24.5 * HOUR, -24 * HOUR, -40 * MINUTE),
            next_poll=19,
            note="undocumented status: manual review?",
        ),
        DemoJob(
            "deepl",
            "Factory tour, 7 languages",
            starts=-6 * MINUTE,
            runs=-5 * MINUTE,
            ends=100,
            next_poll=4,
            languages=("de", "fr", "es", "it", "pt-BR", "ja", "ko"),
            tags=("launch",),
        ),
        DemoJob(
            "deepl",
            "Safety briefing",
            starts=-2 * HOUR,
            ends=-1.9 * HOUR,
            behaviour="partial",
            failure_message="No speech was found in the source",
            languages=("de", "fr", "es"),
        ),
        DemoJob("papers", "Preisliste 2027.docx", starts=-40, runs=-25, ends=12, next_poll=4, tags=("launch", "web")),
        DemoJob(
            "agency",
            "Brand film",
            "Korean (South Korea)",
            starts=-3 * HOUR,
            ends=inf,
            behaviour="gone",
            polled=(-2.9 * HOUR,),
            next_poll=3,
            label="Brand film",
            note="submitted before v2 was retired",
        ),
        DemoJob("legal", "NDA עברית.docx", starts=-2 * HOUR, ends=-HOUR, polled=(), note="ask Ruth for the key"),
        DemoJob("konpro", "Kick-off", starts=-31 * DAY, ends=-30.9 * DAY, archived=True),
    ),
)

JOB_GROUPS = (LAUNCH, COMPANY, TRAINING, SALES)
"""Watchlist in its order."""
JOBS = tuple(job for group in JOB_GROUPS for job in group.jobs)

DISCOVERED_JOB = DemoJob("heygen", "Bienvenue à Lyon", "French (France)", starts=-20, runs=10, ends=180)
"""Job that only the service's list has."""

PAST_DURATIONS = {
    "heygen": (350, 430, 480, 395, 510, 450, 330, 560),
    "konpro": (210, 240, 280, 330, 225),
    "camb": (45, 70, 95, 130, 60, 180),
    "flixu": (50, 80, 120, 170, 75),
}
"""Durations of earlier jobs by account, oldest first. Seconds."""
PAST_JOB_INTERVAL = 7 * HOUR
"""Seconds between them."""
PAST_JOBS = tuple(
    DemoJob(
        account,
        f"Earlier {number}",
        "English (United States)",
        starts=-PAST_JOB_INTERVAL * number,
        ends=-PAST_JOB_INTERVAL * number + duration,
        polled=(
            -PAST_JOB_INTERVAL * number + 1,
            -PAST_JOB_INTERVAL * number + duration - 5,
            -PAST_JOB_INTERVAL * number + duration + 5,
        ),
    )
    for account, durations in PAST_DURATIONS.items()
    for number, duration in enumerate(reversed(durations), 2)
)
"""Jobs that were removed from the watchlist: the duration model of active jobs uses them."""
