"""Every verb that prints JSON prints what the one schema says, and nothing else on stdout."""

import json

from tests.cli import json_schema
from tests.cli.conftest import Program
from tui.cli.arguments import SUBCOMMANDS
from tui.cli.parser import build_parser

LINES = {
    "export": "export --format json",
    "download": "download heygen:a-fine konpro:b-fail --json",
    "renew": "renew heygen:a-fine --json",
    "watch": "",
}
"""Verbs whose line is another than `VERB --json`; watch never ends by itself."""


def takes_json(verb: str) -> bool:
    """Whether the verb has --json, or json as a format."""
    options = next(action for action in build_parser()._actions if action.dest == "subcommand").choices[verb]._actions
    return any("--json" in action.option_strings or "json" in (action.choices or ()) for action in options)


def test_the_schema_knows_every_verb_that_prints_json() -> None:
    assert {verb for verb in SUBCOMMANDS if takes_json(verb)} == set(json_schema.BY_SUBCOMMAND)


def test_every_verbs_json_is_as_the_schema_says(four: Program) -> None:
    four.with_jobs(
        "heygen:a-fine", "konpro:b-fail", "camb:c-missing", "flixu:d-odd", "nobody:e", more='tags = ["x y"]\n'
    )
    four("check")
    verbs = [verb for verb in json_schema.BY_SUBCOMMAND if LINES.get(verb, "-")]
    ended = four.run_in_parallel(*(LINES.get(verb, f"{verb} --json") for verb in verbs))
    for verb, told in zip(verbs, ended, strict=True):
        assert told.out, (verb, told)
        assert told.json, verb
        assert json_schema.problems(told.json, json_schema.BY_SUBCOMMAND[verb]) == [], verb
    process = four.start("watch", "--json")
    four("add", "camb:new-fine")
    assert process.stdout
    line = json.loads(process.stdout.readline())
    process.terminate()
    four.end(process)
    assert json_schema.problems(line, json_schema.WATCH_EVENT) == []
