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
    """`video`, `captions 2`, `text`; with the language if the links have several: `video de`."""
    kind: LinkKind | None
    """None: the result text."""
    position: int = 0
    """Position among the links of its kind and language, from 0."""
    language: str | None = None
    """Of the part of the job that it belongs to; None: of the whole job."""
    is_used: bool = False
    """The service sent it once, and does not send it again."""
    needs_key: bool = False
    """Fetching it requires the account's key."""


def artifacts(state: JobState) -> tuple[Artifact, ...]:
    """Return the artifacts that the job has so far."""
    positions, names = Counter[tuple[LinkKind, str | None]](), Counter[str]()
    has_languages = len({link.language for link in state.links}) > 1
    found: list[Artifact] = []
    for link in state.links:
        name = f"{link.kind} {link.language}" if has_languages and link.language else str(link.kind)
        position, nth = positions[link.kind, link.language], names[name]
        positions[link.kind, link.language] += 1
        names[name] += 1
        name = f"{name} {nth + 1}" if nth else name
        found.append(Artifact(name, link.kind, position, link.language, link.is_used, link.needs_key))
    return (*found, Artifact(TEXT_NAME, None)) if state.result else tuple(found)


def undownloaded(state: JobState) -> tuple[Artifact, ...]:
    """Return the artifacts of the job's current run that are not downloaded and still can be."""
    downloaded = {file.name for file in job_state.current_downloads(state)}
    return tuple(each for each in artifacts(state) if each.name not in downloaded and not each.is_used)
