"""Secrets (API keys, hook secrets): their sources, how they are fetched, and a wrapper with a masked text.

Nothing is sent or kept here. Every failure is a SecretError, which names the source only.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_IRGRP, S_IROTH, S_ISREG
from typing import IO, NamedTuple, NoReturn, Self

from msgspec import Struct

from tui.errors import BabeltopError
from tui.presentation.sanitize import clean
from tui.providers.fields import Duration

COMMAND_TIMEOUT = 10.0
"""Seconds that a key command may take: longer means a prompt, which gets no input because stdin is closed."""
MIN_LIFETIME = 120.0
"""Seconds: the shortest lifetime of a key, since its command runs at most once a minute."""
_MAX_BYTES = 65_536
"""Bytes that are read of a file or an output: far more than a key, and the capacity of a pipe."""
_MIN_LENGTH_WITH_TAIL = 12
"""Characters of the shortest key whose last four may be shown."""


class SecretError(BabeltopError):
    """Missing or unusable key; the message has the reason and the remedy."""


class Secret:
    """Secret value with a masked repr, str and format. It cannot be pickled or copied."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Return the key itself, for the request header."""
        return self.__value

    def mask(self, data: bytes) -> bytes:
        """Return the bytes with every spelling of the secret masked."""
        from tui.presentation import masking  # only where responses are read: `list` starts without

        return masking.mask(data, self.__value)

    def mask_text(self, text: str) -> str:
        """Return the text with every spelling of the secret masked."""
        from tui.presentation import masking

        return masking.mask_text(text, self.__value)

    @property
    def tail(self) -> str:
        """Last four characters, by which the operator recognizes a key; empty for a short key."""
        return self.__value[-4:] if len(self.__value) >= _MIN_LENGTH_WITH_TAIL else ""

    def __repr__(self) -> str:
        return "Secret(****)"

    def __str__(self) -> str:
        return "****"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.__value == other.__value

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")


def mask_all(data: bytes, secrets: Iterable[Secret]) -> bytes:
    """Return the bytes with every spelling of each secret masked."""
    for secret in secrets:
        data = secret.mask(data)
    return data


class EnvironmentVariable(str):
    """Name of an environment variable (POSIX.1-2017 §8.1; lower case too)."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the name. Raises ValueError, without the value in its message: it may be the key itself."""
        if not isinstance(value, str) or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError("expected the name of an environment variable, such as 'ACME_API_KEY'")
        return cls(value)


class SecretSource(Struct, frozen=True, kw_only=True):
    """Source of a secret: exactly one field is set."""

    env: EnvironmentVariable | None = None
    """Name of an environment variable."""
    file: str | None = None
    """Path of a file that holds only the key; absolute, or beginning with `~`. Read again when it changes."""
    command: tuple[str, ...] | None = None
    """Program and its arguments, run without a shell and with stdin closed, that prints the key within 10 s."""
    keyring: str | None = None
    """Entry of the desktop's keyring, as `service/name`. Requires the extra `keyring`."""

    def __str__(self) -> str:
        """Return the source's name, without a command's arguments."""
        if self.env is not None:
            return f"environment variable {self.env}"
        if self.file is not None:
            return f"key file {clean(self.file, 200)}"
        if self.command:
            return f"key command {clean(self.command[0], 200)}"
        return f"keyring entry {clean(self.keyring or '', 200)}"

    def problems(self) -> Iterator[str]:
        """Yield the problems of the fields, each as a key and a text, without values."""
        if len([each for each in (self.env, self.file, self.command, self.keyring) if each is not None]) != 1:
            yield ": expected exactly one of env, file, command and keyring"
        if self.file is not None and not self.file.startswith(("/", "~")):
            yield ".file: expected a path that begins with '/' or '~'"
        if self.command is not None and not (self.command and self.command[0]):
            yield ".command: expected a program and its arguments, such as ['pass', 'show', 'acme']"
        if self.keyring is not None and not all(self.keyring.rpartition("/")):
            yield ".keyring: expected 'service/name'"


class ApiKeySource(SecretSource, frozen=True, kw_only=True):
    """Source of an API key, which may be a token of limited lifetime."""

    lifetime: Duration | None = None
    """Seconds for which a key of `command` is valid; in the file a duration. The command runs again before they end,
    and in any case after a 401."""

    def problems(self) -> Iterator[str]:
        """Yield the problems of the fields, each as a key and a text, without values."""
        yield from super().problems()
        if self.lifetime is not None and self.command is None:
            yield ".lifetime: only a key from a command can be fetched again"
        if self.lifetime is not None and self.lifetime < MIN_LIFETIME:
            yield f".lifetime: expected at least '{MIN_LIFETIME / 60:.0f}m'"


class FetchedSecret(NamedTuple):
    """Secret, and a warning about its source."""

    secret: Secret
    warning: str | None = None


class KeyFileStamp(NamedTuple):
    """Version of a key file: a different stamp may mean a different key."""

    inode: int
    size: int
    mtime_ns: int


