"""Statuses: the raw status in a response, and the phase that a provider's file gives it."""

import re
from collections.abc import Mapping, Sequence

from tui.domain.models import Phase
from tui.presentation.sanitize import clean
from tui.providers.json_body import find_texts
from tui.providers.json_pointer import Item, Json, Pointer

MAX_STATUS = 120
"""Characters."""
STATUS_ALIASES: Mapping[str, Phase] = {
    "queued": Phase.QUEUED,
    "waiting": Phase.QUEUED,
    "created": Phase.QUEUED,
    "processing": Phase.RUNNING,
    "in_progress": Phase.RUNNING,
    "completed": Phase.DONE,
    "complete": Phase.DONE,
    "done": Phase.DONE,
    "succeeded": Phase.DONE,
    "finished": Phase.DONE,
    "canceled": Phase.FAILED,
    "cancelled": Phase.FAILED,
}
"""Statuses that hold for every provider, unless its file overrides them."""
ANY = "*"
"""Rest of a status: `intake_*` is every status that starts with `intake_`."""

_HTTP_ERROR = re.compile("[45][0-9]{2}")
_BOOLEANS = frozenset({"true", "false"})
"""Booleans as text: statuses only of a provider whose file lists them."""


class StatusTable(dict[str, Phase]):
    """Phases by `status_key`; keys with `*` at an end match the rest, the longest first."""

    def __init__(self, table: Mapping[str, Phase]) -> None:
        super().__init__(table)
        self._patterns = sorted((key for key in table if ANY in key), key=len, reverse=True)

    def match(self, key: str) -> Phase | None:
        """Return the phase of the longest pattern that matches a key."""
        for pattern in self._patterns:
            text = pattern.strip(ANY)
            if key.startswith(text) if pattern.endswith(ANY) else key.endswith(text):
                return self[pattern]
        return None


def status_key(raw_status: str) -> str:
    """Return a status as it is compared: cut at the first ':', stripped, in lower case."""
    return raw_status.partition(":")[0].strip().lower()


def phase_of(statuses: Mapping[str, Phase], raw_status: str) -> Phase | None:
    """Return the phase of a raw status; None: it is unknown."""
    key = status_key(raw_status)
    phase = statuses.get(key)
    return statuses.match(key) if phase is None and isinstance(statuses, StatusTable) else phase


def find_status(
    pointers: Sequence[Pointer],
    statuses: Mapping[str, Phase],
    null_strings: Sequence[str],
    body: Json | Item,
    headers: Mapping[str, str],
) -> str | None:
    """Return the raw status; None if there is none.

    A number from 400 to 599 that is not a status of the provider is an HTTP status, repeated in the body.
    """
    for text in find_texts(pointers, body, headers, null_strings, with_booleans=not _BOOLEANS.isdisjoint(statuses)):
        raw_status = clean(text, MAX_STATUS)
        if raw_status and (status_key(raw_status) in statuses or not _HTTP_ERROR.fullmatch(raw_status)):
            return raw_status
    return None
