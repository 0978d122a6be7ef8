"""Every subcommand that prints JSON prints what its published schema defines, and nothing else on stdout."""

import json
from typing import get_args

from jsonschema import Draft202012Validator

from tests.cli import json_schema
from tests.cli.conftest import Program
from tui.cli.arguments import SCHEMAS, SUBCOMMANDS
from tui.cli.commands.doctor.report import Area, Level
from tui.cli.parser import build_parser
from tui.domain.job_state import Flag
from tui.domain.models import FaultKind, LinkKind, Phase
from tui.engine.api import Health
from tui.engine.notifications.events import SUMMARY
from tui.storage.config.settings import HookEvent

LINES = {
    "export": "export --format json",
    "download": "download heygen:a-fine konpro:b-fail --json",
    "renew": "renew heygen:a-fine --json",
    "watch": "",
    "discover": "",
}
"""Subcommands whose line is another than `SUBCOMMAND --json`; watch does not end, discover has tests of its own."""
DEFINITIONS = json_schema.DOCUMENT["$defs"]


def prints_json(name: str) -> bool:
    """Whether the subcommand has --json, or json as a format."""
    options = next(action for action in build_parser()._actions if action.dest == "subcommand").choices[name]._actions
    return any("--json" in action.option_strings or "json" in (action.choices or ()) for action in options)


def test_every_subcommand_that_prints_json_has_a_schema() -> None:
    assert {name for name in SUBCOMMANDS if prints_json(name)} | {"hook"} == set(SCHEMAS)
    assert set(SCHEMAS) <= set(DEFINITIONS)


def test_the_schema_lists_every_value_of_every_enumeration() -> None:
    fault, change, job = (DEFINITIONS[name]["properties"] for name in ("fault", "change_fields", "job_fields"))
    finding, hook = DEFINITIONS["doctor"]["items"]["properties"], DEFINITIONS["hook"]["properties"]
    assert DEFINITIONS["phase"]["enum"] == list(Phase)
    assert DEFINITIONS["link"]["properties"]["kind"]["enum"] == list(LinkKind)
    assert fault["kind"]["enum"] == list(FaultKind)
    assert job["flags"]["items"]["enum"] == list(Flag)
    assert change["before"] == change["after"] == {"$ref": "#/$defs/phase"}
    assert (finding["area"]["enum"], finding["level"]["enum"]) == (list(get_args(Area)), list(Level))
    assert hook["event"]["enum"] == [*get_args(HookEvent), SUMMARY]
    known = [each for each in Health if each is not Health.UNKNOWN]  # a hook is called where the account is polled
    assert hook["account"]["anyOf"][0]["properties"]["health"]["enum"] == known


def test_schema_prints_the_schema_of_one_subcommand_or_of_all(babeltop: Program) -> None:
    whole = babeltop("schema")
    assert (whole.code, whole.json) == (0, json_schema.DOCUMENT)
    for name in SCHEMAS:
        schema = babeltop("schema", name).json
        Draft202012Validator.check_schema(schema)
        assert schema["$ref"] == f"#/$defs/{name}"
    assert set(babeltop("schema", "log").json["$defs"]) == {"log", "change", "change_fields", "phase", "time"}


def test_json_output_conforms_to_the_schema(configured: Program) -> None:
    configured.with_jobs(
        "heygen:a-fine", "konpro:b-fail", "camb:c-missing", "flixu:d-odd", "unknown:e", more='tags = ["x y"]\n'
    )
    configured("check")
    names = [name for name in SCHEMAS if name != "hook" and LINES.get(name, "-")]
    completed = configured.run_each(*(LINES.get(name, f"{name} --json") for name in names))
    for name, command in zip(names, completed, strict=True):
        assert command.out, (name, command)
        assert command.json, name
        assert json_schema.problems(command.json, name) == [], name
    process = configured.start("watch", "--json")
    configured("add", "camb:new-fine")
    assert process.stdout
    line = json.loads(process.stdout.readline())
    process.terminate()
    configured.end(process)
    assert json_schema.problems(line, "watch") == []
