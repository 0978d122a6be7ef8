"""The verb add: ids and links from arguments and stdin become jobs of the accounts that they fit.

What is clear is added, even where the rest is not.
"""

import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tui.cli.editing import said, tell
from tui.cli.opening import opened
from tui.cli.output import OK, USAGE, UsageError, say
from tui.cli.parser import Namespace
from tui.domain.intake import Candidate, Verdict, sort_out
from tui.domain.jobs import Job
from tui.providers.provider import UnknownKind
from tui.stores.library import Account, Library
from tui.stores.watchlist import Add

SHOWN = 80
"""Characters of a refused id that are repeated."""

Hints = Mapping[str, Sequence[re.Pattern[str]]]


def add(args: Namespace) -> int:
    """`add`: 2 where anything was left out, which is named."""
    with opened(args) as library:
        accounts = _accounts(library, args.account)
        hints = {name: _shapes(account, accounts) for name, account in accounts.items()}
        found = [_sorted(line, hints, args.account or "") for line in _lines(args.ids)]
        clear = [each for each in _cleared(found, hints, ask=_may_ask(args.ids)) if _fits(each, accounts, args.kind)]
        if clear:
            _, outcome = library.change(Add(tuple(_job(each, args) for each in clear)))
            tell("added", outcome.added)
            tell("there already", outcome.already)
        if not found:
            raise UsageError("there was no id to add")
        return OK if len(clear) == len(found) else USAGE


def _accounts(library: Library, wanted: str | None) -> Mapping[str, Account]:
    """Every account. Raises UsageError where there is none, or not the one that was named."""
    if wanted is not None and wanted not in library.accounts:
        raise UsageError(library.unconfigured(wanted))
    if not library.accounts:
        variables = ", ".join(variable for _, variable, _ in library.key_variables())
        raise UsageError(
            f"there is no account yet: set the key of one in {variables},\n"
            f"  or write [accounts.NAME] in {library.places.config / 'config.toml'}"
        )
    return library.accounts


def _shapes(account: Account, accounts: Mapping[str, Account]) -> list[re.Pattern[str]]:
    """The shapes of an account's ids; none for a successor beside its predecessor, which has the same."""
    successors = {each.provider.successor for each in accounts.values()}
    return [] if account.provider.name in successors else [re.compile(shape) for shape in account.provider.ids]


def _lines(given: Iterable[str]) -> Iterator[str]:
    """The ids as given; in the place of `-` the lines of stdin. Blank ones are passed over."""
    for text in given:
        lines = sys.stdin.read().removeprefix("\ufeff").split("\n") if text == "-" else (text,)
        yield from (line for line in lines if line.strip() or text != "-")


def _sorted(line: str, hints: Hints, account: str) -> Candidate:
    """A line's candidate. `account:id` names the account, unless another one was said for all."""
    name, colon, rest = line.strip().partition(":")
    if colon and name in hints and account in {"", name}:
        line, account = rest, name
    return next(iter(sort_out([line], hints, (), account)), Candidate("", Verdict.REFUSED, reason="there is no id"))


def _cleared(found: Iterable[Candidate], hints: Hints, *, ask: bool) -> Iterator[Candidate]:
    """The candidates whose account is known, or told by the operator; the others are named."""
    for each in found:
        if each.verdict is Verdict.NEW:
            yield each
        elif each.verdict is Verdict.UNCLEAR and ask and (account := _asked(each, list(hints))):
            yield Candidate(each.id, Verdict.NEW, account)
        else:
            unclear = f"say whose it is with --account: {', '.join(hints)}"
            say(f"not added: {_shown(each.id)}: {unclear if each.verdict is Verdict.UNCLEAR else each.reason}")


def _fits(each: Candidate, accounts: Mapping[str, Account], kind: str | None) -> bool:
    """Whether the account's provider has the kind that was said; if not, it is named."""
    try:
        accounts[each.account].provider.endpoint(kind or "")
    except UnknownKind as error:
        say(f"not added: {each.account}:{each.id}: {error}")
        return False
    return True


def _job(each: Candidate, args: Namespace) -> Job:
    given = {key: getattr(args, key) for key in ("label", "tags", "note") if getattr(args, key) is not None}
    texts = {key: said(value) for key, value in given.items()}
    return Job(account=each.account, id=each.id, kind=args.kind or "", added=float(int(time.time())), **texts)  # pyright: ignore[reportArgumentType] - `said` keeps the kind of each


def _may_ask(given: Sequence[str]) -> bool:
    return "-" not in given and sys.stdin.isatty() and sys.stderr.isatty()


def _asked(each: Candidate, names: Sequence[str]) -> str | None:
    """The account that the operator picks for an id; None: none."""
    print(f"Which account is {each.id} in?", file=sys.stderr)
    for number, name in enumerate(names, 1):
        print(f"  {number}  {name}", file=sys.stderr)
    print("number or name, nothing leaves it out: ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip()
    if answer.isdigit() and 1 <= int(answer) <= len(names):
        return names[int(answer) - 1]
    return answer if answer in names else None


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
