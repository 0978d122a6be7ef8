"""The verbs about services: providers, providers check, and simulate, which serves made-up ones."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tui.cli import text_table
from tui.cli.context import open_workspace
from tui.cli.output import OK, USAGE, UsageError, json_array, print_message, write_stdout
from tui.cli.parser import Namespace
from tui.domain.links import expiry
from tui.domain.models import Fault, FaultKind, Report
from tui.presentation import json_output, sanitize
from tui.providers import loader, response_parser
from tui.providers.json_body import NotJsonError, decode
from tui.providers.model import BUILT_IN, Provider, UnknownKind
from tui.providers.response import HttpResponse
from tui.providers.table_decoder import suggest
from tui.providers.unmapped_fields import find_unmapped
from tui.storage.workspace import Workspace

EXAMPLES = Path(loader.__file__).parent / "examples"
"""Provider files to copy."""
SCENARIOS: Mapping[str, str] = {
    "fine": "ends well",
    "fail": "fails",
    "pay": "is blocked: somebody must pay",
    "timeout": "times out",
    "missing": "is not found",
    "slow": "takes ten times as long",
    "stuck": "never ends",
    "nolink": "is done before its link is there",
    "odd": "gets strange replies",
    "limit": "gets 429 now and then",
    "flaky": "gets 5xx and broken connections",
    "delay": "is answered three seconds late",
    "short": "has a link that lives a minute",
}
"""What a word between hyphens in an id makes of a simulated job."""


def providers(args: Namespace) -> int:
    """`providers`: what each file says, and who uses it. A wrong file is named, and stops no other."""
    found: list[dict[str, Any]] = []
    wrong = 0
    with open_workspace(args) as library:
        for name in library.providers:
            try:
                found.append(_provider_json(library, library.providers[name]))
            except loader.ProviderError as error:
                wrong += 1
                print_message(str(error))
    write_stdout(
        json_array(found) if args.json else text_table.render([_HEADERS, *map(_provider_row, found)], shrinkable=(4, 5))
    )
    return USAGE if wrong else OK


_HEADERS = ("NAME", "SERVICE", "KEY", "ACCOUNTS", "KINDS", "FILE")


def _provider_json(library: Workspace, provider: Provider) -> dict[str, Any]:
    """A provider as JSON."""
    return {
        "name": provider.name,
        "title": provider.title,
        "docs": provider.docs,
        "base_url": provider.base_url,
        "key_variable": provider.key.env,
        "accounts": [name for name in _account_names(library) if library.provider_of(name) == provider.name],
        "kinds": provider.kinds,
        "file": None if provider.source == BUILT_IN else provider.source,
        "overrides": provider.source != BUILT_IN and provider.name in loader.builtin_files(),
    }


def _provider_row(provider: Mapping[str, Any]) -> tuple[str, ...]:
    source = provider["file"] or BUILT_IN
    if provider["overrides"]:
        source += ", instead of the built-in one"
    cells = (provider[key] for key in ("name", "title", "key_variable"))
    return (*cells, " ".join(provider["accounts"]), " ".join(provider["kinds"]), source)


def _account_names(library: Workspace) -> list[str]:
    """The accounts' names, even where one of their provider files is wrong."""
    try:
        return list(library.accounts)
    except loader.ProviderError:
        return list(library.settings.accounts)


def check_file(args: Namespace) -> int:
    """`providers check`: 2 where the file is wrong, or where nothing can be read in a sample that is a success."""
    provider = loader.load(Path(args.file))
    kinds = f", kinds {', '.join(provider.kinds)}" if provider.kinds else ""
    print_message(f"{args.file} is right: {provider.title}{kinds}")
    if not args.sample:
        return OK
    try:
        body = Path(args.sample).read_bytes()
        found = response_parser.parse_status(provider, args.kind, HttpResponse(int(args.status), {}, body, time.time()))
    except OSError as error:
        raise UsageError(f"{args.sample}: {error.strerror}") from None
    except UnknownKind as error:
        raise UsageError(str(error)) from None
    told = [
        *(_fault_rows(found) if isinstance(found, Fault) else _report_rows(found)),
        *_unmapped_rows(provider, args.kind, body),
    ]
    write_stdout("".join(f"{name:<12}{sanitize.clean(value) or '·'}\n" for name, value in told))
    return USAGE if isinstance(found, Fault) and found.kind is FaultKind.MALFORMED else OK


