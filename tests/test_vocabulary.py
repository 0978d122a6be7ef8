"""One word for one thing: no retired word in identifiers, docstrings, comments and texts.

Each entry names what replaces the word. A word with a legitimate sense has a pattern that spares that sense.
"""

import ast
import html
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.syntax import nodes
from tui.cli.parser import build_parser
from tui.commands import COMMANDS

ROOT = Path(__file__).parent.parent
CLASSES = dict(
    line.split(maxsplit=1)
    for line in """
Act JobGroup
Alarm TimedAlert
Alerts AlertMonitor
Anchoring WidthAnchors
Answer PollResponse
Arrangement RowIndex
Aside RunBlocking
Asked RequestRecord
Asking PollExecutor
Beat Heartbeat
Beginning InitialState
Begun DownloadCheckpoint
Bounds RequestLimits
Bucket TokenBucket
Budget RateLimit
BulkAsk BulkRequest
Check UserPoll
Claims DownloadLocks
Clockwork ManualClock
Covered OpaqueContainer
Demand PollDemand
Desk Router
Died LinkFoundDead
Downloads DownloadQueue or DownloadTable
Due RefreshDue
Ear EngineSubscriber or RecordingListener
EngineLoop DnsThreadedLoop
Entries JournalWriter
ErrorPlaces ErrorPointers
Face RenderOptions
Faulted PollFailed
Fed UpdatesAvailable
Feed EngineHandle
Fetching FileTransfer
Fit LogNormalFit
Gate AccessControl
Greeting OnboardingInfo
HeadBound HeaderSizeLimit
Heading ProviderSummary or CachedHead
Hooks HookDispatcher
Inflater StreamDecompressor
InsteadRule OverrideRule
JobDeeds functions of dashboard/actions
JobFiles JobDownloader
Judged RowInfo
Keeping JournalFallback
Kind NoticeKind
Lane HookQueue
Leading LeaderElection
Learning DurationLearner
Leave SendSlot
Ledger JobStore
Library Workspace or ProviderRegistry
Line PollQueue
Links LinkRenewer
Listed JobListed
Listening EventDrivenInput
Listing WatchlistCache
LiveAccount AccountRuntime
Lived ObservedDuration
Looking functions of dashboard/actions
Looks UiPreferences
Memory PastPolls
Moving functions of dashboard/actions
Null NullToken
Occasion AlertEvent
Order FileRequest
Orders CommandHandler
Outcome a result
Outlook EvaluationContext
Pace AccountThrottle
Painted PaintedRow
Part PartialFile
Past HistoryPlayer
Patience Timeout
Piece Artifact
Place QueueEntry
Places WorkspacePaths
Planned PollScheduled
Plans Scheduler
Play JobRun
Plot ResolvedScenario
Poster WebhookSender
Probe ProbeResult
Pruning JournalPruner
Purse SharedRateLimit
Reading WatchlistContent
Recalled RestoredBoard
Renewed RenewalResult
Reply HttpResponse
Reported StatusReceived
ResultAsk ResultRequest
Resulted ResultReceived
Role ConsoleRole
Saved DownloadedFile
Saving functions of dashboard/actions
Session Engine
Shape JsonObject
Shelf LinkStore
Sighting ReportedLink
Stage DownloadStage
StatusAsk StatusRequest
Story Scenario
Succession ApiMigration
Telling RequestContext
Tempo PollingPolicy
Told SentNotifications or DeliveryResult
Trust TlsContextFactory
Turn MigrationStep
Unasked PollSkipped
Verb Subcommand
Verdict CandidateStatus
Watching WatchlistWatcher
Way FetchContext
Wire SimulatorTransport
Wish DownloadOptions
Wrong InvalidRecord
Yielding SafeSuspend
""".strip().splitlines()
)
"""Classes that were renamed, with their names today."""
IDENTIFIERS = {
    **dict.fromkeys(("ask", "asks", "asked", "asking", "unasked"), "poll, request or prompt"),
    **dict.fromkeys(("told", "said", "says", "tell", "tells"), "sent, reported, printed, or a noun"),
    **dict.fromkeys(("ear", "heard", "hears"), "subscriber, received"),
    **dict.fromkeys(("deed", "deeds", "doer", "doers", "wish", "wishes", "wished"), "command, handler, option"),
    **dict.fromkeys(("purse", "heir", "courier", "couriers", "tempo", "anew"), "the glossary's term"),
    **dict.fromkeys(("whose", "whom", "who", "somebody", "nobody"), "a noun"),
    "unwhole": "incomplete",
    **dict.fromkeys(("verb", "verbs"), "subcommand"),
    "outlook": "context",
    "ledger": "job_store",
    "occasion": "event",
    "person": "user_requested",
    "judged": "context",
    "died": "expired",
    "dies": "expires",
    "dying": "expiring",
    "pieces": "artifacts",
}
"""Words within identifiers."""
TEXTS = {
    r"ask(s|ed|ing)?(?! (for confirmation|whether|every ancestor|Ruth\b))": "poll, check, request",
    r"(dies|die|died|dying)": "expires, expired",
    r"(told|said)": "sent, reported, printed",
    r"puts? (it |them |the job |jobs )?away": "archive",
    r"(whom|whoever|somebody|nobody)": "a noun",
    r"whose (it is|they are|turn|is|id)": "a noun, such as the account of the id",
    r"who": "a noun, such as the operator or the caller",
    r"anew": "again, new",
    r"by hand": "user-requested, on request",
    r"(heir|purse|deeds?|doers?|courier|tempo|curtain|unwhole)": "the glossary's term",
    r"wish(es|ed)?": "command, option",
    r"verbs?": "subcommand",
    r"(hears?|heard)": "receive, record",
    r"(stands? in the way)": "problem",
    r"(unknown|status|own|service's) word": "status",
    r"ends? (well|badly)": "succeed, fail",
    r"an? (person|human)": "the operator",
    r"babeltop's own": "internal",
    r"the log has more": "see",
    r"takes? an extra": "requires an extra",
}
"""Words of docstrings, comments and texts: regular expressions, matched as whole words."""
DEAD = {r"dead": "expired"}
"""In addition, in texts that an operator reads; in code, a dead link is one that its server refuses."""


