"""Subcommands: purpose, arguments and entry point of each."""

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Mapping

from tui.domain import operator_input

SCHEMAS = (
    "discover",
    "list",
    "check",
    "renew",
    "wait",
    "watch",
    "download",
    "fleet",
    "log",
    "export",
    "providers",
    "doctor",
    "hook",
)
"""Definitions of json_schema.json that are an output of their own; `hook`: what a hook receives."""


class Subcommand:
    """Subcommand of the parser. A plain class: each kind that generates code costs a twentieth of `--help`'s time."""

    def __init__(
        self,
        group: str,
        entry_point: str,
        summary: str,
        add_arguments: Callable[[ArgumentParser], object],
        example: str,
    ) -> None:
        self.group = group
        """Heading in the help."""
        self.entry_point = entry_point
        """`module:function` in tui.cli.commands."""
        self.summary = summary
        """One line for help, README and man page."""
        self.add_arguments = add_arguments
        """Adds its arguments to a parser."""
        self.example = example
        """One command line for its help."""


def add_workspace_options(parser: ArgumentParser, *, is_root: bool = False) -> None:
    """Add --readonly and --watchlist. A subcommand's have no default, so that it keeps those before the subcommand."""
    parser.add_argument(
        "--readonly",
        action="store_true",
        default=False if is_root else SUPPRESS,
        help="poll, but no watchlist writes, downloads, hooks, opening of links",
    )
    parser.add_argument(
        "--watchlist",
        metavar="FILE",
        default=None if is_root else SUPPRESS,
        help="watchlist file (default: watchlist.toml, config folder)",
    )


def parse_duration(text: str) -> float:
    """Return the seconds of 90s, 30m, 24h or 7d. Raises ArgumentTypeError."""
    seconds = operator_input.parse_duration(text)
    if seconds is None:
        raise ArgumentTypeError(f"invalid duration {text!r}, use {operator_input.DURATION_EXAMPLES}")
    return seconds


def _number_between(kind: type[int] | type[float], minimum: float, maximum: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise ArgumentTypeError(f"invalid number {text!r}") from None
        if not minimum <= value <= maximum:
            raise ArgumentTypeError(f"{text} is not between {minimum:g} and {maximum:g}")
        return value

    return parse


def _add_refs(parser: ArgumentParser, *, required: bool = False) -> None:
    help_text = "account:id, or an id that only one account has" + ("" if required else " (default: all jobs)")
    parser.add_argument("refs", metavar="REF", nargs="+" if required else "*", help=help_text)
    parser.set_defaults(filter=None)
    add_workspace_options(parser)


def _add_filter(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--filter",
        metavar="EXPR",
        help="only jobs that match, as with / in the dashboard: 'tag:launch phase:fail'; --filter=-EXPR excludes",
    )


def _add_team_option(parser: ArgumentParser) -> None:
    parser.add_argument("--team", action="store_true", help="the jobs of all watchlists of the team, with their owners")


def _add_refs_or_filter(parser: ArgumentParser) -> None:
    """Add the arguments of a subcommand that changes jobs: some must be named."""
    parser.add_argument("refs", metavar="REF", nargs="*", help="account:id, or an id that only one account has")
    _add_filter(parser)
    parser.add_argument("--yes", action="store_true", help="change what a filter matches without a prompt")
    add_workspace_options(parser)


def _add_json_option(parser: ArgumentParser, help_text: str = "print one JSON array") -> None:
    parser.add_argument("--json", action="store_true", help=help_text)


def _add_job_options(parser: ArgumentParser) -> None:
    """Add the options that set a field of a job."""
    parser.add_argument("--label", metavar="TEXT", help="name to show instead of the service's title")
    parser.add_argument("--note", metavar="TEXT", help="free text")
    parser.add_argument("--kind", metavar="KIND", help="kind of job, see `babeltop providers`")


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "ids",
        metavar="ID",
        nargs="+",
        help="id, account:id or link; -: read stdin, one per line, or CSV or JSON as written by `export`",
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be added, and add nothing")
    parser.add_argument("--account", metavar="NAME", help="account they belong to (default: guessed from the id)")
    parser.add_argument("--tag", metavar="TAG", action="append", dest="tags", help="tag; may be repeated")
    parser.add_argument(
        "--secret",
        metavar="NAME=SOURCE:VALUE",
        type=_parse_secret,
        action="append",
        dest="secrets",
        default=[],
        help="source of a secret of the jobs: env:VARIABLE, file:PATH, command:PROGRAM or keyring:SERVICE/NAME; "
        "without it a terminal prompts",
    )
    _add_job_options(parser)
    add_workspace_options(parser)


def _parse_secret(text: str) -> object:
    from tui.cli.job_secrets import parse_option  # only `add` needs it

    return parse_option(text)


def _discover_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("accounts", metavar="ACCOUNT", nargs="*", help="account to list (default: all)")
    parser.add_argument(
        "--since",
        metavar="DURATION",
        type=parse_duration,
        default=7 * 86400.0,
        help="only jobs created since then (default: 7d), where the service states it",
    )
    _add_filter(parser)
    parser.add_argument("--add", action="store_true", help="add them to the watchlist, with the tag 'discovered'")
    _add_json_option(parser)
    add_workspace_options(parser)


def _edit_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser, required=True)
    _add_job_options(parser)
    parser.add_argument("--tag", metavar="TAG", action="append", dest="add_tags", help="add a tag; may be repeated")
    parser.add_argument(
        "--untag", metavar="TAG", action="append", dest="remove_tags", help="remove a tag; may be repeated"
    )
    tags = parser.add_mutually_exclusive_group()
    tags.add_argument("--tags", metavar="A,B", type=lambda text: text.split(","), help="replace all tags by these")
    tags.add_argument("--no-tags", action="store_const", const=(), dest="tags", help="remove all tags")
    for option, key, help_text in (
        ("keep-link", "keep_link", "renew the link before it expires"),
        ("download", "download", "download the result as soon as the job is done"),
        ("mute", "muted", "mute alerts"),
    ):
        group = parser.add_mutually_exclusive_group()
        group.add_argument(f"--{option}", dest=key, action="store_const", const=True, help=help_text)
        group.add_argument(f"--no-{option}", dest=key, action="store_const", const=False, help=f"disable --{option}")