def print_example(args: Namespace) -> int:
    """`providers example`: prints the file of a service that is not built in; without a name, which there are."""
    files = {path.stem: path for path in sorted(EXAMPLES.glob("*.toml"))}
    if args.name is None:
        write_stdout("".join(f"{name}\n" for name in files))
        return OK
    if args.name not in files:
        raise UsageError(f"there is no example {args.name!r}{suggest(args.name, files)}")
    write_stdout(files[args.name].read_text("utf-8"))
    return OK


def _unmapped_rows(provider: Provider, kind: str, body: bytes) -> Iterator[tuple[str, str]]:
    """What of the reply is passed over: perhaps something that the file should name."""
    try:
        passed = find_unmapped(provider, provider.endpoint(kind), decode(body))
    except NotJsonError:
        return
    yield "not read", "  ".join(passed)


def _fault_rows(fault: Fault) -> Iterator[tuple[str, str]]:
    yield "fault", fault.kind
    yield "message", fault.message
    yield "request id", fault.request_id or ""


def _report_rows(report: Report) -> Iterator[tuple[str, str]]:
    """What was read; a middle dot stands for what was not found."""
    yield "phase", report.phase or "not known: such a job counts as running"
    yield "word", report.raw_status
    for name, value in (("title", report.title), ("language", report.language), ("message", report.message)):
        yield name, value or ""
    stage = " (a stage)" if report.progress_is_stage else ""
    yield "progress", "" if report.progress is None else f"{report.progress:g}{stage}"
    yield "run", report.result_id or ""
    for link in expiry.merge_links((), report.links, time.time()):
        shown = json_output.link(link)
        until = (
            f"until {shown['expires_at']}{'' if link.expiry_is_exact else ', estimated'}"
            if link.expires_at
            else "no end known"
        )
        yield f"{link.kind} link", f"{link.url}  ({until})"
    if not report.links:
        yield "links", ""
    if not report.is_complete:
        yield "still lacks", "its promised link, or the run of its result"


def simulate(args: Namespace) -> int:
    """`simulate`: serves until SIGINT or SIGTERM. What it prints is a config.toml."""
    from tui.simulator.app import Simulator
    from tui.simulator.server import serve

    def started(port: int) -> None:
        write_stdout(_simulator_config(f"http://127.0.0.1:{port}"))

    try:
        serve(Simulator(speed=args.speed, seed=args.seed), port=int(args.port), on_started=started)
    except ImportError:
        from tui.storage.extras import install_command

        raise UsageError(f"simulate takes an extra: {install_command('simulate')}") from None
    except OSError as error:
        raise UsageError(f"port {args.port:g}: {error.strerror}") from None
    return OK


def _simulator_config(url: str) -> str:
    """A config.toml that has every built-in service asked at `url`."""
    known = loader.provider_registry()
    successors = {provider.successor for provider in known.values()}
    words = "".join(f"#   {word:<8} {what}\n" for word, what in SCENARIOS.items())
    accounts = "".join(
        f'\n[accounts.{name}]\nbase_url = "{url}"\napi_key = {{ command = ["echo", "simulated"] }}\n'
        for name in known
        if name not in successors
    )
    return (
        f"# The simulator listens on {url} until ^C. This is a config.toml for it.\n"
        "# Any id is a job. A word between hyphens in the id says how it goes, as in demo-fail-1:\n"
        f"{words}# Any key is good but 'wrong' (401) and 'forbidden' (403).\n{accounts}"
    )
