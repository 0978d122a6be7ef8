"""Secrets of the jobs that `add` adds: from --secret, from records on stdin, or from a prompt without echo.

No secret is an argument, since other users can read those: an argument names where it comes from.
"""

import shlex
import sys
from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence

from tui.cli.output import UsageError, print_message
from tui.domain.models import Ref
from tui.domain.operator_input import nearest
from tui.presentation.formatting import count_of
from tui.storage.config.configuration import Account
from tui.storage.config.job_secrets import parse_secret
from tui.storage.config.secrets import Secret, SecretError, SecretSource

JobSecret = Secret | SecretSource
SOURCES = ("env", "file", "command", "keyring")


def parse_option(text: str) -> tuple[str, SecretSource]:
    """Return name and source of `NAME=env:VARIABLE`. Its ArgumentTypeError has no value, which may be a secret."""
    name, _, rest = text.partition("=")
    source, colon, value = rest.partition(":")
    if not name or not colon or source not in SOURCES:
        raise ArgumentTypeError(
            f"expected NAME=SOURCE:VALUE with a SOURCE of {', '.join(SOURCES)}, such as key=env:KEY"
        )
    try:
        found = parse_secret(name, {source: shlex.split(value) if source == "command" else value})
    except (SecretError, ValueError) as error:
        raise ArgumentTypeError(str(error).removeprefix("secrets.")) from None
    assert isinstance(found, SecretSource), "a table is a source"
    return name, found


def check_names(options: Mapping[str, object], accounts: Mapping[str, Account]) -> None:
    """Raise UsageError for a secret that no provider of the accounts has."""
    known = sorted({name for account in accounts.values() for name in account.provider.secrets})
    for name in options:
        if name not in known:
            hint = nearest(name, known)
            raise UsageError(f"no service has a secret {name!r}{f'; did you mean {hint!r}?' if hint else ''}")


def missing_secrets(
    refs: Sequence[Ref], accounts: Mapping[str, Account], given: Mapping[Ref, Mapping[str, JobSecret]]
) -> dict[Ref, tuple[str, ...]]:
    """Return the names of the secrets that jobs need and do not have, by job."""
    missing = {
        ref: tuple(name for name in accounts[ref.account].provider.secrets if name not in given.get(ref, {}))
        for ref in refs
    }
    return {ref: names for ref, names in missing.items() if names}


def prompt(missing: Mapping[Ref, Sequence[str]]) -> dict[Ref, dict[str, JobSecret]]:
    """Return what the operator types, without echo, for the missing secrets; an empty line leaves one out."""
    from getpass import getpass  # 2 ms

    found: dict[Ref, dict[str, JobSecret]] = {}
    for ref, names in missing.items():
        for name in names:
            while text := getpass(f"{name} of {ref} (Enter leaves it out): ", sys.stderr).strip():
                try:
                    found.setdefault(ref, {})[name] = parse_secret(name, text)
                    break
                except SecretError as error:
                    print_message(str(error).removeprefix("secrets."))
    return found


def print_missing(missing: Mapping[Ref, Sequence[str]], watchlist: object) -> None:
    """Print which secrets are missing, and where they go."""
    by_account: dict[tuple[str, Sequence[str]], list[Ref]] = {}
    for ref, names in missing.items():
        by_account.setdefault((ref.account, names), []).append(ref)
    for (account, names), refs in by_account.items():
        print_message(
            f"{account}: {_describe(refs)} without {', '.join(names)}: write [job.secrets] below the job in "
            f"{watchlist}, or add with --secret {names[0]}=env:VARIABLE"
        )


def print_remote(refs: Sequence[Ref], accounts: Mapping[str, Account]) -> None:
    """Print where the secrets of jobs go whose account has no key here: to the machine of its worker."""
    by_account: dict[str, list[Ref]] = {}
    for ref in refs:
        by_account.setdefault(ref.account, []).append(ref)
    for account, group in by_account.items():
        names = accounts[account].provider.secrets
        print_message(
            f"{account}: {_describe(group)} needs {', '.join(names)} where the worker of {account} runs. Add it there "
            f"too, with --secret {names[0]}=env:VARIABLE: the database has no secret"
        )


def _describe(refs: Sequence[Ref]) -> str:
    return refs[0].id if len(refs) == 1 else count_of(len(refs), "job")