def _archive_arguments(parser: ArgumentParser) -> None:
    _add_refs_or_filter(parser)
    parser.add_argument("--undo", action="store_true", help="unarchive")


def _remove_arguments(parser: ArgumentParser) -> None:
    _add_refs_or_filter(parser)


def _list_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser)
    _add_filter(parser)
    parser.add_argument(
        "--phase",
        metavar="PHASE",
        action="append",
        help="filter: new, queued, running, done, failed, timed_out, blocked or missing; may be repeated",
    )
    parser.add_argument("--tag", metavar="TAG", action="append", dest="tags", help="filter by tag; may be repeated")
    _add_team_option(parser)
    _add_json_option(parser)


def _check_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser)
    _add_filter(parser)
    _add_team_option(parser)
    _add_json_option(parser)


def _renew_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser, required=True)
    _add_team_option(parser)
    _add_json_option(parser)


def _wait_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser)
    _add_filter(parser)
    parser.add_argument("--any", action="store_true", help="until one job has ended (default: all)")
    parser.add_argument(
        "--timeout", metavar="TIME", type=parse_duration, help="90s, 30m, 1h or 2d; then exit with code 124"
    )
    _add_team_option(parser)
    _add_json_option(parser, "print one JSON array at the end")


def _parse_address(text: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT, [ADDRESS]:PORT or PORT."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise ArgumentTypeError(f"{text!r} is no address: use HOST:PORT, such as 127.0.0.1:9101")
    return host.strip("[]") or "127.0.0.1", int(port)


def _watch_arguments(parser: ArgumentParser) -> None:
    add_workspace_options(parser)
    parser.add_argument(
        "--metrics",
        metavar="HOST:PORT",
        type=_parse_address,
        help="serve metrics for Prometheus at http://HOST:PORT/metrics; beyond loopback with a token",
    )
    parser.add_argument(
        "--metrics-token-file",
        metavar="FILE",
        help="file with the token, of mode 0600 (default: the variable BABELTOP_METRICS_TOKEN)",
    )
    _add_json_option(parser, "print one JSON object per change")


def _download_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser)
    _add_filter(parser)
    parser.add_argument("--dir", metavar="DIR", help="target folder (default: [downloads] dir in config.toml)")
    parser.add_argument("--private", action="store_true", help="files for you alone (0600; default: by the umask)")
    _add_json_option(parser)


def _log_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser)
    parser.add_argument(
        "--since", metavar="TIME", type=parse_duration, help="only changes of the last 90s, 30m, 1h or 7d"
    )
    _add_team_option(parser)
    _add_json_option(parser)


def _fleet_arguments(parser: ArgumentParser) -> None:
    _add_team_option(parser)
    _add_json_option(parser)
    add_workspace_options(parser)


def _report_arguments(parser: ArgumentParser) -> None:
    _add_team_option(parser)
    parser.add_argument("--html", metavar="FILE", help="file to write, replaced if it exists (default: stdout)")
    parser.add_argument("--links", action="store_true", help="with the jobs' links, most of which work without a key")
    add_workspace_options(parser)


def _export_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--format", choices=("csv", "json"), default="csv", help="csv (default) or json")
    add_workspace_options(parser)


