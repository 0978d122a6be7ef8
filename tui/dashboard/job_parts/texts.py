"""Texts of a job's parts: one line each, and the lines of one part's links."""

from collections.abc import Iterator
from datetime import tzinfo
from typing import NamedTuple

from textual.content import Content

from tui.domain import artifacts, job_state
from tui.domain.job_state import JobState
from tui.domain.links import expiry
from tui.domain.models import JobPart, Link, Phase
from tui.domain.parts import links_of
from tui.presentation import formatting, languages
from tui.presentation.cell_width import fit_to_width
from tui.presentation.columns import EMPTY_CELL, RenderOptions, phase_tone
from tui.presentation.descriptions import one_time_text

STATUS_WIDTH, NAME_WIDTH, LINK_WIDTH = 11, 24, 10
"""Cells of a line's columns; the message takes the rest."""


class PartView(NamedTuple):
    """Part of a job, with what the job's state says of its files."""

    part: JobPart
    links: tuple[Link, ...]
    is_downloaded: bool
    """All files of its links are downloaded."""

    @property
    def name(self) -> str:
        """Language, else id."""
        return self.part.language or self.part.id or "?"


def part_views(state: JobState) -> list[PartView]:
    """Return the parts of a job, in the service's order."""
    missing = {artifact.language for artifact in artifacts.undownloaded(state)}
    found: list[PartView] = []
    for part in state.report.parts if state.report is not None else ():
        links = links_of(state.links, part.language)
        found.append(PartView(part, links, bool(links) and bool(state.downloads) and part.language not in missing))
    return found


def part_line(view: PartView, options: RenderOptions, width: int) -> Content:
    """Return status, language, life of the link, and progress or message of a part, in at most `width` cells."""
    part, glyphs = view.part, options.glyphs
    phase = part.phase or Phase.RUNNING
    glyph = glyphs.phases[phase] if part.phase is not None else glyphs.doubtful
    status = phase.replace("_", " ") if part.phase is not None else part.raw_status or "unknown"
    code = languages.language_code(part.language) if part.language else ""
    name = f"{code}  {part.language}" if code and code != part.language else view.name
    rest = part.message or (f"{part.progress:.0%}" if part.progress is not None and phase is not Phase.DONE else "")
    rest_width = max(0, width - STATUS_WIDTH - NAME_WIDTH - LINK_WIDTH - 4)
    return Content.assemble(
        (fit_to_width(f"{glyph} {status}", STATUS_WIDTH), f"$job-{phase_tone(phase)}"),
        f"  {fit_to_width(name, NAME_WIDTH)}",
        fit_to_width(_link_text(view, options), LINK_WIDTH, align_right=True),
        (f"  {fit_to_width(rest, rest_width).rstrip()}", "$job-quiet"),
    )


def link_lines(view: PartView, options: RenderOptions, zone: tzinfo) -> Iterator[Content]:
    """Yield what is known of each link of a part: kind, expiry, and how its file is fetched."""
    now = options.context.now
    for link in view.links:
        notes = [] if link.is_used else [_expiry_text(link, now, zone)]
        notes += [one_time_text(link)] * link.one_time + ["download requires the API key"] * link.needs_key
        notes += ["downloaded"] * view.is_downloaded
        yield Content.assemble((f"{link.kind:<12}", "$job-quiet"), "; ".join(notes))
    if not view.links:
        yield Content.styled("no link" if view.part.phase is Phase.DONE else "no link yet", "$job-quiet")


def _link_text(view: PartView, options: RenderOptions) -> str:
    link, now = job_state.primary_of(view.links), options.context.now
    if link is None:
        return EMPTY_CELL
    left = expiry.remaining(link, now)
    if link.is_used:
        life = "used"
    elif left is None:
        life = "one only" if link.one_time else str(link.kind)
    elif expiry.is_expired(link, now):
        life = "expired"
    else:
        mark = " !" if expiry.is_expiring(link, now, options.context.warn_before) else ""
        life = f"{'' if link.expiry_is_exact else '~'}{formatting.duration(left)}{mark}"
    return f"{options.glyphs.download} {life}" if view.is_downloaded else life


def _expiry_text(link: Link, now: float, zone: tzinfo) -> str:
    left = expiry.remaining(link, now)
    if left is None:
        return "no expiry known"
    if expiry.is_expired(link, now):
        return f"expired {formatting.age(-left)} ago"
    estimate = "" if link.expiry_is_exact else "~"
    return f"expires in {estimate}{formatting.duration(left)}, {formatting.instant(now + left, zone, now)}"
