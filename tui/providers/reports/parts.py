"""Parts of a job in a response, such as its target languages: each has a status, a message and links of its own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from tui.domain import parts
from tui.domain.models import JobPart, PartCounts, Phase, ReportedLink
from tui.domain.parts import SomeFailed
from tui.providers.json_body import find_shown_text
from tui.providers.json_pointer import Item, Json, Pointer, items_at
from tui.providers.reports.links import MAX_LANGUAGE, LinkRule, LinkSource, collect_links
from tui.providers.reports.progress import ProgressSource, ProgressUnit, parse_count, parse_progress
from tui.providers.reports.status import find_status, phase_of

MAX_PARTS = 200
"""Parts of one job."""
MAX_PART_ID = 200
MAX_PART_MESSAGE = 500
"""Characters of each text."""


class CountsRule(Struct, frozen=True, kw_only=True):
    """Numbers of a job's parts, in place of the parts. Numbers of several pointers are added up."""

    total: Pointer
    done: Annotated[tuple[Pointer, ...], Meta(min_length=1)]
    failed: tuple[Pointer, ...] = ()


class PartsRule(Struct, frozen=True, kw_only=True):
    """Parts in a response. Pointers start at a part, `root:/…` at the body; `key:` is the part's name in an object."""

    items: Pointer | None = None
    """List of the parts, or object with them as members. None: there are counts only."""
    id: tuple[Pointer, ...] = ()
    language: tuple[Pointer, ...] = ()
    value: tuple[Pointer, ...] = ()
    """Status. A part without one is done at a progress of 1, and runs until then; without both it is done."""
    message: tuple[Pointer, ...] = ()
    progress: tuple[ProgressSource, ...] = ()
    progress_unit: ProgressUnit = "fraction"
    statuses: dict[str, Phase] = {}
    """In the file: in addition to [statuses]. In a Provider: all statuses, by `status_key`."""
    some_failed: SomeFailed = "done"
    """Phase of a job of which some parts are done and the others are not."""
    links: tuple[LinkRule, ...] = ()
    counts: CountsRule | None = None

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the combination of keys, each as a key and a text."""
        if self.items is None and self.counts is None:
            yield "items: missing, unless there are counts"
        for index, rule in enumerate(self.links):
            yield from (f"links[{index}].{problem}" for problem in rule.problems())


class FoundParts(NamedTuple):
    """Parts of a job in one response."""

    parts: tuple[JobPart, ...]
    counts: PartCounts | None
    links: tuple[ReportedLink, ...]
    is_complete: bool
    """Every part that is done has its required link."""


def parse_parts(
    rule: PartsRule, null_strings: Sequence[str], body: Json, headers: Mapping[str, str], source: LinkSource
) -> FoundParts | None:
    """Return the parts of a job; None: the response has no list of them, and no counts."""
    items = items_at(rule.items, body) if rule.items is not None else None
    counts = _parse_counts(rule.counts, body, headers) if rule.counts is not None else None
    if items is None and counts is None:
        return None
    found: list[JobPart] = []
    links: list[ReportedLink] = []
    is_complete = True
    for item in (items or ())[:MAX_PARTS]:
        part = _parse_part(rule, null_strings, item, headers)
        is_done = part.phase is Phase.DONE
        values = source.values if part.id is None else {**source.values, "part_id": part.id}
        if part.language is not None:
            values = {**values, "language": part.language}
        part_links, has_required_link = collect_links(
            rule.links, item, headers, source._replace(values=values) if is_done else None, part.language
        )
        found.append(part)
        links += part_links
        is_complete = is_complete and (has_required_link or not is_done)
    return FoundParts(tuple(found), counts or parts.count(found), tuple(links), is_complete)


def _parse_part(rule: PartsRule, null_strings: Sequence[str], item: Item, headers: Mapping[str, str]) -> JobPart:
    def text(pointers: Sequence[Pointer], max_length: int) -> str | None:
        return find_shown_text(pointers, item, headers, null_strings, max_length)

    progress = parse_progress(rule.progress, rule.progress_unit, item, headers)
    raw_status = find_status(rule.value, rule.statuses, null_strings, item, headers)
    if raw_status is not None:
        phase = phase_of(rule.statuses, raw_status)
    elif rule.value or rule.progress:
        phase = Phase.DONE if progress == 1 else Phase.RUNNING
    else:
        phase = Phase.DONE
    return JobPart(
        phase=phase,
        raw_status=raw_status,
        id=text(rule.id, MAX_PART_ID),
        language=text(rule.language, MAX_LANGUAGE),
        progress=progress,
        message=text(rule.message, MAX_PART_MESSAGE),
    )


def _parse_counts(rule: CountsRule, body: Json, headers: Mapping[str, str]) -> PartCounts | None:
    total, done = parse_count((rule.total,), body, headers), parse_count(rule.done, body, headers)
    if total is None or done is None:
        return None
    failed = parse_count(rule.failed, body, headers) or 0
    return PartCounts(int(done), int(failed), int(total))