def _providers_arguments(parser: ArgumentParser) -> None:
    _add_json_option(parser)
    actions = parser.add_subparsers(
        dest="action",
        metavar="ACTION",
        prog="babeltop providers",
        help="check: validate a provider file; example: print one; new: propose one",
    )
    check = actions.add_parser(
        "check",
        help="validate a provider file",
        description="validate a provider file, and show what it reads from a sample response",
        epilog="example:\n  babeltop providers check mine.toml --sample response.json --status 200",
    )
    check.add_argument("file", metavar="FILE", help="provider file; its name is the provider's name")
    check.add_argument("--sample", metavar="RESPONSE.json", help="body of a response")
    check.add_argument("--kind", default="", metavar="KIND", help="kind of job of the sample")
    check.add_argument(
        "--status",
        default=200,
        metavar="N",
        type=_number_between(int, 100, 599),
        help="HTTP status of the sample (default: 200)",
    )
    check.set_defaults(entry_point="providers:check_file")
    example = actions.add_parser(
        "example",
        help="print an example provider file",
        description="print an example provider file; without a name, list the examples",
        epilog="example:\n  babeltop providers example NAME > ~/.config/babeltop/providers/NAME.toml",
    )
    example.add_argument("name", metavar="NAME", nargs="?", help="example to print")
    example.set_defaults(entry_point="providers:print_example")
    new = actions.add_parser(
        "new",
        help="propose a provider file from a sample response",
        description="propose a provider file from a sample response; its comments name what to check",
        epilog="example:\n  babeltop providers new acme --from response.json > ~/.config/babeltop/providers/acme.toml",
    )
    new.add_argument("name", metavar="NAME", help="the provider's name")
    new.add_argument("--from", dest="sample", required=True, metavar="RESPONSE.json", help="body of a status response")
    new.add_argument("--url", default="", metavar="URL", help="URL of the request, for base_url and path")
    new.set_defaults(entry_point="providers:propose_file")


def _team_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(
        dest="action",
        metavar="ACTION",
        required=True,
        prog="babeltop team",
        help="init, migrate, status, forget, export or units",
    )
    for name, text, example in (
        ("init", "create schema and roles in the team's database, as its owner", "babeltop team init"),
        (
            "migrate",
            "bring the team's database to the layout of this babeltop, as its owner, while workers run",
            "babeltop team migrate",
        ),
        ("status", "show server, layout, role, clock, worker and published watchlists", "babeltop team status"),
        ("forget", "withdraw a published watchlist", "babeltop team forget alice@laptop"),
        (
            "export",
            "write the jobs that you have published as a watchlist",
            "babeltop team export --output watchlist.toml",
        ),
        ("units", "print a systemd unit and a Containerfile for a worker", "babeltop team units"),
    ):
        action = actions.add_parser(name, help=text, description=text, epilog=f"example:\n  {example}")
        if name == "forget":
            action.add_argument("name", metavar="NAME", help="name of the watchlist, as `team status` shows it")
        if name == "export":
            action.add_argument("--all", action="store_true", help="the jobs of all watchlists of the team")
            action.add_argument("--output", metavar="FILE", help="new file (default: stdout); none is overwritten")
        add_workspace_options(action)


def _hook_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, prog="babeltop hook", help="test: send a test event"
    )
    test = actions.add_parser(
        "test",
        help="send a test event",
        description="send an event that is marked as a test, signed and repeated like a real one",
        epilog="example:\n  babeltop hook test 1 --event failed",
    )
    test.add_argument(
        "number",
        metavar="N",
        nargs="?",
        type=_number_between(int, 1, 1000),
        help="number of the [[hook]] in config.toml, from 1 (default: each)",
    )
    test.add_argument("--event", metavar="EVENT", help="event as in `on`, or `summary` (default: the first of `on`)")
    add_workspace_options(test)


def _doctor_arguments(parser: ArgumentParser) -> None:
    add_workspace_options(parser)
    _add_json_option(parser)


def _schema_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", nargs="?", choices=SCHEMAS, help=f"{', '.join(SCHEMAS)} (default: all definitions)"
    )


def _completions_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="bash, zsh or fish")


def _serve_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="address (default: 127.0.0.1); any other is on the network"
    )
    parser.add_argument(
        "--port", default=8000, metavar="P", type=_number_between(int, 1, 65535), help="port (default: 8000)"
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="file with the access token (default: BABELTOP_SERVE_TOKEN, else a random one)",
    )
    add_workspace_options(parser)


def _simulate_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        default=9001,
        metavar="P",
        type=_number_between(int, 0, 65535),
        help="port (default: 9001); 0: a free one",
    )
    parser.add_argument(
        "--speed",
        default=1.0,
        metavar="N",
        type=_number_between(float, 0.001, 1e6),
        help="speed of its clock (default: 1)",
    )
    parser.add_argument("--seed", default=0, metavar="S", type=int, help="random seed (default: 0)")


