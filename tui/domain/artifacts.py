"""What a job brought, file by file: its links, and its text. Pure."""

from collections import Counter
from typing import NamedTuple

from tui.domain import job_state
from tui.domain.job_state import JobState
from tui.domain.models import LinkKind

TEXT_NAME = "text"
"""What the file is called that holds a result without a link."""


class Artifact(NamedTuple):
    """One of the files that a job brought."""

    name: str
    """What it goes by among the job's files: `video`, `captions 2`, `text`."""
    kind: LinkKind | None
    """None: it is the text."""
    position: int = 0
    """Its place among the links of its kind."""


def artifacts(state: JobState) -> tuple[Artifact, ...]:
    """All that the job brought so far."""
    counts = Counter[LinkKind]()
    found: list[Artifact] = []
    for link in state.links:
        nth = counts[link.kind]
        counts[link.kind] += 1
        found.append(Artifact(f"{link.kind} {nth + 1}" if nth else str(link.kind), link.kind, nth))
    return (*found, Artifact(TEXT_NAME, None)) if state.result else tuple(found)


def undownloaded(state: JobState) -> tuple[Artifact, ...]:
    """What this run of the job brought and nobody has downloaded."""
    there = {saved.name for saved in job_state.current_downloads(state)}
    return tuple(piece for piece in artifacts(state) if piece.name not in there)
