"""The verbs: what each is for, which arguments it takes, and where the code is that does it."""

import re
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Mapping

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

SCHEMAS = ("list", "check", "renew", "wait", "watch", "download", "log", "export", "providers", "doctor", "hook")
"""Definitions of json_schema.json that are an output of their own; `hook`: what a hook receives."""


class Subcommand:
    """One verb. A plain class: every kind that writes itself costs a twentieth of `--help`'s time."""

    def __init__(
        self,
        group: str,
        entry_point: str,
        summary: str,
        add_arguments: Callable[[ArgumentParser], object],
        example: str,
    ) -> None:
        self.group = group
        """The heading that help lists it under."""
        self.entry_point = entry_point
        """`module:function` below tui.cli."""
        self.summary = summary
        self.add_arguments = add_arguments
        """Tells a parser what it takes."""
        self.example = example


def add_watchlist_option(parser: ArgumentParser, *, default: str | None = SUPPRESS) -> None:
    """Before and after a verb; suppressed after it, so that what stands before it is not forgotten."""
    parser.add_argument(
        "--watchlist", metavar="FILE", default=default, help="another watchlist than the config folder's"
    )


def parse_duration(text: str) -> float:
    """Seconds, of 90s, 30m, 1h or 2d. Raises ArgumentTypeError."""
    written = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if written is None:
        raise ArgumentTypeError(f"{text!r} is no duration such as 90s, 30m, 1h or 2d")
    return float(int(written[1]) * _UNIT_SECONDS[written[2]])


def _number_between(kind: type[int] | type[float], minimum: float, maximum: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is no number") from None
        if not minimum <= value <= maximum:
            raise ArgumentTypeError(f"{text} is not within {minimum:g} and {maximum:g}")
        return value

    return read


def _add_refs(parser: ArgumentParser, *, required: bool = False) -> None:
    nargs = "+" if required else "*"
    whom = "account:id, or an id that only one account has" + ("" if required else "; none: all")
    parser.add_argument("refs", metavar="REF", nargs=nargs, help=whom)
    add_watchlist_option(parser)


def _add_json_option(parser: ArgumentParser, help_text: str = "prints one JSON array") -> None:
    parser.add_argument("--json", action="store_true", help=help_text)


def _add_job_options(parser: ArgumentParser) -> None:
    """What an operator says of a job."""
    parser.add_argument("--label", metavar="TEXT", help="what to call it, instead of the service's title")
    parser.add_argument("--tag", metavar="TAG", action="append", dest="tags", help="a tag; can be given again")
    parser.add_argument("--note", metavar="TEXT", help="a note to yourself")
    parser.add_argument("--kind", metavar="KIND", help="one of its provider's kinds of job; see `babeltop providers`")


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "ids",
        metavar="ID",
        nargs="+",
        help="an id, account:id or a link; -: from stdin, one a line, or as CSV or JSON that `export` writes",
    )
    parser.add_argument("--account", metavar="NAME", help="whose they are; else it is guessed where one account fits")
    _add_job_options(parser)
    add_watchlist_option(parser)


def _edit_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser, required=True)
    _add_job_options(parser)
    parser.add_argument("--no-tags", action="store_const", const=(), dest="tags", help="takes all tags off")
    for option, key, what in (
        ("keep-link", "keep_link", "has its link renewed before it dies"),
        ("download", "download", "has its result fetched as soon as there is one"),
        ("mute", "muted", "has it ring no bell"),
    ):
        parser.add_argument(f"--{option}", dest=key, action="store_const", const=True, help=what)
        parser.add_argument(f"--no-{option}", dest=key, action="store_const", const=False, help="takes that back")


def _archive_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser, required=True)
    parser.add_argument("--undo", action="store_true", help="brings it back")


def _remove_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser, required=True)


def _list_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser)
    parser.add_argument(
        "--phase",
        metavar="PHASE",
        action="append",
        help="those in this phase: new, queued, running, done, failed, timed_out, blocked or missing",
    )
    parser.add_argument("--tag", metavar="TAG", action="append", dest="tags", help="those with this tag")
    _add_json_option(parser)


def _check_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser)
    _add_json_option(parser)


def _renew_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser, required=True)
    _add_json_option(parser)


def _wait_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser)
    parser.add_argument("--any", action="store_true", help="until one has ended, instead of all")
    parser.add_argument(
        "--timeout", metavar="TIME", type=parse_duration, help="90s, 30m, 1h or 2d; past it: exit code 124"
    )
    _add_json_option(parser, "prints one JSON array, at its end")


def _watch_arguments(parser: ArgumentParser) -> None:
    add_watchlist_option(parser)
    _add_json_option(parser, "a line of JSON for each change")


def _download_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser)
    parser.add_argument("--dir", metavar="DIR", help="a folder; else the one of [downloads] in config.toml")
    _add_json_option(parser)


def _log_arguments(parser: ArgumentParser) -> None:
    _add_refs(parser)
    parser.add_argument("--since", metavar="TIME", type=parse_duration, help="what was seen within 90s, 30m, 1h or 7d")
    _add_json_option(parser)


def _export_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--format", choices=("csv", "json"), default="csv", help="csv (the default) or json")
    add_watchlist_option(parser)


