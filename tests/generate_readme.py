"""Generator of parts of README.md: `python -m tests.generate_readme` writes them, a test compares them.

A part stands between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

import ast
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from tui.cli.arguments import SUBCOMMANDS
from tui.commands import COMMANDS, key_label
from tui.presentation import formatting
from tui.presentation.filters.reference import GRAMMAR, field_rules
from tui.providers.fields import Duration
from tui.storage.config import secrets
from tui.storage.config.fields import FileSize
from tui.storage.config.settings import Settings

README = Path(__file__).resolve().parent.parent / "README.md"


def fill(text: str) -> str:
    """Return the text with its generated parts up to date."""
    for name, made in {
        "keys": keys_table(),
        "settings": settings_reference(),
        "subcommands": subcommands_table(),
        "filter": filter_table(),
    }.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text, found = re.subn(
            pattern, lambda match, made=made: f"{match[1]}\n{made}\n{match[2]}", text, flags=re.DOTALL
        )
        assert found == 1, name
    return text


def keys_table() -> str:
    """Return every command with its keys, by group."""
    lines = ["| keys | action | `[keys]` |", "|---|---|---|"]
    for group in dict.fromkeys(command.group for command in COMMANDS):
        lines.append(f"| **{group}** | | |")
        lines += [
            f"| {' '.join(f'`{key_label(key)}`' for key in each.keys)} | {_escape_cell(each.help)} | `{each.id}` |"
            for each in COMMANDS
            if each.group == group
        ]
    return "\n".join(lines) + "\n"


def filter_table() -> str:
    """Return the grammar of the filter, and its fields."""
    lines = ["| term | matches |", "|---|---|"]
    lines += [f"| `{_escape_code(rule.form)}` | {_escape_cell(rule.meaning)} |" for rule in (*GRAMMAR, *field_rules())]
    return "\n".join(lines) + "\n"


def _escape_code(text: str) -> str:
    """Return a text of code for a cell of a table."""
    return text.replace("|", r"\|")


def subcommands_table() -> str:
    """Return every subcommand with its summary."""
    lines = ["| subcommand | action |", "|---|---|"]
    lines += [f"| `babeltop {name}` | {_escape_cell(subcommand.summary)} |" for name, subcommand in SUBCOMMANDS.items()]
    return "\n".join(lines) + "\n"


def settings_reference() -> str:
    """Return every key of config.toml with default and meaning, by table."""
    return "\n".join(_settings_tables())


def _settings_tables() -> Iterator[str]:
    for table in msgspec.structs.fields(Settings):
        struct = next((each for each in _nested_structs(table.type)), None)
        if struct is None:
            yield f"`[{table.encode_name}]`: {_escape_cell(_field_docstrings(Settings)[table.name])}\n"
            continue
        heading, _, what = (struct.__doc__ or "").partition(": ")
        yield f"{heading}: {what}\n\n| key | default | meaning |\n|---|---|---|"
        for field in msgspec.structs.fields(struct):
            means = f"{_escape_cell(_field_docstrings(struct)[field.name])}{_format_choices(field)}"
            yield f"| `{field.encode_name}` | {_format_default(field)} | {means} |"
            yield from _secret_rows(field)
        yield ""


def _format_choices(field: FieldInfo) -> str:
    """Return the values of a key with few."""
    words = get_args(field.type) if get_origin(field.type) is Literal else ()
    return f": {', '.join(f'`{word}`' for word in words)}" if words else ""


def _secret_rows(field: FieldInfo) -> Iterator[str]:
    """Yield the rows of a key's sources."""
    for source in _nested_structs(field.type):
        if not issubclass(source, secrets.SecretSource):
            continue
        docs = _field_docstrings(secrets.SecretSource) | _field_docstrings(source)
        for each in msgspec.structs.fields(source):
            yield f"| `{field.encode_name}.{each.encode_name}` | | {_escape_cell(docs[each.name])} |"


def _nested_structs(kind: object) -> Iterator[type[msgspec.Struct]]:
    """Yield the struct of a table, alone or in a dict or tuple."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for inner in get_args(kind):
        yield from _nested_structs(inner)


def _field_docstrings(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Return the docstring below each field, which Python does not keep."""
    source = Path(sys.modules[struct.__module__].__file__ or "").read_text("utf-8")
    (body,) = (
        node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == struct.__name__
    )
    found: dict[str, str] = {}
    for field, doc in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(doc, ast.Expr):
            found[field.target.id] = " ".join(str(ast.literal_eval(doc.value)).split())
    return found


def _format_default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, Duration):
        return f'`"{_format_duration(value)}"`'
    if isinstance(value, FileSize):
        return f'`"{formatting.size(value)}"`'
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{each}"' for each in value) + "]`"
    if value in (None, "", msgspec.NODEFAULT):
        return ""
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _format_duration(seconds: float) -> str:
    """Return a duration as written in the file."""
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds / size:g}{letter}"
    return f"{seconds:g}s"


def _escape_cell(text: str) -> str:
    """Return a docstring for operators, without None, and with durations instead of seconds."""
    for ours, theirs in (("; in the file a duration", ""), ("None: ", "Without it: "), ("|", r"\|")):
        text = text.replace(ours, theirs)
    return text.rstrip(".")


if __name__ == "__main__":
    README.write_text(fill(README.read_text("utf-8")), "utf-8")
