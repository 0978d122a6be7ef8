import subprocess
import sys

from tests.cli.conftest import Program
from tui.cli.arguments import SUBCOMMANDS
from tui.cli.main import DEFAULT_ARGS
from tui.cli.parser import build_parser
from tui.domain.models import Phase
from tui.providers import loader

HEAVY = {"textual", "rich", "httpx", "asyncio", "filelock", "tomli_w", "email", "socket", "hashlib"}


def test_help_shows_groups_examples_files_and_exit_codes(babeltop: Program) -> None:
    completed = babeltop("--help")
    assert (completed.code, completed.err) == (0, "")
    for group in ("watchlist:", "polling and results:", "history:", "setup:", "examples:", "files:"):
        assert group in completed.out
    assert all(f"  {name} " in completed.out for name in SUBCOMMANDS)
    assert all(f"  {code}  " in completed.out for code in (130, 2, 124, 3, 1, 0, 70))
    assert "BABELTOP_CONFIG_DIR" in completed.out
    assert "BABELTOP_STATE_DIR" in completed.out
    assert max(map(len, completed.out.splitlines())) <= 80


def test_help_names_the_subcommand_that_lists_the_key_variables(babeltop: Program) -> None:
    assert "`babeltop providers` names the variable of each" in babeltop("--help").out
    variables = {provider.key.env for provider in loader.provider_registry().values()}
    shown = babeltop("providers").out
    assert {variable for variable in variables if f" {variable} " in shown} == variables


def test_the_example_of_every_subcommand_is_valid() -> None:
    parser = build_parser()
    for subcommand in SUBCOMMANDS.values():
        words = subcommand.example.partition("babeltop ")[2].partition(";")[0].partition(">")[0].split()
        assert parser.parse_args(words).entry_point == subcommand.entry_point


def test_the_default_arguments_are_those_of_the_parser() -> None:
    assert vars(build_parser([]).parse_args([])) == DEFAULT_ARGS


def test_list_names_every_phase_in_its_help(babeltop: Program) -> None:
    shown = babeltop("list", "--help").out
    assert all(phase in shown for phase in Phase)
    assert "example:\n  babeltop list" in shown


def test_the_program_is_named_babeltop(babeltop: Program) -> None:
    assert babeltop("--version").out == "babeltop 0.1.0\n"
    assert babeltop("--help").out.startswith("usage: babeltop ")


def test_a_usage_error_is_exit_2_with_a_hint(babeltop: Program) -> None:
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
    for completed, hint in zip(babeltop.run_each(*hints), hints.values(), strict=True):
        assert (completed.code, completed.out) == (2, "")
        assert hint in completed.err


IMPORTS = {
    "--help": {*HEAVY, "msgspec", "pathlib"},
    "list": HEAVY,
    "list --json": HEAVY,
    "log": HEAVY,
    "export": HEAVY,
    "remove nothing": HEAVY - {"filelock", "tomli_w"},
}
"""Modules that must not be imported, by command line."""


def test_offline_subcommands_import_no_network_modules(babeltop: Program) -> None:
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


AFTER_FIRST_FRAME = {
    "tomllib",
    "httpx",
    "tui.dashboard.actions",
    "tui.dashboard.widgets.filter_input",
    "tui.dashboard.terminal.desktop_notification",
    "tui.engine.engine",
    "tui.engine.http.dns_loop",
    "tui.presentation.filters.grammar",
    "tui.providers.json_pointer",
    "tui.storage.journal.checkpoints",
    "tui.storage.journal.heartbeats",
    "tui.storage.journal.rate_limits",
    "tui.storage.watchlist.parser",
    "tui.storage.watchlist.toml_blocks",
}
"""Modules that the dashboard imports when they are first used."""


def test_importing_the_dashboard_imports_only_what_a_first_frame_needs() -> None:
    code = "import sys, tui.cli.commands.dashboard, tui.dashboard.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "tui.dashboard.screen" in done.stdout.split()
    assert set(done.stdout.split()) & AFTER_FIRST_FRAME == set()


def test_without_a_terminal_the_dashboard_names_alternatives(babeltop: Program) -> None:
    for completed in babeltop.run_each("", "--demo"):
        assert (completed.code, completed.out) == (2, "")
        assert "babeltop list" in completed.err
