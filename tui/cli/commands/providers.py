"""Subcommands providers, providers check, providers example, and simulate."""

import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tui.cli import text_table
from tui.cli.context import open_workspace
from tui.cli.output import OK, USAGE, UsageError, json_array, print_message, write_stdout
from tui.domain.links import expiry
from tui.domain.models import Fault, FaultKind, Report
from tui.presentation import json_output, sanitize
from tui.presentation.descriptions import one_time_text
from tui.providers import loader, proposal, response_parser
from tui.providers.json_body import NotJsonError, decode
from tui.providers.loader import BUILT_IN
from tui.providers.model import PARTIAL, Endpoint, Provider, UnknownKind
from tui.providers.reports.links import LinkSource
from tui.providers.response import HttpResponse
from tui.providers.table_decoder import suggest
from tui.providers.unmapped_fields import find_unmapped
from tui.storage.config.settings import with_line
from tui.storage.workspace import Workspace

EXAMPLES = Path(loader.__file__).parent / "examples"
"""Provider files of services that are not built in."""
SCENARIOS: Mapping[str, str] = {
    "fine": "succeeds",
    "fail": "fails",
    "partial": "fails in one of its languages, if it has several",
    "pay": "is blocked: payment required",
    "timeout": "times out, or fails where the service has no such status",
    "missing": "is not found",
    "gone": "is not found (410)",
    "slow": "takes ten times longer",
    "stuck": "never ends",
    "nolink": "is done before it has a link",
    "odd": "gets malformed responses",
    "limit": "gets 429 sometimes",
    "flaky": "gets 5xx and broken connections",
    "delay": "gets each response after three seconds",
    "hint": "gets Retry-After and rate-limit headers in every form",
    "damaged": "gets damaged text beside its status",
    "cached": "gets responses that were cached for two hours",
    "floats": "gets whole numbers as floats, such as 7.0",
    "short": "has a link that expires after a minute",
    "notready": "has a link that answers 404 for 12 seconds",
    "accepted": "has a link that answers 202 for 12 seconds",
    "expired400": "has a link that answers 400 ExpiredToken until it is renewed",
    "expired403": "has a link that answers 403 until it is renewed",
    "expired200": "has a link that answers 200 with an error until it is renewed",
    "loginpage": "has a link that leads to a login page until it is renewed",
    "norange": "has a file whose store refuses ranges",
    "members": "has a file that its store compresses in two parts",
}
"""Scenarios of simulated jobs, by the keyword between hyphens in their ids."""


def providers(args: Namespace) -> int:
    """Run `providers`: list the provider files and their accounts. An invalid file stops no other."""
    found: list[dict[str, Any]] = []
    invalid_count = 0
    with open_workspace(args) as workspace:
        for name in workspace.providers:
            try:
                found.append(_provider_json(workspace, workspace.providers[name]))
            except loader.ProviderError as error:
                invalid_count += 1
                print_message(str(error))
    write_stdout(
        json_array(found)
        if args.json
        else text_table.render([_HEADERS, *map(_provider_row, found)], shrinkable=(1, 4, 5))
    )
    return USAGE if invalid_count else OK


_HEADERS = ("NAME", "SERVICE", "KEY", "ACCOUNTS", "KINDS", "FILE")


def _provider_json(workspace: Workspace, provider: Provider) -> dict[str, Any]:
    """Return a provider as JSON."""
    return {
        "name": provider.name,
        "title": provider.title,
        "docs": provider.docs,
        "base_url": provider.base_url,
        "key_variable": provider.key.env,
        "accounts": [name for name in _account_names(workspace) if workspace.config.provider_of(name) == provider.name],
        "kinds": provider.kinds,
        "grounds": provider.grounds or "documented",
        "file": None if provider.source == BUILT_IN else provider.source,
        "overrides": provider.source != BUILT_IN and provider.name in loader.builtin_files(),
    }


