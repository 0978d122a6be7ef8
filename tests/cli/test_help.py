import subprocess
import sys

from tests.cli.conftest import Program
from tui.cli.arguments import SUBCOMMANDS
from tui.cli.main import DEFAULT_ARGS
from tui.cli.parser import build_parser
from tui.domain.models import Phase
from tui.providers import loader

HEAVY = {"textual", "rich", "httpx", "asyncio", "filelock", "tomli_w", "email", "socket", "hashlib"}


def test_help_is_worth_reading(babeltop: Program) -> None:
    told = babeltop("--help")
    assert (told.code, told.err) == (0, "")
    for group in ("watchlist:", "polling and results:", "history:", "setup:", "examples:", "files:"):
        assert group in told.out
    assert all(f"  {name} " in told.out for name in SUBCOMMANDS)
    assert all(f"  {code}  " in told.out for code in (130, 2, 124, 3, 1, 0, 70))
    assert "BABELTOP_CONFIG_DIR" in told.out
    assert "BABELTOP_STATE_DIR" in told.out
    assert max(map(len, told.out.splitlines())) <= 80


def test_help_names_the_key_variables_that_the_provider_files_name(babeltop: Program) -> None:
    variables = {provider.key.env for provider in loader.provider_registry().values()}
    assert len(variables) == 4
    shown = babeltop("--help").out
    assert {variable for variable in variables if f"  {variable}\n" in shown} == variables


def test_every_verbs_help_has_an_example_that_its_parser_takes() -> None:
    parser = build_parser()
    for verb in SUBCOMMANDS.values():
        words = verb.example.partition("babeltop ")[2].partition(";")[0].partition(">")[0].split()
        assert parser.parse_args(words).entry_point == verb.entry_point


def test_no_arguments_are_what_the_parser_makes_of_them() -> None:
    assert vars(build_parser([]).parse_args([])) == DEFAULT_ARGS


def test_list_names_every_phase_in_its_help(babeltop: Program) -> None:
    shown = babeltop("list", "--help").out
    assert all(phase in shown for phase in Phase)
    assert "example:\n  babeltop list" in shown


def test_it_calls_itself_babeltop(babeltop: Program) -> None:
    assert babeltop("--version").out == "babeltop 0.1.0\n"
    assert babeltop("--help").out.startswith("usage: babeltop ")


def test_what_is_not_understood_is_exit_2_with_the_way_out(babeltop: Program) -> None:
    hints = {
        "lst": "unknown subcommand 'lst'; did you mean 'list'?",
        "providers checks": "did you mean 'check'?",
        "export --format cvs": "did you mean 'csv'?",
        "wait --timeout 5": "invalid duration '5', use 90s, 30m, 24h or 7d",
        "list --phase don": "did you mean 'done'?",
        "--demo list": "--demo takes no subcommand",
        "simulate --port 99999": "99999 is not between 0 and 65535",
        "edit x": "nothing to change",
    }
    for told, hint in zip(babeltop.run_in_parallel(*hints), hints.values(), strict=True):
        assert (told.code, told.out) == (2, "")
        assert hint in told.err


IMPORTS = {
    "--help": {*HEAVY, "msgspec", "pathlib"},
    "list": HEAVY,
    "list --json": HEAVY,
    "log": HEAVY,
    "export": HEAVY,
    "remove nothing": HEAVY - {"filelock", "tomli_w"},
}
"""What must not be imported, by command line."""


def test_what_needs_no_network_imports_none(babeltop: Program) -> None:
    babeltop.with_accounts("heygen").with_jobs("heygen:a")
    code = (
        "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); import tui.__main__ as m;"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", f"{code} sys.argv[1:] = {args.split()!r}; sys.exit(m.main())"],
            env=babeltop.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for args in IMPORTS
    ]
    for process, (args, unwanted) in zip(running, IMPORTS.items(), strict=True):
        with process:
            loaded = set(process.communicate()[1].split())
        assert "tui.cli.parser" in loaded
        assert not loaded & unwanted, args


def test_without_a_terminal_the_dashboard_names_the_way_out(babeltop: Program) -> None:
    for told in babeltop.run_in_parallel("", "--demo"):
        assert (told.code, told.out) == (2, "")
        assert "babeltop list" in told.err
