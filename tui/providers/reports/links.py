"""Links of a response: URLs that it contains, and paths that the provider's file makes of ids and languages."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from tui.domain.models import LinkKind, ReportedLink
from tui.presentation.sanitize import clean
from tui.providers.fields import FileSuffix, Lifetime
from tui.providers.json_body import find_texts
from tui.providers.json_pointer import Item, Json, Pointer
from tui.providers.reports.progress import parse_count
from tui.providers.requests.templates import PathTemplate, Template, Values
from tui.providers.status_rules import Condition

MAX_URL = 8192
"""Bytes of a link. Browsers and storage services reject longer ones."""
MAX_LINKS = 100
"""Links of one response."""
MAX_LANGUAGE = 100
"""Characters."""
MILLISECONDS_FROM = 1e11
"""An epoch from this number on is in milliseconds: in seconds it would be the year 5138."""


class LinkRule(Struct, frozen=True, kw_only=True):
    """Link in a response: the first pointer of `url` that finds one wins; or, in its place, a path."""

    kind: LinkKind
    url: tuple[Pointer, ...] = ()
    path: PathTemplate | None = None
    """Path below the base URL, for a done job. A link whose placeholder finds nothing is not made."""
    method: Literal["GET", "POST"] = "GET"
    """POST: of a link with `path`."""
    form: dict[str, Template] = {}
    language: tuple[Pointer, ...] = ()
    """Language of each link, in the order of the links; with {language} in `path`: a link for each language."""
    lifetime: Lifetime | None = None
    """Documented lifetime of a link, or a pointer to its seconds; None: undocumented."""
    expires: tuple[Pointer, ...] = ()
    """Instant of the expiry: epoch in seconds or milliseconds, or ISO 8601."""
    required: bool = False
    """A done job is incomplete without one required link."""
    needs_key: bool = False
    """Downloading it takes the account's key."""
    one_time: bool = False
    """The service deletes the file once it was fetched."""
    used: tuple[Condition, ...] = ()
    """Any of these: it was fetched. On a status response, or with http_status on the response in the file's place."""
    suffix: FileSuffix = FileSuffix("")
    """Suffix of the file's name, where the response gives none."""

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the combination of keys, each as a key and a text."""
        if bool(self.url) == (self.path is not None):
            yield "url: a link has either url or path" if self.url else "url: missing, unless the link has a path"
        if self.path is None and self.method == "POST":
            yield "method: POST is for a link with path"
        if self.form and self.method != "POST":
            yield 'form: needs method = "POST"'
        if self.used and not self.one_time:
            yield "used: needs one_time = true"
        for index, condition in enumerate(self.used):
            yield from (f"used[{index}]: {problem}" for problem in condition.problems())
            if any(200 <= status < 300 for status in condition.http_status or ()):
                yield f"used[{index}].http_status: a 2xx is the file"


class LinkSource(NamedTuple):
    """Where links below the base URL lead: it, and the job's ids and variables."""

    base_url: str
    values: Values


def collect_links(
    rules: Sequence[LinkRule],
    body: Json | Item,
    headers: Mapping[str, str],
    source: LinkSource | None,
    language: str | None = None,
) -> tuple[list[ReportedLink], bool]:
    """Return the links of a response, each once, and whether a required link is among them or none is required.

    `source`: None for a job that is not done: links with a path are not made. `language`: of links without their own.
    """
    found: dict[tuple[LinkKind, str], ReportedLink] = {}
    has_required_link = not any(rule.required for rule in rules)
    for rule in rules:
        urls = _urls(rule, body, headers, source)
        if not urls:
            continue
        lifetime, expires_at = _lifetime(rule, body, headers), _expiry(rule, body, headers)
        form = _form(rule, source) if source is not None else None
        is_used = any(condition.matches(200, body, headers) for condition in rule.used)
        for url, own_language in urls:
            link = ReportedLink(
                rule.kind,
                url,
                lifetime,
                rule.needs_key,
                expires_at=expires_at,
                language=own_language or language,
                one_time=rule.one_time,
                suffix=str(rule.suffix),
                form=form,
                is_used=is_used,
            )
            found.setdefault((rule.kind, url), link)
            has_required_link = has_required_link or rule.required
    return list(found.values())[:MAX_LINKS], has_required_link


def _urls(
    rule: LinkRule, body: Json | Item, headers: Mapping[str, str], source: LinkSource | None
) -> list[tuple[str, str | None]]:
    """Return each URL of a rule with its language."""
    if rule.path is None:
        urls = _first_urls(rule.url, body, headers)
        languages = _languages(rule, body, headers) if urls else []
        return [(url, languages[at] if len(languages) == len(urls) else None) for at, url in enumerate(urls)]
    found: list[tuple[str, str | None]] = []
    if source is not None:
        languages = _languages(rule, body, headers)
        per_language = "language" in rule.path.placeholders and "language" not in source.values
        for language in languages if per_language else [languages[0] if languages else None]:
            values = source.values if language is None else {**source.values, "language": language}
            try:
                url = rule.path.url(source.base_url, values)
            except ValueError:  # a part of the path is not there
                continue
            if is_absolute_url(url):
                found.append((url, language))
    return found


def _languages(rule: LinkRule, body: Json | Item, headers: Mapping[str, str]) -> list[str]:
    for pointer in rule.language:
        found = [clean(text, MAX_LANGUAGE) for text in find_texts((pointer,), body, headers)]
        if found:
            return found[:MAX_LINKS]
    return []


def _lifetime(rule: LinkRule, body: Json | Item, headers: Mapping[str, str]) -> float | None:
    if rule.lifetime is None:
        return None
    if rule.lifetime.pointer is None:
        return float(rule.lifetime)  # a plain float, which every encoder supports
    return parse_count((rule.lifetime.pointer,), body, headers)


def _expiry(rule: LinkRule, body: Json | Item, headers: Mapping[str, str]) -> float | None:
    return next(
        (at for text in find_texts(rule.expires, body, headers) if (at := parse_instant(text)) is not None), None
    )


def _form(rule: LinkRule, source: LinkSource) -> str | None:
    """Return the form of a link that is fetched by POST; None: it is fetched by GET."""
    if rule.method == "GET":
        return None
    try:
        return urlencode({name: text.fill(source.values) for name, text in rule.form.items()})
    except ValueError:
        return ""


def parse_instant(text: str) -> float | None:
    """Return the instant of an epoch in seconds or milliseconds, or of ISO 8601; UTC without an offset."""
    text = text.strip()
    if re.fullmatch(r"[0-9]{9,14}(\.[0-9]{1,9})?", text):
        number = float(text)
        return number / 1000 if number >= MILLISECONDS_FROM else number
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _first_urls(pointers: Sequence[Pointer], body: Json | Item, headers: Mapping[str, str]) -> list[str]:
    """Return the links of the first pointer that finds any."""
    for pointer in pointers:
        urls = [url for url in find_texts((pointer,), body, headers) if is_absolute_url(url)]
        if urls:
            return urls
    return []


def is_absolute_url(url: str) -> bool:
    """Return whether it is an absolute http(s) URL that can be shown and opened unchanged.

    Relative URLs are rejected: no service documents them. So are credentials in a URL: they disguise its host.
    """
    if not url.isprintable() or " " in url or len(url.encode()) > MAX_URL:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:  # an unmatched bracket, a port that is not a number
        return False