def _provider_row(provider: Mapping[str, Any]) -> tuple[str, ...]:
    source = provider["file"] or BUILT_IN
    if provider["overrides"]:
        source += ", replaces the built-in file"
    if provider["grounds"] == PARTIAL:
        source += ", partly inferred"
    cells = (provider[key] for key in ("name", "title", "key_variable"))
    return (*cells, " ".join(provider["accounts"]), " ".join(provider["kinds"]), source)


def _account_names(workspace: Workspace) -> list[str]:
    """Return the names of the accounts, even if one of their provider files is invalid."""
    try:
        return list(workspace.accounts)
    except loader.ProviderError:
        return list(workspace.settings.accounts)


def check_file(args: Namespace) -> int:
    """Run `providers check`. Returns 2 if the file is invalid, or a successful sample has no report."""
    provider = loader.load(Path(args.file), with_line=with_line)
    kinds = f", kinds {', '.join(provider.kinds)}" if provider.kinds else ""
    print_message(f"{args.file} is valid: {provider.title}{kinds}")
    if not args.sample:
        return OK
    body = _read_sample(args.sample)
    try:
        response = HttpResponse(int(args.status), {}, body, time.time())
        values = _sample_values(provider, args.kind)
        found = response_parser.parse_status(provider, args.kind, response, LinkSource(provider.base_url, values))
    except UnknownKind as error:
        raise UsageError(str(error)) from None
    rows = [
        *_outcome_rows(found),
        *_rule_rows(provider.endpoint(args.kind), response),
        *_unmapped_rows(provider, args.kind, body),
    ]
    write_stdout("".join(f"{name:<14}{sanitize.clean(value) or '·'}\n" for name, value in rows))
    return USAGE if isinstance(found, Fault) and found.kind is FaultKind.MALFORMED else OK


def propose_file(args: Namespace) -> int:
    """Run `providers new`: print a proposed file, and what it reads in the sample. Returns 2 if it reads no status."""
    body = _read_sample(args.sample)
    try:
        text = proposal.propose(args.name, decode(body), args.url)
    except NotJsonError as error:
        raise UsageError(f"{args.sample}: {error}") from None
    write_stdout(text)
    try:
        provider = loader.parse(text, f"{args.name}.toml")
    except loader.ProviderError as error:
        print_message(f"the proposed file is not complete: {'; '.join(error.problems)}")
        return USAGE
    found = response_parser.parse_status(provider, "", HttpResponse(200, {}, body, time.time()))
    for name, value in _outcome_rows(found):
        print_message(f"{name}: {sanitize.clean(value) or '·'}")
    return USAGE if isinstance(found, Fault) else OK


def _read_sample(name: str) -> bytes:
    """Return the bytes of the sample response. Raises UsageError."""
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None


def print_example(args: Namespace) -> int:
    """Run `providers example`: print an example or a built-in file, or without a name the names."""
    files = loader.builtin_files() | {path.stem: path for path in EXAMPLES.glob("*.toml")}
    if args.name is None:
        write_stdout("".join(f"{name}\n" for name in sorted(files)))
        return OK
    if args.name not in files:
        raise UsageError(f"unknown example {args.name!r}{suggest(args.name, files)}")
    write_stdout(files[args.name].read_text("utf-8"))
    return OK


def _sample_values(provider: Provider, kind: str) -> dict[str, str]:
    """Return placeholders' values for links with a path: each name stands for itself. Raises UnknownKind."""
    job_id = provider.endpoint(kind).job_id
    names = (*provider.variables, *(job_id.parts if job_id is not None else ("id",)))
    return {str(name): str(name).upper() for name in names}


def _rule_rows(endpoint: Endpoint, response: HttpResponse) -> Iterator[tuple[str, str]]:
    """Yield what each rule of the file reads in the response."""
    try:
        body = decode(response.body)
    except NotJsonError:
        body = None
    for index, rule in enumerate(endpoint.overrides):
        yield f"override {index}", rule.explain(response.status, body, response.headers)


