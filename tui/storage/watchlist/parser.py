"""Parser for the text of a watchlist. It opens no file and changes nothing."""

import math
import re
import tomllib
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from typing import Any

import msgspec
from msgspec.structs import replace

from tui.domain import job_ids
from tui.domain.models import Job, Ref
from tui.presentation.sanitize import clean
from tui.storage.watchlist import toml_blocks
from tui.storage.watchlist.content import WatchlistContent, WatchlistError
from tui.storage.watchlist.plain_toml import parse_long

_TOML_POSITION = r" \((?:at line (\d+), column (\d+)|at end of document)\)$"
"""End of `tomllib`'s messages; line and column are attributes only from Python 3.14 on."""


MAX_KEY_PARTS = 64
"""Parts of a dotted key. `tomllib` takes quadratic time: 22 s for 20,000 parts."""
_KEY_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_DEEP_KEY = rf"(?m)(?:^\ufeff?|[\[{{,])[ \t]*+(?:{_KEY_PART}\.[ \t]*+){{{MAX_KEY_PARTS}}}"
"""Such a key, where a key can be: at the start of a line, or after a bracket or comma."""
MAX_TEXT_LENGTH = 10_000
"""Characters that are kept of a text that has to be sanitized."""
TEAM_FIELDS = frozenset({"owners", "is_foreign"})
"""Fields of a job that no watchlist sets."""
Table = dict[str, Any]
"""TOML table as `tomllib` returns it."""


def parse(text: str) -> WatchlistContent:
    """Return the jobs of a watchlist's text. Raises WatchlistError, without a path, if it is invalid."""
    return parse_jobs(parse_toml(text), text)


def parse_toml(text: str) -> Table:
    """Return the root table of the text. Raises WatchlistError for invalid or too deeply nested TOML."""
    if (plain := parse_long(text.removeprefix(toml_blocks.BOM))) is not None:
        return plain
    if deep := re.search(_DEEP_KEY, text):
        line = toml_blocks.line_at(text, deep.start())
        raise WatchlistError(f"a key has more than {MAX_KEY_PARTS} parts: edit the file", line=line)
    try:
        return tomllib.loads(text.removeprefix(toml_blocks.BOM), parse_float=_parse_float)
    except RecursionError as error:
        raise WatchlistError("brackets are nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError, or an int of more digits than Python converts
        place = re.search(_TOML_POSITION, str(error))
        line, column = (int(place[1]), int(place[2])) if place and place[1] else (None, None)
        if place and not line:
            line = toml_blocks.line_at(text, len(text.rstrip()))
        reason = re.sub(_TOML_POSITION, "", str(error))
        raise WatchlistError(f"{reason}: edit the file", line=line, column=column) from error


def job_array(root: Table, text: str) -> list[Table]:
    """Return the array `job` of `root`, the content of `text`. Raises WatchlistError if it is no array of tables."""
    tables: object = root.get("job", [])
    if isinstance(tables, list) and all(isinstance(table, dict) for table in tables):  # pyright: ignore[reportUnknownVariableType]
        return tables  # pyright: ignore[reportUnknownVariableType]
    line = toml_blocks.line_at(text, toml_blocks.first_mention(text, "job"))
    raise WatchlistError("every job must start with a line [[job]], in two brackets", line=line)


def parse_jobs(root: Table, text: str) -> WatchlistContent:
    """Return the jobs in `root`, the content of `text`. Raises WatchlistError for an invalid job."""
    jobs: dict[Ref, Job] = {}
    again: list[tuple[int, Ref]] = []
    for index, table in enumerate(job_array(root, text)):
        try:
            job = parse_job(table)
        except ValueError as error:
            line = next(_block_lines(text, [index]))
            raise WatchlistError(f"[[job]]: {error}: edit the file", line=line) from error
        if jobs.setdefault(job.ref, job) is not job:
            again.append((index, job.ref))
    lines = _block_lines(text, [index for index, _ in again]) if again else iter(())
    problems = (
        f"line {line}: {ref} is listed twice: the first entry counts"
        for line, (_, ref) in zip(lines, again, strict=True)
    )
    return WatchlistContent(tuple(jobs.values()), tuple(problems))


def ref_of(table: Table) -> Ref:
    """Return the ref of a table that `parse_jobs` has accepted."""
    return Ref(table["account"], table["id"])


def parse_job(table: Table) -> Job:
    """Return the job of a table. Raises ValueError, with the key in its text, for an invalid job."""
    fields = {**table, "added": _parse_instant(table["added"])} if "added" in table else table
    if not TEAM_FIELDS.isdisjoint(fields):
        fields = {key: value for key, value in fields.items() if key not in TEAM_FIELDS}
    try:
        job = msgspec.convert(fields, Job)
    except msgspec.ValidationError as error:
        reason, _, key = str(error).replace("`", "").partition(" - at $.")
        raise ValueError(f"{key}: {reason}" if key else reason) from error
    if not job.account:
        raise ValueError("account: must not be empty")
    if not job.account.isprintable():
        raise ValueError(f"account: {job.account!r} has a non-printable character")
    if why := job_ids.invalid_reason(job.id, has_slashes=True):
        raise ValueError(f"id: {why}")
    return job


def trusted_jobs(jobs: Iterable[Job]) -> tuple[Job, ...]:
    """Return the jobs of another operator's watchlist that could be in a file, as they would be read from it."""
    return tuple(
        _sanitized_job(replace(job, owners=(), is_foreign=False))
        for job in jobs
        if job.account and job.account.isprintable() and not job_ids.invalid_reason(job.id, has_slashes=True)
    )


def sanitized(content: WatchlistContent) -> WatchlistContent:
    """Return the content without control characters: the watchlist may come from another person."""
    return content._replace(jobs=tuple(map(_sanitized_job, content.jobs)))


def _sanitized_job(job: Job) -> Job:
    if all(map(str.isprintable, (job.kind, job.label, job.note, *job.tags))):
        return job
    return replace(
        job,
        kind=clean(job.kind, MAX_TEXT_LENGTH),
        label=clean(job.label, MAX_TEXT_LENGTH),
        note=clean(job.note, MAX_TEXT_LENGTH, keep_lines=True),
        tags=tuple(clean(tag, MAX_TEXT_LENGTH) for tag in job.tags),
    )


def _parse_instant(value: object) -> float:
    """Return seconds since the epoch. A date and time without offset is UTC; a date without time is its midnight."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    raise ValueError("added: expected a date and time like 2026-11-21T20:14:00Z, without quotes")


def _block_lines(text: str, indices: list[int]) -> Iterator[int]:
    """Yield the line of each of these jobs, or of the array if they are not blocks."""
    found = toml_blocks.blocks(text, "job")
    for index in indices:
        yield (
            found[index].line
            if index < len(found)
            else toml_blocks.line_at(text, toml_blocks.first_mention(text, "job"))
        )


def _parse_float(text: str) -> float:
    """Return the float, and always the same nan, so that tables with it compare equal."""
    value = float(text)
    return math.nan if math.isnan(value) else value
