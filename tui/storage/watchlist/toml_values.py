"""TOML of a job's values, by tomli-w, on one line each. Positions in a text are left to `editor`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from msgspec import structs

from tui.domain.models import Job
from tui.storage.config.secrets import Secret, SecretSource


def job_table(job: Job) -> dict[str, object]:
    """Return the table of a job, in the order of its keys, without defaults; `added` in whole seconds."""
    table: dict[str, object] = {"account": job.account, "id": job.id}
    for field in structs.fields(job)[len(table) :]:
        value = getattr(job, field.name)
        if field.name == "added":
            value = None if value is None else datetime.fromtimestamp(value // 1, UTC)
        if value != field.default:
            table[field.name] = toml_value(value)
    return table


def secrets_table(secrets: Mapping[str, Secret | SecretSource]) -> dict[str, object]:
    """Return the table `[job.secrets]`: each secret as text, or as the table of its source."""
    return {
        name: value.reveal()
        if isinstance(value, Secret)
        else {key: toml_value(part) for key, part in structs.asdict(value).items() if part is not None}
        for name, value in secrets.items()
    }


def toml_value(value: object) -> object:
    """Return the value as `tomllib` would: a tuple as a list."""
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


def job_block(table: dict[str, object], line_end: str) -> str:
    """Return the `[[job]]` block of a table; its secrets are a table at its end."""
    secrets = cast("dict[str, object]", table.get("secrets", {}))
    lines = ["[[job]]", *(f"{key} = {toml_literal(value)}" for key, value in table.items() if key != "secrets")]
    if secrets:
        lines += ["[job.secrets]", *(f"{name} = {toml_literal(value)}" for name, value in secrets.items())]
    return "".join(f"{line}{line_end}" for line in lines)


def toml_literal(value: object) -> str:
    """Return a string, tuple or list of strings, bool, datetime, or table of these as TOML on one line."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return f"{{ {', '.join(f'{key} = {toml_literal(member)}' for key, member in members)} }}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    import tomli_w  # only where something is written: `list` starts without it

    written = tomli_w.dumps({"value": value}).removeprefix("value = ").removesuffix("\n")
    # tomli-w gives every member of an array its own line; a line end in a string is always escaped
    return written.replace(",\n]", "]").replace(",\n    ", ", ").replace("[\n    ", "[")
