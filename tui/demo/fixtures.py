"""The demo's cast: what is on the watchlist, what the services will do with it, and when.

Every instant is in seconds from the curtain, the moment at which the demo opens; what has been is negative. Something
ends every 20 seconds or so for five minutes, the first within five seconds of the curtain.
"""

from math import inf
from typing import NamedTuple

from tui.demo.job_spec import Role

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
"""Seconds."""


class Act(NamedTuple):
    """Jobs that stand together on the watchlist, under the operator's comment."""

    comment: str
    cast: tuple[Role, ...]


LAUNCH = Act(
    "Spring launch. Everything is to be out by the 30th, Urdu first.",
    (
        Role(
            "heygen",
            "بہار کی رونمائی",
            "Urdu (Pakistan)",
            began=-7 * MINUTE,
            runs=-6 * MINUTE,
            ends=24,
            cue=26,
            tags=("launch",),
            note="legal wants Urdu first",
            keep_link=True,
        ),
        Role(
            "camb",
            "Store page, Italian",
            began=-12,
            ends=4,
            cue=5,
            tags=("launch", "web"),
            text="La primavera arriva in anticipo.\nScopri la nuova collezione.\nSpedizione gratuita fino a domenica.",
        ),
        Role("flixu", "Launch contract.docx", began=-6, runs=2, ends=15, cue=1, tags=("launch",)),
        Role(
            "heygen", "Sicherheitsunterweisung", "German (Germany)", began=-9 * MINUTE, runs=-8 * MINUTE, ends=6, cue=8
        ),
        Role("konpro", "Ролик для выставки", began=-30, runs=80, ends=190, tags=("launch",)),
        Role("heygen", "新製品のご紹介", "Japanese (Japan)", began=-20, runs=5, ends=102, cue=7, tags=("launch",)),
        Role(
            "camb",
            "商店页面文案",
            began=-25,
            ends=30,
            tags=("launch", "web"),
            text="春天提前到来。\n探索全新系列。\n周日前免运费。",
        ),
        Role(
            "heygen",
            "Teaser 🎬 15 s",
            "Spanish (Mexico)",
            began=-4 * MINUTE,
            runs=-3 * MINUTE,
            ends=-45,
            signed=True,
            life=2 * MINUTE,
            tags=("launch",),
            note="its link lives for two minutes: L asks for a new one",
        ),
        Role("camb", "Catálogo, Português", began=-4 * HOUR, ends=-3.9 * HOUR, end="pay", tags=("web",)),
        Role("camb", "Product strings, second try", began=-3.2 * HOUR, ends=-3 * HOUR, end="timeout", tags=("web",)),
        Role("flixu", "Договор поставки.docx", began=-14, runs=28, ends=54, tags=("launch",)),
        Role("heygen", "Онбординг: первый день", "Russian (Russia)", began=-5 * MINUTE, runs=-4 * MINUTE, ends=160),
    ),
)

COMPANY = Act(
    "The board and the company.",
    (
        Role(
            "heygen",
            "דבר המנכ״ל",
            "Hebrew (Israel)",
            began=-1.9 * DAY,
            ends=-1.82 * DAY,
            signed=True,
            captions=True,
            tags=("board",),
        ),
        Role("heygen", "Q3 all-hands", "French (France)", began=-6.3 * DAY, ends=-6.24 * DAY, tags=("board",)),
        Role(
            "heygen",
            "Ετήσια αναφορά",
            "Greek (Greece)",
            began=-6 * MINUTE,
            runs=-5 * MINUTE,
            ends=120,
            end="fail",
            message="Lip sync failed: the face is not visible",
        ),
        Role(
            "heygen",
            "Interview",
            "Japanese (Japan)",
            began=-3.5 * HOUR,
            ends=-3 * HOUR,
            end="fail",
            message="The audio is missing or cannot be decoded",
        ),
        Role("heygen", "Old interview", "Japanese (Japan)", began=-9.1 * DAY, ends=-9 * DAY, muted=True),
        Role(
            "camb",
            "Newsletter, العربية",
            began=-3.1 * HOUR,
            ends=-3 * HOUR,
            text="أهلاً بكم.\nإليكم أخبار هذا الشهر.",
        ),
        Role(
            "camb",
            "Podcast 12, Ελληνικά",
            began=-9 * HOUR,
            ends=-8.5 * HOUR,
            kind="dub",
            signed=True,
            life=DAY,
            text="Καλώς ήρθατε.\nΣήμερα μιλάμε για τη μετάφραση.",
        ),
        Role("konpro", "Visite du site de Lyon", began=-7.1 * DAY, ends=-7 * DAY + 41 * MINUTE),
        Role("heygen", "Archive tape 4", "French (France)", began=-5 * HOUR, ends=inf, end="stuck", cue=9),
    ),
)

