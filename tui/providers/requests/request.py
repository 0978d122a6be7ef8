"""Request of a provider file, filled in with an account's and a job's values; and ids that have several parts."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, Self
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from tui.domain.job_ids import UNSAFE_SEGMENTS
from tui.providers.requests.templates import (
    HeaderTemplate,
    PathTemplate,
    Template,
    Values,
    fill_json,
    json_texts,
)

JSON_TYPE, FORM_TYPE = "application/json", "application/x-www-form-urlencoded"


class HttpRequest(NamedTuple):
    """Request as it is sent, without key and constant headers."""

    url: str
    method: str = "GET"
    body: bytes = b""
    content_type: str = ""
    """Empty: there is no body."""


class RequestTemplate(Struct, frozen=True, kw_only=True):
    """Request with placeholders. A POST only reads: it is repeated with every poll."""

    path: PathTemplate
    method: Literal["GET", "POST"] = "GET"
    form: dict[str, Template] = {}
    """Body as application/x-www-form-urlencoded."""
    json: dict[str, Any] = {}
    """Body as JSON; placeholders may stand in its texts."""
    content_type: HeaderTemplate | None = None
    """None: the usual one of the body."""

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Placeholders of path and body."""
        texts = (self.path, *self.form.values(), *json_texts(self.json))
        return tuple(name for text in texts for name in text.placeholders)

    @property
    def placeholder_names(self) -> frozenset[str]:
        """Placeholders without their form: `{id:int}` is id."""
        return frozenset(placeholder.partition(":")[0] for placeholder in self.placeholders)

    def fill(self, base_url: str, values: Values) -> HttpRequest:
        """Return the request below a base URL. Raises ValueError for an invalid or a missing value."""
        url = self.path.url(base_url, values)
        if self.method == "GET":
            return HttpRequest(url)
        content_type = str(self.content_type or (JSON_TYPE if self.json else FORM_TYPE))
        if self.json:
            return HttpRequest(url, self.method, msgspec.json.encode(fill_json(self.json, values)), content_type)
        form = {name: text.fill(values) for name, text in self.form.items()}
        return HttpRequest(url, self.method, urlencode(form).encode(), content_type if form else "")

    def body_problems(self) -> Iterator[str]:
        """Yield what is wrong with the combination of keys, each as a key and a text."""
        for key in ("form", "json", "content_type"):
            if self.method == "GET" and getattr(self, key):
                yield f'{key}: needs method = "POST"'
        if self.form and self.json:
            yield "json: a request has either form or json"


class PlaceholderName(str):
    """Name that can stand in `{}`: lower-case letters, digits and `_`."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the checked name. Raises ValueError if it is invalid or has another meaning."""
        if not isinstance(value, str) or not value.isascii() or not value.isidentifier() or value != value.lower():
            raise ValueError(f"expected lower-case letters, digits and '_', got {value!r}")
        if value in {"result_id", "language", "ids", "secret"}:
            raise ValueError(f"{value!r} has another meaning")
        return cls(value)


class JobIdFormat(Struct, frozen=True, kw_only=True):
    """Id of several parts, of which leading ones may come from the account's variables."""

    parts: tuple[PlaceholderName, ...]
    separator: str = "/"

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the combination of values, each as a key and a text."""
        if "id" not in self.parts:
            yield "parts: 'id' is missing"
        if len(set(self.parts)) < len(self.parts):
            yield "parts: a name occurs twice"
        if len(self.separator) != 1 or self.separator.isalnum() or self.separator in "\\{}? #%":
            yield f"separator: expected one character such as '/', got {self.separator!r}"

    def split(self, job_id: str) -> dict[str, str]:
        """Return the parts of an id by name; leading ones may be absent. Raises ValueError with the reason."""
        given = job_id.split(self.separator)
        if len(given) > len(self.parts):
            raise ValueError(f"the id has {len(given)} parts: expected {self.separator.join(self.parts)}")
        if not UNSAFE_SEGMENTS.isdisjoint(given):
            raise ValueError(f"the id has an empty part: expected {self.separator.join(self.parts)}")
        return dict(zip(map(str, self.parts[len(self.parts) - len(given) :]), given, strict=True))
