"""Request for a list of an account's jobs, as a provider file describes it."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from tui.domain.models import Phase
from tui.providers.json_pointer import Pointer
from tui.providers.requests.request import RequestTemplate

MAX_PAGES_NEWEST_FIRST, MAX_PAGES = 1, 10
"""Pages of one listing, unless the file says otherwise."""


class PageSize(Struct, frozen=True, kw_only=True):
    """Query parameter that bounds a page, and its value."""

    parameter: str
    value: Annotated[int, Meta(ge=1)]


class Paging(Struct, frozen=True, kw_only=True):
    """How the next page is requested."""

    type: Literal["none", "cursor", "last_id", "offset", "page", "next_url", "link_header"]
    parameter: str = ""
    """Query parameter of the next request."""
    next: Pointer | None = None
    """Cursor or URL of the next page; absent, null or "": there is none."""
    more: Pointer | None = None
    """False: this was the last page."""
    first: Annotated[int, Meta(ge=0)] = 1
    """Number of the first page."""
    pages: Pointer | None = None
    """Number of pages."""
    size: PageSize | None = None
    """A page with fewer items is the last."""

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the combination of keys, each as a key and a text."""
        needed = {
            "cursor": ("parameter", "next"),
            "last_id": ("parameter",),
            "offset": ("parameter", "size"),
            "page": ("parameter",),
            "next_url": ("next",),
        }.get(self.type, ())
        yield from (f"{key}: missing for type {self.type!r}" for key in needed if not self._has(key))
        if self.type == "page" and self.pages is None and self.size is None:
            yield "pages: missing, unless there is size"

    def _has(self, key: str) -> bool:
        value = getattr(self, key)
        return value is not None and (value != "" or isinstance(value, Pointer))


class ListRequest(RequestTemplate, frozen=True, kw_only=True):
    """Request for the jobs of an account, with pointers into one item."""

    items: Pointer
    """List of jobs, or object with them as members."""
    id: Pointer
    same_as: Pointer | None = None
    """An item is like the value at this pointer of a status response, so it is a whole report."""
    value: tuple[Pointer, ...] = ()
    title: tuple[Pointer, ...] = ()
    language: tuple[Pointer, ...] = ()
    created: tuple[Pointer, ...] = ()
    """Instant: epoch in seconds or milliseconds, or ISO 8601."""
    statuses: dict[str, Phase] = field(default_factory=dict[str, Phase])
    """In the file: in addition to [statuses]. In a Provider: all statuses, by `status_key`."""
    order: Literal["newest_first", "oldest_first", "none"] = "none"
    max_pages: Annotated[int, Meta(ge=1, le=100)] | None = None
    """None: MAX_PAGES_NEWEST_FIRST or MAX_PAGES."""
    paging: Paging = Paging(type="none")

    @property
    def page_limit(self) -> int:
        """Pages of one listing, at most."""
        return self.max_pages or (MAX_PAGES_NEWEST_FIRST if self.order == "newest_first" else MAX_PAGES)

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the combination of keys, each as a key and a text."""
        yield from (f"paging.{problem}" for problem in self.paging.problems())
        yield from same_as_problems(self.same_as, value=self.value, statuses=self.statuses)


def same_as_problems(same_as: Pointer | None, **status_keys: object) -> Iterator[str]:
    """Yield what is wrong with `same_as` beside these keys, each as a key and a text."""
    if same_as is None:
        return
    yield from (f"{k}: not with same_as, which takes the status as [status] does" for k, v in status_keys.items() if v)
    if same_as.header or same_as.item_source or "*" in same_as.tokens:
        yield "same_as: expected a JSON Pointer without '*'"
