"""Proposal of a provider file, made of a sample response. Its author checks every line: most of it is a guess.

Fields are recognised by their names, a link also by its value. Statuses other than the sample's are unknown.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from tui.domain.models import LinkKind, Phase
from tui.presentation.sanitize import clean
from tui.providers.json_body import as_text
from tui.providers.json_pointer import Json, join
from tui.providers.reports.links import is_absolute_url
from tui.providers.reports.status import MAX_STATUS, STATUS_ALIASES, status_key

STATUS_NAMES = ("status", "state", "job_status", "video_status", "phase", "stage", "completed", "done", "finished")
TITLE_NAMES = ("title", "name", "filename", "file_name", "display_name")
LANGUAGE_NAMES = (
    "target_language",
    "output_language",
    "dst_lang",
    "target_lang",
    "target_locale",
    "language",
    "locale",
)
MESSAGE_NAMES = ("failure_message", "failure_reason", "error_message", "exception_reason", "error", "message", "detail")
PROGRESS_NAMES = ("progress", "percent", "percentage", "percent_complete", "completion")
"""Names of fields in lower case with `_`, the likeliest first."""
OTHER_LINKS = re.compile("callback|webhook|source|input|thumbnail|preview|avatar|docs|self|next|prev|status")
"""Names of links that are no result."""
KINDS = (
    (LinkKind.CAPTIONS, re.compile(r"srt|vtt|\bass\b|caption|subtitle")),
    (LinkKind.VIDEO, re.compile("video|mp4|mov|webm|mkv")),
    (LinkKind.AUDIO, re.compile("audio|voice|mp3|wav|m4a|flac")),
)
"""Kind of a link by its name and path; any other one is a document."""
GUESSES = (
    (Phase.FAILED, re.compile("fail|error|reject|cancel|abort|timeout|expired|unsuccessful")),
    (Phase.QUEUED, re.compile("not.?(ready|start)")),
    (Phase.RUNNING, re.compile("(?<![a-z])(not.?|in|un)(done|complete|finish)")),
    (Phase.DONE, re.compile("done|complete|success|succeed|finish|ready|dubbed|translated|transcribed|deliver")),
    (Phase.QUEUED, re.compile("queue|pend|wait|creat|submit|new|accept|schedule|scheduling")),
)
"""Phase of a status by its text; any other one is running."""


class Field(NamedTuple):
    """Scalar in a response."""

    path: tuple[str, ...]
    value: Json

    @property
    def name(self) -> str:
        """Name in lower case, with `_` between its words."""
        return re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", self.path[-1] if self.path else "").lower().replace("-", "_")

    @property
    def pointer(self) -> str:
        """JSON Pointer, in quotes."""
        return _quoted(join(self.path))


def propose(name: str, body: Json, url: str = "") -> str:
    """Return the text of a provider file for a service that gave this response; `url`: of the request, "": unknown."""
    items = _part_list(body, ())
    fields = [field for field in _fields(body, ()) if items is None or field.path[: len(items)] != items]
    base_url, path, is_known = _request(url, fields)
    status = _named(fields, STATUS_NAMES) or next((field for field in fields if _is_status(field)), None)
    lines = [
        "# Proposed from a sample response: check each line. Sources: [D] documentation, [W] the sample, [I] a guess.",
        f"name = {_quoted(name)}",
        f"title = {_quoted(name.replace('-', ' ').title())}",
        _line(f"base_url = {_quoted(base_url)}", "[I] without the status path" if is_known else "the API's address"),
        _line('key = { header = "Authorization", prefix = "Bearer " }', '[I] or { header = "x-api-key" }'),
        _line('cadence = "video"', "[I] or text, document: how long a job takes"),
        'grounds = "partial"',
        "",
        "[status]",
        _line(f"path = {_quoted(path)}", "[W]" if is_known else "[I] where one job is requested"),
    ]
    if status is not None:
        lines.append(_line(f"value = [{status.pointer}]", "[W]"))
    lines += _pointer_lines(fields, status)
    lines += _status_lines(status)
    lines += _link_lines("links", fields)
    lines += _part_lines(body, items)
    lines += ["", _line("[limits]", "[I] a guess"), 'default = "any"', "any = { per_minute = 60 }", ""]
    return "\n".join(lines)


def _pointer_lines(fields: Sequence[Field], status: Field | None) -> Iterator[str]:
    for key, names in (("message", MESSAGE_NAMES), ("title", TITLE_NAMES), ("language", LANGUAGE_NAMES)):
        found = _named([field for field in fields if field != status and not _is_url(field.value)], names)
        if found is not None:
            yield _line(f"{key} = [{found.pointer}]", "[W]")
    progress = _named(fields, PROGRESS_NAMES)
    number = _number(progress.value) if progress is not None else None
    if progress is not None and number is not None:
        yield _line(f"progress = [{progress.pointer}]", "[W]")
        if number > 1:
            yield _line('progress_unit = "percent"', "[I] from its value")


def _status_lines(status: Field | None) -> Iterator[str]:
    text = _raw_status(status.value) if status is not None else ""
    if status is None or not text:
        return
    yield from ("", _line("[statuses]", "every status of the documentation"))
    yield _line(f"{_quoted(text)} = {_quoted(_phase(text))}", "[W] the sample's; [I] its phase")
    if isinstance(status.value, bool):
        other = not status.value
        yield _line(f"{_quoted(str(other).lower())} = {_quoted('done' if other else 'running')}", "[I]")


def _link_lines(table: str, fields: Sequence[Field]) -> Iterator[str]:
    for field in fields:
        if _is_url(field.value) and not OTHER_LINKS.search(field.name):
            about = f"{field.name} {urlsplit(str(field.value)).path}".lower()
            kind = next((kind for kind, words in KINDS if words.search(about)), LinkKind.DOCUMENT)
            yield from ("", f"[[{table}]]", _line(f"kind = {_quoted(kind)}", "[I]"))
            yield _line(f"url = [{field.pointer}]", "[W]; add lifetime, if it is documented")


def _part_lines(body: Json, items: tuple[str, ...] | None) -> Iterator[str]:
    """Yield [parts], of the first item of the list at `items`."""
    if items is None:
        return
    fields_of_items = [field for field in _fields(body, ()) if field.path[: len(items)] == items]
    first = [field for field in fields_of_items if field.path[len(items)] == "0"]
    own = [Field(field.path[len(items) + 1 :], field.value) for field in first]
    yield from ("", _line("[parts]", "one job with several languages"), f"items = {_quoted(join(items))}")
    status = _named(own, STATUS_NAMES)
    for key, names in (("language", LANGUAGE_NAMES), ("value", STATUS_NAMES), ("message", MESSAGE_NAMES)):
        found = _named([field for field in own if key == "value" or field != status], names)
        if found is not None:
            yield _line(f"{key} = [{found.pointer}]", "[W]")
    raw = {_raw_status(each.value) for each in fields_of_items if status is not None and each.name == status.name}
    phases = ", ".join(f"{_quoted(text)} = {_quoted(_phase(text))}" for text in sorted(raw) if text)
    if phases:
        yield _line(f"statuses = {{ {phases} }}", "[W] the sample's; [I] their phases")
    yield from _link_lines("parts.links", own)


def _part_list(value: Json, path: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the path of the first list whose objects have a status and a language; None: there is none."""
    if isinstance(value, dict):
        return next(
            (found for key, each in value.items() if (found := _part_list(each, (*path, key))) is not None), None
        )
    if isinstance(value, list) and value and isinstance(value[0], dict):
        own = list(_fields(value[0], ()))
        return path if _named(own, STATUS_NAMES) and _named(own, LANGUAGE_NAMES) else None
    return None