def _unmapped_rows(provider: Provider, kind: str, body: bytes) -> Iterator[tuple[str, str]]:
    """Yield the fields of the response that the file does not map."""
    try:
        unmapped = find_unmapped(provider, provider.endpoint(kind), decode(body))
    except NotJsonError:
        return
    yield "unmapped", "  ".join(unmapped)


def _outcome_rows(found: Report | Fault) -> Iterator[tuple[str, str]]:
    """Return the values of a report or a fault; empty ones are printed as a middle dot."""
    return _fault_rows(found) if isinstance(found, Fault) else _report_rows(found)


def _fault_rows(fault: Fault) -> Iterator[tuple[str, str]]:
    yield "fault", fault.kind
    yield "message", fault.message
    yield "request id", fault.request_id or ""


def _report_rows(report: Report) -> Iterator[tuple[str, str]]:
    """Yield the values of the report."""
    yield "phase", report.phase or "unknown status: the job counts as running"
    yield "status", report.raw_status
    for name, value in (("title", report.title), ("language", report.language), ("message", report.message)):
        yield name, value or ""
    stage = " (a stage)" if report.progress_is_stage else ""
    yield "progress", "" if report.progress is None else f"{report.progress:g}{stage}"
    yield "result id", report.result_id or ""
    for part in report.parts:
        about = ": ".join(filter(None, (part.raw_status, part.message)))
        yield "part", f"{part.language or part.id or '?'}  {part.phase or 'unknown status'}  {about}"
    if report.part_counts is not None:
        done, failed, total = report.part_counts
        yield "parts", f"{done} of {total} done, {failed} failed"
    for link in expiry.merge_links((), report.links, time.time()):
        shown = json_output.link(link)
        expiry_text = (
            f"until {shown['expires_at']}{'' if link.expiry_is_exact else ', estimated'}"
            if link.expires_at
            else "expiry unknown"
        )
        notes = [expiry_text, *["needs the key"] * link.needs_key, *[one_time_text(link)] * link.one_time]
        notes += [link.language] if link.language else []
        yield f"{link.kind} link", f"{link.url}  ({', '.join(notes)})"
    if not report.links:
        yield "links", ""
    if not report.is_complete:
        yield "incomplete", "no required link or result id"


def simulate(args: Namespace) -> int:
    """Run `simulate`: print a config.toml for the simulator, and serve until SIGINT or SIGTERM."""
    from tui.simulator.app import Simulator
    from tui.simulator.server import serve

    def started(port: int) -> None:
        write_stdout(_simulator_config(f"http://127.0.0.1:{port}"))

    try:
        serve(Simulator(speed=args.speed, seed=args.seed), port=int(args.port), on_started=started)
    except ImportError:
        from tui.storage.extras import install_command

        raise UsageError(f"simulate requires an extra: {install_command('simulate')}") from None
    except OSError as error:
        raise UsageError(f"port {args.port:g}: {error.strerror}") from None
    return OK


def _simulator_config(url: str) -> str:
    """Return a config.toml with an account at `url` for every built-in service."""
    from tui.simulator.services import NAMES

    scenarios = "".join(f"#   {keyword:<10} {effect}\n" for keyword, effect in SCENARIOS.items())
    accounts = "".join(
        f'\n[accounts.{name}]\nbase_url = "{url}"\napi_key = {{ command = ["echo", "simulated-{name}"] }}\n'
        for name in NAMES  # a key each: accounts with one key share its rate limit in a team
    )
    return (
        f"# The simulator listens on {url} until ^C. This is its config.toml.\n"
        "# Any id is a job. A keyword between hyphens selects its scenario, as in demo-fail-1:\n"
        f"{scenarios}# Any key is valid except 'wrong' (401) and 'forbidden' (403).\n{accounts}"
    )