_WATCHLIST, _POLLING, _HISTORY, _SETUP = "watchlist", "polling and results", "history", "setup"

SUBCOMMANDS: Mapping[str, Subcommand] = {
    "add": Subcommand(
        _WATCHLIST,
        "add:add",
        "add jobs by id or link",
        _add_arguments,
        "pbpaste | babeltop add --tag launch -",
    ),
    "discover": Subcommand(
        _WATCHLIST,
        "discover:discover_jobs",
        "list the services' jobs that are not on the watchlist",
        _discover_arguments,
        "babeltop discover --since 2d --add",
    ),
    "edit": Subcommand(
        _WATCHLIST,
        "edit:edit",
        "change label, tags, note and options of jobs",
        _edit_arguments,
        "babeltop edit doc_1 --tag q3 --keep-link",
    ),
    "archive": Subcommand(
        _WATCHLIST,
        "edit:archive",
        "archive jobs: no polls, not counted",
        _archive_arguments,
        "babeltop archive doc_1",
    ),
    "remove": Subcommand(
        _WATCHLIST,
        "edit:remove",
        "remove jobs from the watchlist",
        _remove_arguments,
        "babeltop remove doc_1 doc_2",
    ),
    "list": Subcommand(
        _WATCHLIST,
        "show:list_jobs",
        "show the last known state, without polling",
        _list_arguments,
        "babeltop list --phase failed --json",
    ),
    "check": Subcommand(
        _POLLING,
        "poll:check",
        "poll each job once and show its state",
        _check_arguments,
        "babeltop check doc_1; echo $?",
    ),
    "renew": Subcommand(
        _POLLING,
        "poll:renew",
        "request new links and print them",
        _renew_arguments,
        "babeltop renew doc_1 > links",
    ),
    "wait": Subcommand(
        _POLLING,
        "poll:wait",
        "wait until all jobs, or any, have ended",
        _wait_arguments,
        "babeltop wait doc_1 doc_2 --any --timeout 1h",
    ),
    "watch": Subcommand(
        _POLLING,
        "watch:watch",
        "poll without a dashboard: one line per change",
        _watch_arguments,
        "babeltop watch --json >> changes",
    ),
    "download": Subcommand(
        _POLLING,
        "download:download",
        "download results and captions; resumes, never overwrites",
        _download_arguments,
        "babeltop download doc_abc123 --dir ~/results",
    ),
    "serve": Subcommand(
        _POLLING,
        "serve:serve",
        "serve the dashboard to a browser",
        _serve_arguments,
        "babeltop serve --port 8000",
    ),
    "fleet": Subcommand(
        _HISTORY,
        "fleet:fleet",
        "show each account today: jobs, durations, limits",
        _fleet_arguments,
        "babeltop fleet --json",
    ),
    "report": Subcommand(
        _HISTORY,
        "report:report",
        "write fleet, expiring links and jobs as one HTML page",
        _report_arguments,
        "babeltop report --html today.html",
    ),
    "log": Subcommand(
        _HISTORY,
        "show:log",
        "show phase changes",
        _log_arguments,
        "babeltop log --since 7d",
    ),
    "export": Subcommand(
        _HISTORY,
        "show:export",
        "print all jobs as CSV or JSON, for `add -` or a spreadsheet",
        _export_arguments,
        "babeltop export --format csv > jobs.csv",
    ),
    "doctor": Subcommand(
        _SETUP,
        "doctor.command:doctor",
        "diagnose problems and name remedies",
        _doctor_arguments,
        "babeltop doctor",
    ),
    "hook": Subcommand(
        _SETUP,
        "hook:send_test",
        "`hook test`: send a test event to the hooks in config.toml",
        _hook_arguments,
        "babeltop hook test 1 --event failed",
    ),
    "team": Subcommand(
        _SETUP,
        "team:team",
        "create, migrate or show the database that a team shares",
        _team_arguments,
        "babeltop team status",
    ),
    "providers": Subcommand(
        _SETUP,
        "providers:providers",
        "list the known services; `providers check FILE`: validate",
        _providers_arguments,
        "babeltop providers",
    ),
    "schema": Subcommand(
        _SETUP,
        "schema:schema",
        "print the JSON Schema of an output",
        _schema_arguments,
        "babeltop schema check > check.schema.json",
    ),
    "completions": Subcommand(
        _SETUP,
        "completions:completions",
        "print the completions of a shell",
        _completions_arguments,
        "babeltop completions bash > ~/.local/share/bash-completion/completions/babeltop",
    ),
    "simulate": Subcommand(
        _SETUP,
        "providers:simulate",
        "serve simulated services for tests",
        _simulate_arguments,
        "babeltop simulate --port 9001 --speed 60",
    ),
}
"""In the order of the help."""