def _fields(value: Json, path: tuple[str, ...]) -> Iterator[Field]:
    """Yield the scalars of a response, null included, in its order."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _fields(member, (*path, key))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _fields(member, (*path, str(index)))
    else:
        yield Field(path, value)


def _is_status(field: Field) -> bool:
    """Return whether the name ends with a word for a status, as `processing_status` does."""
    return isinstance(field.value, str) and field.name.endswith(("_status", "_state")) and not _is_url(field.value)


def _named(fields: Sequence[Field], names: Sequence[str]) -> Field | None:
    """Return the likeliest field with one of these names: the fewest steps, then the first name."""
    found = [field for field in fields if field.name in names]
    return min(found, key=lambda field: (len(field.path), names.index(field.name)), default=None)


def _request(url: str, fields: Sequence[Field]) -> tuple[str, str, bool]:
    """Return base URL, status path and whether they are known. The segment that the response repeats is the id."""
    if not is_absolute_url(url):
        return "https://your-service.invalid", "/jobs/{id}", False
    parts = urlsplit(url)
    values = {str(field.value) for field in fields if isinstance(field.value, str | int)}
    segments = (parts.path or "/").split("/")
    at = next((index for index in reversed(range(len(segments))) if segments[index] in values), len(segments) - 1)
    segments[at] = "{id}"
    return f"{parts.scheme}://{parts.netloc}", "/".join(segments) + (f"?{parts.query}" if parts.query else ""), True


def _raw_status(value: Json) -> str:
    """Return a status as it is read in a response; "": it is none."""
    return clean((str(value).lower() if isinstance(value, bool) else as_text(value)) or "", MAX_STATUS)


def _phase(text: str) -> Phase:
    key = status_key(text)
    if key in {"true", "false"}:
        return Phase.DONE if key == "true" else Phase.RUNNING
    known = STATUS_ALIASES.get(key)
    return known or next((phase for phase, words in GUESSES if words.search(key)), Phase.RUNNING)


def _is_url(value: Json) -> bool:
    return isinstance(value, str) and is_absolute_url(value)


def _number(value: Json) -> float | None:
    try:
        return (
            None
            if isinstance(value, bool) or not isinstance(value, str | int | float)
            else float(str(value).rstrip("% "))
        )
    except ValueError:
        return None


def _quoted(text: str) -> str:
    """Return a TOML string in quotes, without control, bidi and zero-width characters: a terminal shows it."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)


def _line(text: str, comment: str) -> str:
    """Return a line with its comment at column 60, as in the built-in files."""
    return f"{text:<58} # {comment}"
