"""Layout of the job table: which columns it has at a width, and how wide they are. Their cells are `columns`."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

COLUMN_GAP = 2
"""Cells between two columns."""
MARKS_WIDTH = 3
"""Cells at the left edge: recently changed, marked, muted."""
MIN_NAME_WIDTH = 16
"""Cells: a narrower name column drops another column instead."""
MIN_WIDE_NAME_WIDTH = 26
"""The same, for a table of at least 100 cells."""
PERCENT_WIDTH = 8
"""Cells of the progress without its bar."""


class Column(NamedTuple):
    """Column of the table at one terminal width."""

    id: str
    title: str
    width: int
    align_right: bool = False


class ColumnType(NamedTuple):
    """Column that the operator may choose."""

    meaning: str
    width: int
    """Cells; 0: what the others leave."""
    narrow_width: int = 0
    """Cells in a table of less than 100; 0: the same."""
    instant_width: int = 0
    """Cells for an instant in place of a time; 0: the same."""
    align_right: bool = False


COLUMN_TYPES: Mapping[str, ColumnType] = {
    "status": ColumnType("phase, or a status that is not known", 11),
    "account": ColumnType("account", 9, 7),
    "provider": ColumnType("service", 9, 7),
    "owner": ColumnType("watchlist of a team that has the job", 12, 8),
    "name": ColumnType("label, else title, else id; with the message of a problem", 0),
    "id": ColumnType("id", 24, 16),
    "lang": ColumnType("language", 7, 5),
    "progress": ColumnType("progress, measured or estimated", 14),
    "time": ColumnType("time in the phase", 5, 0, 6, align_right=True),
    "total": ColumnType("time from the first poll to the end", 5, align_right=True),
    "eta": ColumnType("time to the expected end", 6, align_right=True),
    "next": ColumnType("time to the next poll", 5, 0, 6, align_right=True),
    "link": ColumnType("time to the expiry of the link", 9, 8, 9, align_right=True),
    "tags": ColumnType("tags", 14, 10),
    "note": ColumnType("note", 24, 16),
    "message": ColumnType("message of the service, or of the last error", 30, 20),
    "kind": ColumnType("kind of job", 8),
    "polls": ColumnType("number of polls", 5, align_right=True),
    "changed": ColumnType("instant of the last change of the phase", 7, align_right=True),
}
"""Columns by id."""
COLUMN_ALIASES: Mapping[str, str] = {"language": "lang", "expires": "link", "phase": "status"}
"""Other names of columns, in config.toml."""
DEFAULT_COLUMNS = ("status", "account", "name", "lang", "progress", "time", "eta", "next", "link")
_DROP_ORDER = ("eta", "progress", "lang", "next", "time", "account", "owner", "link")
"""Default columns in the order in which they are dropped for the name."""


def visible_columns(
    width: int, *, show_instants: bool = False, chosen: Sequence[str] = DEFAULT_COLUMNS
) -> tuple[Column, ...]:
    """Return the columns for a table of `width` cells. The name takes the rest; others are dropped for it.

    Of the default columns those of _DROP_ORDER are dropped, of others the last ones. From 100 cells on the progress
    loses its bar before. `show_instants`: ages and remaining times are instants, which may take a cell more.
    """
    is_wide = width >= 100
    widths = {column: _width(COLUMN_TYPES[column], is_wide=is_wide, show_instants=show_instants) for column in chosen}
    if not is_wide and _are_default(chosen):
        del widths["eta"]
    flexible = next((column for column in ("name", "message", "note", "id", "tags") if column in widths), "")
    minimum = 1 if flexible else 0
    if flexible == "name":
        minimum = MIN_WIDE_NAME_WIDTH if is_wide else MIN_NAME_WIDTH
    widths.pop(flexible, None)
    dropped, rest = set[str](), 0
    for drop in ("", *(["bar"] if is_wide else []), *_order_of_dropping(chosen)):
        dropped.add(drop)
        if drop == "bar" and "progress" in widths:
            widths["progress"] = PERCENT_WIDTH
        taken = sum(cells + COLUMN_GAP for column, cells in widths.items() if column not in dropped)
        rest = width - MARKS_WIDTH - taken - 1
        if rest >= minimum:
            break
    if flexible:
        widths[flexible] = max(1, rest)
    return tuple(
        Column(column, _title(column, widths[column]), widths[column], COLUMN_TYPES[column].align_right)
        for column in chosen
        if column in widths and column not in dropped
    )


def with_owner(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns with that of the owner, before the name."""
    if "owner" in columns:
        return tuple(columns)
    at = columns.index("name") if "name" in columns else len(columns)
    return (*columns[:at], "owner", *columns[at:])


def _are_default(chosen: Sequence[str]) -> bool:
    return tuple(column for column in chosen if column != "owner") == DEFAULT_COLUMNS


def _order_of_dropping(chosen: Sequence[str]) -> Sequence[str]:
    if _are_default(chosen):
        return _DROP_ORDER
    return [column for column in reversed(chosen) if column not in {"name", chosen[0]}]


def _width(kind: ColumnType, *, is_wide: bool, show_instants: bool) -> int:
    if show_instants and kind.instant_width:
        return kind.instant_width
    return kind.width if is_wide or not kind.narrow_width else kind.narrow_width


def _title(column: str, width: int) -> str:
    title = column.upper()
    return title if len(title) <= width else title[:4]