def words(identifier: str) -> list[str]:
    return re.findall(r"[a-z]+|[A-Z][a-z]*", identifier.replace("_", " "))


@cache
def pattern(retired: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w/.\"'`-])(?:{'|'.join(f'(?:{each})' for each in retired)})(?![\w-])", re.IGNORECASE)


def replacement(word: str, retired: dict[str, str]) -> str:
    return next(new for old, new in retired.items() if re.fullmatch(old, word, re.IGNORECASE))


def in_text(text: str, retired: dict[str, str]) -> Iterator[tuple[int, str]]:
    """Line numbers, from 0, and what is wrong there."""
    for number, line in enumerate(text.splitlines()):
        for match in pattern(tuple(retired)).finditer(line):
            yield number, f"{match[0]!r}: use {replacement(match[0], retired)}"


def in_identifiers(node: ast.AST) -> Iterator[tuple[int, str]]:
    names: list[str] = []
    match node:
        case ast.ClassDef():
            names = [node.name]
            if node.name.lstrip("_") in CLASSES:
                yield node.lineno, f"class {node.name}: use {CLASSES[node.name.lstrip('_')]}"
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            names = [node.name]
        case ast.arg():
            names = [node.arg]
        case ast.Name(ctx=ast.Store()):
            names = [node.id]
        case ast.Attribute(ctx=ast.Store()):
            names = [node.attr]
        case _:
            pass
    for name in names:
        for word in words(name):
            if word.lower() in IDENTIFIERS:
                yield node.lineno, f"{word!r} in {name}: use {IDENTIFIERS[word.lower()]}"


def in_module(source: str) -> Iterator[tuple[int, str]]:
    for node in nodes(ast.parse(source)):
        yield from in_identifiers(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((node.lineno + line, problem) for line, problem in in_text(node.value, TEXTS))
    behind_hashes = "\n".join(line.partition("#")[2] for line in source.splitlines())
    if any(in_text(behind_hashes, TEXTS)):  # which line is a comment takes as long as all else
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield from ((token.start[0], problem) for _, problem in in_text(token.string, TEXTS))


MODULES: dict[str, list[Path]] = {}
"""Modules by folder, without this one."""
for _path in sorted([*(ROOT / "tui").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]):
    if _path != Path(__file__):
        MODULES.setdefault(str(_path.relative_to(ROOT).parent), []).append(_path)


@pytest.mark.parametrize("folder", MODULES)
def test_the_code_has_no_retired_word(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {problem}"
        for path in MODULES[folder]
        for line, problem in in_module(path.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


DOCUMENTS = sorted(
    [
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "tests/README.md", "pyproject.toml")),
        *(ROOT / "tui").rglob("*.toml"),
        *(ROOT / "tui").rglob("*.json"),
        *(ROOT / "styles").rglob("*.tcss"),
        *(ROOT / "tui" / "man").glob("*babeltop*"),
    ]
)


def test_the_documents_have_no_retired_word() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line + 1}: {problem}"
        for path in DOCUMENTS
        for line, problem in in_text(path.read_text("utf-8"), TEXTS | DEAD)
    ]
    assert not found, "\n".join(found)


PICTURES = sorted([*(ROOT / "screenshots").glob("*.svg"), *(ROOT / "tests").rglob("__snapshots__/**/*.*")])


def test_the_screens_have_no_retired_word() -> None:
    assert PICTURES
    found: list[str] = []
    for path in PICTURES:
        lines = re.findall(r"<text[^>]*>(.*?)</text>", path.read_text("utf-8"), re.DOTALL)
        text = html.unescape("\n".join(lines)).replace("\xa0", " ")
        found += [f"{path.relative_to(ROOT)}: {problem}" for _, problem in in_text(text, TEXTS | DEAD)]
    assert not found, "\n".join(found)


def test_the_help_has_no_retired_word() -> None:
    subcommands = next(action for action in build_parser()._actions if action.dest == "subcommand").choices
    texts = {name: parser.format_help() for name, parser in subcommands.items()}
    texts |= {"babeltop": build_parser().format_help(), "keys": "\n".join(each.help for each in COMMANDS)}
    found = [f"{name}: {problem}" for name, text in texts.items() for _, problem in in_text(text, TEXTS | DEAD)]
    assert not found, "\n".join(found)


def test_a_retired_word_is_found_with_its_replacement_and_line() -> None:
    module = 'def ask(heir):\n    """Ask the service."""\n    x = "it said no"  # nobody knows\n\n\nclass Purse: ...\n'
    problems = list(in_module(module))
    assert {line for line, _ in problems} == {1, 2, 3, 6}
    assert (3, "'said': use sent, reported, printed") in problems
    assert (3, "'nobody': use a noun") in problems
    assert "class Purse: use SharedRateLimit" in {problem for _, problem in problems}
    assert [problem for _, problem in in_text("It said no", TEXTS)] == ["'said': use sent, reported, printed"]