def fetch(
    source: SecretSource,
    environ: Mapping[str, str],
    timeout: float = COMMAND_TIMEOUT,
    *,
    command_environ: Mapping[str, str] | None = None,
) -> FetchedSecret:
    """Fetch the secret. Blocks for at most `timeout` seconds if the source is a command. Raises SecretError.

    `environ` may hold the secret; a command gets `command_environ`, by default the environment of this process.
    """
    if source.env is not None:
        if source.env not in environ:
            raise SecretError(f"{source} is not set: set it and restart")
        return FetchedSecret(_validate(environ[source.env], source, "set it and restart"))
    if source.file is not None:
        return _from_file(source, source.file)
    if source.command is not None:
        return FetchedSecret(
            _validate(_from_command(source, source.command, timeout, command_environ), source, "its output has no key")
        )
    return FetchedSecret(_validate(_from_keyring(source, source.keyring or ""), source, "store the key in it"))


def key_file_stamp(source: SecretSource) -> KeyFileStamp | None:
    """Return the stamp of the source's file, or None if the source is another or the file does not exist."""
    with suppress(OSError, ValueError, RuntimeError):
        if source.file is not None:
            found = Path(source.file).expanduser().stat()
            return KeyFileStamp(found.st_ino, found.st_size, found.st_mtime_ns)
    return None


def _validate(raw: str, source: SecretSource, remedy: str) -> Secret:
    """Return the key, stripped of white space, if it is valid in a header (RFC 9110 §5.5). Raises SecretError."""
    key = raw.strip(" \t\r\n")
    if not key:
        raise SecretError(f"{source} is empty: {remedy}")
    if "\n" in key or "\r" in key:
        raise SecretError(f"{source} has more than one line: it must contain only the key")
    if not key.isprintable() or max(key) > "\xff":
        raise SecretError(f"{source} has a character that is invalid in an HTTP header")
    return Secret(key)


def _from_file(source: SecretSource, name: str) -> FetchedSecret:
    try:
        path = Path(name).expanduser()
        if not S_ISREG(path.stat().st_mode):  # a pipe without a writer would block the program
            raise SecretError(f"{source} is not a regular file")
        with path.open("rb") as file:
            mode, raw = os.fstat(file.fileno()).st_mode, file.read(_MAX_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:
        raise SecretError(f"{source} cannot be read: {_error_text(error)}") from None
    if len(raw) > _MAX_BYTES:
        raise SecretError(f"{source} is too large to be a key")
    warning = f"{source} is readable by other users of this machine: chmod 600" if mode & (S_IRGRP | S_IROTH) else None
    return FetchedSecret(_validate(raw.decode("utf-8-sig", "replace"), source, "write the key into it"), warning)


def _from_command(
    source: SecretSource, command: tuple[str, ...], timeout: float, environ: Mapping[str, str] | None
) -> str:
    try:
        code, printed, stderr = _run(command, timeout, environ)
    except (OSError, ValueError) as error:
        raise SecretError(f"{source} cannot be run: {_error_text(error)}") from None
    if code is None:
        raise SecretError(f"{source} timed out after {timeout:g} s: run it in a terminal to see its prompt")
    key = printed.decode("utf-8", "replace")
    if code != 0:
        end = f"failed with exit code {code}" if code > 0 else f"was killed by signal {-code}"
        raise SecretError(f"{source} {end}{_first_line(stderr.decode('utf-8', 'replace'), key.strip())}")
    return key


def _first_line(stderr: str, key: str) -> str:
    """Return the first line of a command's stderr, with the key masked."""
    lines = Secret(key).mask_text(stderr).split("\n")
    first = next(filter(None, (clean(line, 200) for line in lines)), "")
    return f": {first}" if first else ""


def _run(
    command: tuple[str, ...], timeout: float, environ: Mapping[str, str] | None
) -> tuple[int | None, bytes, bytes]:
    """Run a command; return its exit code (None: timed out, its process group was killed), stdout and stderr.

    Only the command itself is waited for: an agent that it leaves behind may hold its output open. The output is read
    after the end, so at most the capacity of a pipe. Raises OSError or ValueError if the command cannot be started.
    """
    import signal  # with subprocess 4 ms, and most keys come from the environment
    import subprocess

    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603 - the operator's own command, and no shell
        command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True, env=environ
    ) as process:
        assert process.stdout is not None, "stdout and stderr are pipes"
        assert process.stderr is not None, "stdout and stderr are pipes"
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None, b"", b""
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError, PermissionError):  # it has just ended
                    os.killpg(process.pid, signal.SIGKILL)
        return code, _read_available(process.stdout), _read_available(process.stderr)


def _read_available(pipe: IO[bytes]) -> bytes:
    """Return the bytes that a pipe holds now."""
    os.set_blocking(pipe.fileno(), False)
    with suppress(BlockingIOError):
        return os.read(pipe.fileno(), _MAX_BYTES)
    return b""


def _from_keyring(source: SecretSource, entry: str) -> str:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        from tui.storage.extras import install_command

        raise SecretError(f"{source} requires an extra: {install_command('keyring')}") from None
    service, _, name = entry.rpartition("/")
    try:
        key = keyring.get_password(service, name)
    except KeyringError as error:
        raise SecretError(f"{source} cannot be read: {clean(str(error), 200)}") from None
    if key is None:
        raise SecretError(f"{source} does not exist: run keyring set {clean(service, 80)} {clean(name, 80)}")
    return key


def _error_text(error: Exception) -> str:
    """Return the system's error text, without arguments."""
    return clean(error.strerror if isinstance(error, OSError) and error.strerror else str(error), 200)
