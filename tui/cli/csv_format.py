"""CSV of `export` and `add -`. A spreadsheet executes nothing in it."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tui.presentation.json_output import JsonObject

_FORMULA_STARTS = tuple("=+-@\t\r")
"""First characters of what a spreadsheet executes as a formula (OWASP, CSV Injection)."""
_DELIMITERS = ",;\t"
"""In many European locales, spreadsheets write semicolons."""
_DELIMITER_LINE = "sep="
"""Start of a line above the titles that tells Excel the delimiter, which the titles show as well."""
COLUMNS = (
    *("account", "provider", "id", "kind", "label", "tags", "note", "added", "phase", "status", "title", "language"),
    *("progress", "progress_source", "eta", "message", "link", "link_kind", "link_expires_at", "link_exact"),
    *("result", "flags", "checked_at", "next_poll_at", "fault", "fault_message"),
    *("keep_link", "download", "muted", "archived"),
)
"""Columns of `flatten_job`."""
MAX_CELL_LENGTH = 4 * 1024 * 1024
"""Characters of one cell."""


def write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return RFC 4180 with a header row. An apostrophe precedes what would be a formula."""
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    writer.writerow(columns)
    writer.writerows([_escape_formula(row[column]) for column in columns] for row in rows)
    return sheet.getvalue()


def flatten_job(job: JsonObject) -> JsonObject:
    """Return an exported job as one row, with its first link, and the kind and message of its fault."""
    first: JsonObject = job["links"][0] if job["links"] else {}
    fault: JsonObject = job["fault"] or {}
    row = {
        key: join_cell(value) if key in {"tags", "flags"} else value
        for key, value in job.items()
        if key not in {"links", "parts"}
    }
    row |= {"link": first.get("url")} | {f"link_{key}": first.get(key) for key in ("kind", "expires_at", "exact")}
    return row | {"fault": fault.get("kind"), "fault_message": fault.get("message")}


def detect_delimiter(text: str) -> str | None:
    """Return the delimiter if the first line with a title is a header with a column `id`, else None."""
    lines = (line for line in io.StringIO(text) if line.strip(f'{_DELIMITERS}" \r\n'))
    titles = next((line for line in lines if not line.startswith(_DELIMITER_LINE)), "")
    return next((each for each in _DELIMITERS if "id" in _split_header(titles, each)), None)


def read_rows(text: str, delimiter: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row's first line number and its cells by lower-case column name. Raises csv.Error."""
    csv.field_size_limit(MAX_CELL_LENGTH)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    titles: list[str] = []
    line = 1
    for row in rows:
        if titles and any(row):
            yield line, {title: _unescape_formula(cell) for title, cell in zip(titles, row, strict=False)}
        elif any(cell.strip() for cell in row) and not row[0].startswith(_DELIMITER_LINE):
            titles = [title.strip().lower() for title in row]
        line = rows.line_num + 1


def join_cell(values: Iterable[str]) -> str:
    """Return several texts as one cell, separated by spaces; a text with a space is quoted."""
    cell = io.StringIO()
    csv.writer(cell, delimiter=" ", lineterminator="").writerow(tuple(values))
    return cell.getvalue()


def split_cell(cell: str) -> tuple[str, ...]:
    """Return the texts of a cell that `join_cell` made. Raises csv.Error."""
    return tuple(word for line in csv.reader([cell], delimiter=" ") for word in line if word)


def _split_header(line: str, delimiter: str) -> list[str]:
    return [title.strip().strip('"').lower() for title in line.split(delimiter)]


def _escape_formula(value: object) -> object:
    text = value.lstrip("'") if isinstance(value, str) else ""
    return f"'{value}" if text.startswith(_FORMULA_STARTS) else value


def _unescape_formula(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA_STARTS) else cell
