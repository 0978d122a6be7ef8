"""JSON output checked against the published schema."""

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tui.cli.commands.schema import FILE, select

DOCUMENT = json.loads(FILE.read_text("utf-8"))


def problems(value: Any, name: str) -> list[str]:
    """Every deviation of a value from the definition of this name."""
    return [f"{error.json_path}: {error.message}" for error in _validator(name).iter_errors(value)]


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(select(DOCUMENT, name), format_checker=Draft202012Validator.FORMAT_CHECKER)
