"""What a job brought, file by file: its links, and its text. Pure."""

from collections import Counter
from typing import NamedTuple

from tui.domain import job_state
from tui.domain.job_state import JobState
from tui.domain.models import LinkKind

TEXT = "text"
"""What the file is called that holds a result without a link."""


class Piece(NamedTuple):
    """One of the files that a job brought."""

    what: str
    """What it goes by among the job's files: `video`, `captions 2`, `text`."""
    kind: LinkKind | None
    """None: it is the text."""
    nth: int = 0
    """Its place among the links of its kind."""


def pieces(state: JobState) -> tuple[Piece, ...]:
    """All that the job brought so far."""
    counts = Counter[LinkKind]()
    found: list[Piece] = []
    for link in state.links:
        nth = counts[link.kind]
        counts[link.kind] += 1
        found.append(Piece(f"{link.kind} {nth + 1}" if nth else str(link.kind), link.kind, nth))
    return (*found, Piece(TEXT, None)) if state.result else tuple(found)


def missing(state: JobState) -> tuple[Piece, ...]:
    """What this run of the job brought and nobody has downloaded."""
    there = {saved.what for saved in job_state.downloaded(state)}
    return tuple(piece for piece in pieces(state) if piece.what not in there)
