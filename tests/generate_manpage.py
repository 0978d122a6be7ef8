"""Man page and shell completions, generated from the parser: `python -m tests.generate_manpage` writes tui/man.

They are kept in the repository, so that an installation needs neither library; a test sees that they are the parser's.
"""

from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import shtab
from argparse_manpage.manpage import Manpage

import tui
from tui.cli import parser as parser_
from tui.cli.commands.completions import FILES
from tui.cli.parser import build_parser
from tui.domain.models import Phase
from tui.engine.notifications.sample_event import EVENTS
from tui.presentation.filters.reference import GRAMMAR, field_rules
from tui.providers.loader import provider_registry

MAN_FOLDER = Path(tui.__file__).parent / "man"
MAN_PAGE = "babeltop.1"
VALUES = {"refs": "refs", "account": "accounts", "view": "views"}
VALUES |= dict.fromkeys(("tags", "add_tags", "remove_tags"), "tags")
"""Values of the program that complete an argument, by its destination (`tui.cli.complete`)."""
CHOICES = {"PHASE": [phase.value for phase in Phase], "EVENT": [*EVENTS]}
"""Words that complete an argument, by its name in the help."""
_BASH = """\
# $1=kind, $2=word: values without signs that a shell reads
_babeltop_values() {
  local value
  "${COMP_WORDS[0]}" --complete "$1" "$2" "${COMP_WORDS[@]}" 2>/dev/null | while IFS= read -r value; do
    case $value in *[!a-zA-Z0-9._:@/+-]*) ;; *) printf '%s\\n' "$value" ;; esac
  done
}
""" + "\n".join(f'_babeltop_{kind}() {{ _babeltop_values {kind} "$1"; }}' for kind in sorted({*VALUES.values()}))
_ZSH = """\
_babeltop_values() {
  local -a found
  found=("${(@f)$("${_comp_command1:-babeltop}" --complete "${@[-1]}" "$PREFIX" "${(@Q)${(z)BUFFER}}" 2>/dev/null)}")
  compadd "${@[1,-2]}" -a found  # the arguments before the kind are those of _arguments
}"""
PREAMBLES = {"bash": _BASH, "zsh": _ZSH, "fish": ""}


def render_pages() -> dict[str, str]:
    """Return every file's text by its name."""
    with patch.dict("os.environ", {"COLUMNS": "80", "SOURCE_DATE_EPOCH": "1795219200"}):  # the release's day
        found = {FILES[shell]: _render_completions(shell) for shell in FILES}
        return found | {MAN_PAGE: _render_man_page()}


def _render_completions(shell: str) -> str:
    for each in _all_parsers(parser := _parser_with_subcommands()):
        for action in each._actions:
            if action.metavar in {"FILE", "RESPONSE.json"}:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif action.metavar == "DIR":
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
            elif kind := VALUES.get(action.dest):
                action.complete = _values_of(kind)  # type: ignore[attr-defined]
            elif choices := CHOICES.get(str(action.metavar)):
                action.choices = choices
    return shtab.complete(parser, shell=shell, preamble=PREAMBLES[shell])


def _values_of(kind: str) -> dict[str, str]:
    """Return what completes a word by the program's own values, for each shell."""
    fish = f"(env (commandline -opc)[1] --complete {kind} (commandline -ct) (commandline -opc) 2>/dev/null)"
    return {"bash": f"_babeltop_{kind}", "zsh": f"_babeltop_values {kind}", "fish": fish}


def _render_man_page() -> str:
    parser = _parser_with_subcommands()
    for each in _all_parsers(parser):
        if each is not parser:
            each.usage = " ".join(each.format_usage().split()[1:])  # one line: man wraps it
            each.description = None if each.prog.count(" ") == 1 else each.description  # is above it already
    own = (f"BABELTOP_{name}" for name in ("CONFIG_DIR", "STATE_DIR", "SERVE_TOKEN", "SHARED_GROUP"))
    keys = {provider.key.env for provider in provider_registry().values()}
    variables = [*sorted(keys - {""}), *own]
    sections = {
        "examples": parser_._EXAMPLES.partition("\n")[2],
        "filter": "\n".join(f"  {rule.form:<12} {rule.meaning}" for rule in (*GRAMMAR, *field_rules())),
        "files": parser_._FILES.partition("\n")[2],
        "environment": "\n".join(f"  {name}" for name in variables),
        "exit status": parser_._EXIT_CODES.partition("\n")[2],
    }
    parser._manpage = [  # type: ignore[attr-defined]
        {"heading": heading, "content": f".nf\n{_escape_roff(text)}\n.fi"} for heading, text in sections.items()
    ]
    data = {"project_name": "babeltop", "version": tui.__version__, "manual_title": "User Commands"}
    described = "top for translation jobs"
    return str(Manpage(parser, {**data, "description": described}, format="single-commands-section"))


def _parser_with_subcommands() -> ArgumentParser:
    """Return the parser with the subcommands listed, which its own help groups."""
    parser = build_parser()
    parser._positionals.title = "subcommands"
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            action.help = ""
    return parser


def _escape_roff(text: str) -> str:
    return "\n".join(f"\\&{line}" for line in text.replace("\\", "\\\\").replace("-", "\\-").splitlines())


def _all_parsers(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for each in action.choices.values():
                yield from _all_parsers(each)


if __name__ == "__main__":
    for name, text in render_pages().items():
        (MAN_FOLDER / name).write_text(text, "utf-8")
