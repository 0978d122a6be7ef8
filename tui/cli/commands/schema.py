"""Subcommand schema: JSON Schema (2020-12) of every JSON output and of what hooks receive."""

import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec

import tui
from tui.cli.output import OK, write_stdout

FILE = Path(tui.__file__).parent / "cli" / "json_schema.json"


def schema(args: Namespace) -> int:
    """Run `schema`: print the schema of one subcommand, or all definitions."""
    document = msgspec.json.decode(FILE.read_bytes())
    if args.name is not None:
        document = select(document, args.name)
    write_stdout(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")
    return OK


def select(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the schema of one definition, with the definitions that it refers to."""
    found, pending = dict[str, Any](), [name]
    while pending:
        if (each := pending.pop()) not in found:
            found[each] = document["$defs"][each]
            pending += re.findall(r"#/\$defs/(\w+)", str(found[each]))
    return {**document, "$ref": f"#/$defs/{name}", "$defs": found}
