"""CSV as `export` writes it and `add -` reads it. A spreadsheet that opens it runs nothing of what services say."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tui.presentation.json_output import JsonObject

_FORMULA_STARTS = tuple("=+-@\t\r")
"""A spreadsheet takes a cell that begins with one of these for a formula (OWASP, CSV Injection)."""
_DELIMITERS = ",;\t"
"""Spreadsheets of half of Europe write semicolons."""
COLUMNS = (
    *("account", "provider", "id", "kind", "label", "tags", "note", "added", "phase", "status", "title", "language"),
    *("progress", "progress_source", "eta", "message", "link", "link_kind", "link_expires_at", "link_exact"),
    *("result", "flags", "checked_at", "next_poll_at", "fault", "fault_message"),
    *("keep_link", "download", "muted", "archived"),
)
"""The columns of `flat`."""
MAX_CELL_LENGTH = 4 * 1024 * 1024
"""Characters of one cell that are read."""


def write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """RFC 4180 with a line of titles; an apostrophe stands before what would be a formula."""
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    writer.writerow(columns)
    writer.writerows([_escape_formula(row[column]) for column in columns] for row in rows)
    return sheet.getvalue()


def flatten_job(job: JsonObject) -> JsonObject:
    """An exported job as one row: lists as words, of the links the first, of a fault its kind and message."""
    first: JsonObject = job["links"][0] if job["links"] else {}
    fault: JsonObject = job["fault"] or {}
    row = {key: join_cell(value) if key in {"tags", "flags"} else value for key, value in job.items() if key != "links"}
    row |= {"link": first.get("url")} | {f"link_{key}": first.get(key) for key in ("kind", "expires_at", "exact")}
    return row | {"fault": fault.get("kind"), "fault_message": fault.get("message")}


def detect_delimiter(text: str) -> str | None:
    """What parts the cells, if the first line names a column `id`; None: this is no such sheet."""
    titles = text.lstrip().partition("\n")[0].strip()
    return next((each for each in _DELIMITERS if "id" in _split_header(titles, each)), None)


def read_rows(text: str, delimiter: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Every row by its titles, in lower case, with the line that it ends on. Raises csv.Error."""
    csv.field_size_limit(MAX_CELL_LENGTH)
    rows = csv.reader(io.StringIO(text.lstrip(), newline=""), delimiter=delimiter)
    titles = [title.strip().lower() for title in next(rows)]
    for row in rows:
        if any(row):
            yield rows.line_num, {title: _unescape_formula(cell) for title, cell in zip(titles, row, strict=False)}


def join_cell(values: Iterable[str]) -> str:
    """Several texts in one cell, parted by spaces; one that holds a space stands in quotes."""
    cell = io.StringIO()
    csv.writer(cell, delimiter=" ", lineterminator="").writerow(tuple(values))
    return cell.getvalue()


def split_cell(cell: str) -> tuple[str, ...]:
    """What `words` has put into one cell. Raises csv.Error."""
    return tuple(word for line in csv.reader([cell], delimiter=" ") for word in line if word)


def _split_header(line: str, delimiter: str) -> list[str]:
    return [title.strip().strip('"').lower() for title in line.split(delimiter)]


def _escape_formula(value: object) -> object:
    text = value.lstrip("'") if isinstance(value, str) else ""
    return f"'{value}" if text.startswith(_FORMULA_STARTS) else value


def _unescape_formula(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA_STARTS) else cell
