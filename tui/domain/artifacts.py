"""Artifacts of a job: the files behind its links, and its result text."""

from collections import Counter
from typing import NamedTuple

from tui.domain import job_state
from tui.domain.job_state import JobState
from tui.domain.models import LinkKind

TEXT_NAME = "text"
"""Name of the artifact of a result text."""


class Artifact(NamedTuple):
    """One file that a job produced."""

    name: str
    """`video`, `captions 2`, `text`."""
    kind: LinkKind | None
    """None: the result text."""
    position: int = 0
    """Position among the links of its kind, from 0."""


def artifacts(state: JobState) -> tuple[Artifact, ...]:
    """Return the artifacts that the job has so far."""
    counts = Counter[LinkKind]()
    found: list[Artifact] = []
    for link in state.links:
        nth = counts[link.kind]
        counts[link.kind] += 1
        found.append(Artifact(f"{link.kind} {nth + 1}" if nth else str(link.kind), link.kind, nth))
    return (*found, Artifact(TEXT_NAME, None)) if state.result else tuple(found)


def undownloaded(state: JobState) -> tuple[Artifact, ...]:
    """Return the artifacts of the job's current run that are not downloaded."""
    downloaded = {file.name for file in job_state.current_downloads(state)}
    return tuple(artifact for artifact in artifacts(state) if artifact.name not in downloaded)