TRAINING = Act(
    "Training and manuals.",
    (
        Role("konpro", "دليل الموظف الجديد", began=-3 * MINUTE, runs=-2 * MINUTE, ends=66, cue=6),
        Role("flixu", "用户手册.pdf", began=-40, runs=-20, ends=134),
        Role("heygen", "ग्राहक सहायता परिचय", "Hindi (India)", began=-2 * MINUTE, runs=-MINUTE, ends=238),
        Role(
            "flixu",
            "Bedienungsanleitung.docx",
            began=-MINUTE,
            runs=-35,
            ends=218,
            end="limit",
            asked=(-55, -45, -30, -12),
            cue=12,
        ),
        Role(
            "konpro",
            "Warehouse walkthrough",
            began=-8 * MINUTE,
            runs=-7 * MINUTE,
            ends=300,
            end="flaky",
            asked=(-7.5 * MINUTE, -7.4 * MINUTE),
            cue=4,
            note="their gateway is not well today",
        ),
        Role(
            "konpro", "Schulungsfilm Gabelstapler", began=-HOUR, ends=-0.9 * HOUR, end="pay", label="Forklift training"
        ),
        Role("konpro", "Recorrido por la fábrica", began=-1.2 * DAY, ends=-1.1 * DAY),
        Role(
            "camb",
            "FAQ, Български",
            began=-70,
            ends=156,
            end="fail",
            message="The source text is longer than the plan allows",
        ),
        Role(
            "camb",
            "Release notes, Deutsch",
            began=-50,
            ends=82,
            tags=("web",),
            text="Neu: Exporte im Hintergrund.\nBehoben: Umlaute in Dateinamen.",
        ),
    ),
)

SALES = Act(
    "Sales, and what legal asked for.",
    (
        Role(
            "konpro",
            "Trade fair loop",
            began=-2.1 * HOUR,
            ends=inf,
            end="missing",
            asked=(-2 * HOUR, -2 * HOUR + 25, -2 * HOUR + 75, -50 * MINUTE),
            label="Trade fair loop",
            note="submitted with the agency's key?",
        ),
        Role("camb", "Katalog, Español", began=-90, ends=256, text="Sillas.\nMesas.\nLámparas."),
        Role("heygen", "신제품 소개", "Korean (South Korea)", began=-15, runs=110, ends=275, end="nolink"),
        Role("flixu", "अनुबंध.pdf", began=-5.1 * HOUR, runs=-5.05 * HOUR, ends=-5 * HOUR),
        Role(
            "flixu",
            "Patent claims.pdf",
            began=-26 * HOUR,
            runs=-25.9 * HOUR,
            ends=inf,
            end="odd",
            asked=(-26 * HOUR, -25.5 * HOUR, -25 * HOUR, -24.5 * HOUR, -24 * HOUR, -40 * MINUTE),
            cue=19,
            note="a word that nobody documents: a person reviews it?",
        ),
        Role("legal", "NDA עברית.docx", began=-2 * HOUR, ends=-HOUR, asked=(), note="ask Ruth for the key"),
        Role("konpro", "Kick-off", began=-31 * DAY, ends=-30.9 * DAY, archived=True),
    ),
)

ACTS = (LAUNCH, COMPANY, TRAINING, SALES)
"""The watchlist, from its first line to its last."""
CAST = tuple(role for act in ACTS for role in act.cast)

TOOK = {
    "heygen": (350, 430, 480, 395, 510, 450, 330, 560),
    "konpro": (210, 240, 280, 330, 225),
    "camb": (45, 70, 95, 130, 60, 180),
    "flixu": (50, 80, 120, 170, 75),
}
"""Seconds that earlier jobs of each account took, oldest first."""
BETWEEN = 7 * HOUR
"""From one of them to the next."""
FORMER = tuple(
    Role(
        account,
        f"Earlier {number}",
        "English (United States)",
        began=-BETWEEN * number,
        ends=-BETWEEN * number + took,
        asked=(-BETWEEN * number + 1, -BETWEEN * number + took - 5, -BETWEEN * number + took + 5),
    )
    for account, spans in TOOK.items()
    for number, took in enumerate(reversed(spans), 2)
)
"""Jobs that were taken off the watchlist since: what the console learned from them shows on those that run now."""
