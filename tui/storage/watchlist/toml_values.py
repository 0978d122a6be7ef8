"""How a job is written in TOML: tomli-w writes the values, on one line each. It places nothing in a text."""

from datetime import UTC, datetime
from typing import cast

from msgspec import structs

from tui.domain.models import Job


def job_table(job: Job) -> dict[str, object]:
    """What a job's block says, in the order of its keys, defaults left out; `added` as an instant of whole seconds."""
    table: dict[str, object] = {"account": job.account, "id": job.id}
    for field in structs.fields(job)[len(table) :]:
        value = getattr(job, field.name)
        if field.name == "added":
            value = None if value is None else datetime.fromtimestamp(value // 1, UTC)
        if value != field.default:
            table[field.name] = toml_value(value)
    return table


def toml_value(value: object) -> object:
    """The value as `tomllib` gives it: a tuple as a list."""
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


def job_block(table: dict[str, object], line_end: str) -> str:
    """The `[[job]]` that says `table`."""
    lines = ["[[job]]", *(f"{key} = {toml_literal(value)}" for key, value in table.items())]
    return "".join(f"{line}{line_end}" for line in lines)


def toml_literal(value: object) -> str:
    """A string, tuple or list of strings, bool or instant, written in TOML on one line."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    import tomli_w  # only where something is written: `list` starts without it

    written = tomli_w.dumps({"value": value}).removeprefix("value = ").removesuffix("\n")
    # tomli-w gives every member of an array its own line; in a string a line end is always written as \n
    return written.replace(",\n]", "]").replace(",\n    ", ", ").replace("[\n    ", "[")
