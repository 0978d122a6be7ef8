"""Secrets of single jobs: `[job.secrets]` of the watchlist.

They are read when a request needs them: no job, state or journal has them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from tui.domain.models import Ref
from tui.errors import StorageError
from tui.providers.table_decoder import decode_struct
from tui.storage.config import secrets
from tui.storage.config.secrets import Secret, SecretError, SecretSource
from tui.storage.watchlist.file import WatchlistFile

MAX_SECRET = 4096
"""Characters."""


class JobSecrets:
    """Secrets of the jobs of one watchlist, read again when the file changes. Any thread may use it."""

    def __init__(self, watchlist: WatchlistFile, environ: Mapping[str, str], *, is_team: bool = False) -> None:
        """`is_team`: a message is read at other machines too."""
        self._watchlist = watchlist
        self._is_team = is_team
        self._environ = environ
        self._stamp: object = ()
        self._tables: dict[Ref, dict[str, Any]] = {}

    def get(self, ref: Ref, names: Sequence[str]) -> dict[str, Secret] | SecretError:
        """Return these secrets of a job, or why one is missing. A command blocks for at most 10 s."""
        try:
            self._read_if_changed()
            table = self._tables.get(ref, {})
            return {name: self._fetch(table, name) for name in names}
        except SecretError as error:
            return error
        except StorageError as error:
            return SecretError(str(error))

    def _read_if_changed(self) -> None:
        stamp = self._watchlist.stamp()
        if stamp == self._stamp:
            return
        from tui.storage.watchlist.parser import ref_of  # a first frame needs no parser

        tables: dict[Ref, dict[str, Any]] = {}
        for table in self._watchlist.tables():
            found = table.get("secrets")
            tables.setdefault(ref_of(table), cast("dict[str, Any]", found) if isinstance(found, dict) else {})
        self._tables, self._stamp = tables, stamp  # the tables first: another thread uses them once the stamp is equal

    def _fetch(self, table: Mapping[str, Any], name: str) -> Secret:
        if name not in table:
            raise SecretError(f"the job has no {name}{self._remedy()}, in [job.secrets]")
        found = parse_secret(name, table[name])
        return found if isinstance(found, Secret) else secrets.fetch(found, self._environ).secret

    def _remedy(self) -> str:
        if not self._is_team:
            return ": write it below the job in the watchlist"
        from socket import gethostname  # 3 ms

        return f" at {gethostname()}: write it there, below the job in {self._watchlist.path}"


def parse_secret(name: str, value: object) -> Secret | SecretSource:
    """Return a secret, or where it comes from, of its value in a file. Raises SecretError, without the value."""
    if isinstance(value, str):
        if not value.isprintable() or not 0 < len(value) <= MAX_SECRET:
            raise SecretError(f"secrets.{name}: expected visible characters, at most {MAX_SECRET}")
        return Secret(value)
    if not isinstance(value, dict):
        raise SecretError(f"secrets.{name}: expected text, or one of env, file, command, keyring")
    problems: list[str] = []
    source = decode_struct(SecretSource, cast("dict[str, object]", value), f"secrets.{name}", problems)
    if source is None:
        raise SecretError(problems[0])
    problem = next(source.problems(), "")
    if problem:
        raise SecretError(f"secrets.{name}{problem}")
    return source