def _providers_arguments(parser: ArgumentParser) -> None:
    _add_json_option(parser)
    what = parser.add_subparsers(
        dest="action", metavar="WHAT", prog="babeltop providers", help="check validates a file; example prints one"
    )
    check = what.add_parser(
        "check",
        help="validates a provider file",
        description="validates a provider file, and shows what it reads in a reply",
        epilog="example:\n  babeltop providers check mine.toml --sample reply.json --status 200",
    )
    check.add_argument("file", metavar="FILE", help="the provider file; its name is the provider's")
    check.add_argument("--sample", metavar="REPLY.json", help="a reply's body")
    check.add_argument("--kind", default="", metavar="KIND", help="the kind of job that the reply is about")
    check.add_argument(
        "--status", default=200, metavar="N", type=_number_between(int, 100, 599), help="the reply's HTTP status (200)"
    )
    check.set_defaults(entry_point="providers:check_file")
    example = what.add_parser(
        "example",
        help="prints a provider file to begin with",
        description="prints a provider file to begin with; without a name, which there are",
        epilog="example:\n  babeltop providers example NAME > ~/.config/babeltop/providers/NAME.toml",
    )
    example.add_argument("name", metavar="NAME", nargs="?", help="an example's name")
    example.set_defaults(entry_point="providers:print_example")


def _doctor_arguments(parser: ArgumentParser) -> None:
    add_watchlist_option(parser)
    _add_json_option(parser)


def _schema_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", nargs="?", choices=SCHEMAS, help=f"{', '.join(SCHEMAS)}; without a name: all"
    )


def _completions_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="bash, zsh or fish")


def _serve_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="127.0.0.1; any other takes a token")
    parser.add_argument("--port", default=8000, metavar="P", type=_number_between(int, 1, 65535), help="8000")
    parser.add_argument(
        "--token-file", metavar="FILE", help="holds what a browser must know; else BABELTOP_SERVE_TOKEN does"
    )
    add_watchlist_option(parser)


def _simulate_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--port", default=9001, metavar="P", type=_number_between(int, 0, 65535), help="9001; 0: a free one"
    )
    parser.add_argument(
        "--speed",
        default=1.0,
        metavar="N",
        type=_number_between(float, 0.001, 1e6),
        help="runs its clock N times faster",
    )
    parser.add_argument("--seed", default=0, metavar="S", type=int, help="another one makes up other stories")


_WATCHLIST, _POLLING, _HISTORY, _PROVIDERS = "the watchlist", "asking the services", "looking back", "the services"

SUBCOMMANDS: Mapping[str, Subcommand] = {
    "add": Subcommand(
        _WATCHLIST,
        "add:add",
        "adds jobs by their ids or links",
        _add_arguments,
        "pbpaste | babeltop add --tag launch -",
    ),
    "edit": Subcommand(
        _WATCHLIST,
        "edit:edit",
        "changes label, tags, note and the like",
        _edit_arguments,
        "babeltop edit doc_1 --tag q3 --keep-link",
    ),
    "archive": Subcommand(
        _WATCHLIST,
        "edit:archive",
        "puts jobs away: not asked, not counted",
        _archive_arguments,
        "babeltop archive doc_1",
    ),
    "remove": Subcommand(
        _WATCHLIST, "edit:remove", "takes jobs off the watchlist", _remove_arguments, "babeltop remove doc_1 doc_2"
    ),
    "list": Subcommand(
        _WATCHLIST,
        "show:list_jobs",
        "the last known state, without asking",
        _list_arguments,
        "babeltop list --phase failed --json",
    ),
    "check": Subcommand(
        _POLLING, "poll:check", "asks each job once, now", _check_arguments, "babeltop check doc_1; echo $?"
    ),
    "renew": Subcommand(
        _POLLING,
        "poll:renew",
        "asks for fresh links, and prints them",
        _renew_arguments,
        "babeltop renew doc_1 > links",
    ),
    "wait": Subcommand(
        _POLLING,
        "poll:wait",
        "until all jobs (or any) have ended",
        _wait_arguments,
        "babeltop wait doc_1 doc_2 --any --timeout 1h",
    ),
    "serve": Subcommand(
        _POLLING, "serve:serve", "the dashboard in a browser", _serve_arguments, "babeltop serve --port 8000"
    ),
    "watch": Subcommand(
        _POLLING,
        "poll:watch",
        "the dashboard's engine alone: a line a change",
        _watch_arguments,
        "babeltop watch --json >> changes",
    ),
    "download": Subcommand(
        _POLLING,
        "download:download",
        "saves results and captions, resumed, never overwritten",
        _download_arguments,
        "babeltop download doc_abc123 --dir ~/results",
    ),
    "log": Subcommand(_HISTORY, "show:log", "the changes seen so far", _log_arguments, "babeltop log --since 7d"),
    "export": Subcommand(
        _HISTORY,
        "show:export",
        "the board as CSV or JSON, which `add -` reads",
        _export_arguments,
        "babeltop export --format csv > jobs.csv",
    ),
    "providers": Subcommand(
        _PROVIDERS,
        "providers:providers",
        "the known services; `providers check FILE` tries a file",
        _providers_arguments,
        "babeltop providers",
    ),
    "doctor": Subcommand(
        _PROVIDERS,
        "doctor.command:doctor",
        "looks for what stands in the way, and says what to do",
        _doctor_arguments,
        "babeltop doctor",
    ),
    "schema": Subcommand(
        _PROVIDERS,
        "schema:schema",
        "print the JSON Schema of an output",
        _schema_arguments,
        "babeltop schema check > check.schema.json",
    ),
    "completions": Subcommand(
        _PROVIDERS,
        "completions:completions",
        "prints what completes these verbs in your shell",
        _completions_arguments,
        "babeltop completions bash > ~/.local/share/bash-completion/completions/babeltop",
    ),
    "simulate": Subcommand(
        _PROVIDERS,
        "providers:simulate",
        "serves made-up services, to try things on",
        _simulate_arguments,
        "babeltop simulate --port 9001 --speed 60",
    ),
}
"""In the order in which help lists them."""
