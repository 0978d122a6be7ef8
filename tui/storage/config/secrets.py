"""An account's key: where it comes from, how it is fetched, and a wrapper that shows it to nobody by accident.

It sends nothing and keeps nothing. Every failure is a SecretError for an operator, which names the source only.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_IROTH, S_ISREG
from typing import IO, NamedTuple, NoReturn, Self

from msgspec import Struct

from tui.errors import BabeltopError
from tui.presentation.sanitize import clean

COMMAND_TIMEOUT = 10.0
"""Seconds that a key command may take; longer is a prompt that nobody can answer, since its stdin is closed."""
_MAX_BYTES = 65_536
"""Bytes that are read of a file or an output: far more than a key, and what a pipe holds without a reader."""
_MIN_LENGTH_WITH_TAIL = 12
"""Characters that a key must have before four of them may be shown."""


class SecretError(BabeltopError):
    """There is no key, or none that can be used; the message says why and what to do, for an operator."""


class Secret:
    """A key. Its repr, str and format are a mask; it is neither pickled nor copied."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The key itself, for the header that carries it."""
        return self.__value

    @property
    def tail(self) -> str:
        """The last four characters, by which a person knows a key; empty where they would give too much away."""
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
        raise TypeError("a secret is not written anywhere")


class EnvironmentVariable(str):
    """The name of an environment variable (POSIX.1-2017 §8.1; lower case too)."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError, which does not repeat the value: it may be the key itself."""
        if not isinstance(value, str) or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError("expected the name of an environment variable, such as 'ACME_API_KEY'")
        return cls(value)


class SecretSource(Struct, frozen=True, kw_only=True):
    """Where a key comes from: exactly one of these is set."""

    env: EnvironmentVariable | None = None
    """An environment variable's name."""
    file: str | None = None
    """A file that holds nothing but the key; absolute, or beginning with `~`. Read again when it changes."""
    command: tuple[str, ...] | None = None
    """A program and its arguments, without a shell, that prints the key; 10 s at most, stdin closed."""
    keyring: str | None = None
    """An entry of the desktop's keyring, as `service/name`. Takes the extra `keyring`."""

    def __str__(self) -> str:
        """The source by name, without a command's arguments."""
        if self.env is not None:
            return f"environment variable {self.env}"
        if self.file is not None:
            return f"key file {clean(self.file, 200)}"
        if self.command:
            return f"key command {clean(self.command[0], 200)}"
        return f"keyring entry {clean(self.keyring or '', 200)}"

    def problems(self) -> Iterator[str]:
        """What is wrong with it whatever the machine holds, each from the key on. None of it repeats a value."""
        if len([each for each in (self.env, self.file, self.command, self.keyring) if each is not None]) != 1:
            yield ": expected exactly one of env, file, command and keyring"
        if self.file is not None and not self.file.startswith(("/", "~")):
            yield ".file: expected a path that begins with '/' or '~'"
        if self.command is not None and not (self.command and self.command[0]):
            yield ".command: expected a program and its arguments, such as ['pass', 'show', 'acme']"
        if self.keyring is not None and not all(self.keyring.rpartition("/")):
            yield ".keyring: expected 'service/name'"


class FetchedSecret(NamedTuple):
    """A key, and what an operator should know of where it was found."""

    secret: Secret
    warning: str | None = None


class KeyFileStamp(NamedTuple):
    """A key file as it was when it was looked at; another one means another key, perhaps."""

    inode: int
    size: int
    mtime_ns: int


def fetch(source: SecretSource, environ: Mapping[str, str], timeout: float = COMMAND_TIMEOUT) -> FetchedSecret:
    """The key. Blocks for at most `patience` seconds, where a command is the source. Raises SecretError."""
    if source.env is not None:
        if source.env not in environ:
            raise SecretError(f"{source} is not set: set it and restart")
        return FetchedSecret(_validate(environ[source.env], source, "set it and restart"))
    if source.file is not None:
        return _from_file(source, source.file)
    if source.command is not None:
        return FetchedSecret(_validate(_from_command(source, source.command, timeout), source, "it printed nothing"))
    return FetchedSecret(_validate(_from_keyring(source, source.keyring or ""), source, "store the key in it"))


def key_file_stamp(source: SecretSource) -> KeyFileStamp | None:
    """What tells one content of a key file from another; None: the source is no file, or there is none."""
    with suppress(OSError, ValueError, RuntimeError):
        if source.file is not None:
            found = Path(source.file).expanduser().stat()
            return KeyFileStamp(found.st_ino, found.st_size, found.st_mtime_ns)
    return None


def _validate(raw: str, source: SecretSource, remedy: str) -> Secret:
    """The key without blanks and line ends around it, if it can stand in a header (RFC 9110 §5.5)."""
    key = raw.strip(" \t\r\n")
    if not key:
        raise SecretError(f"{source} is empty: {remedy}")
    if "\n" in key or "\r" in key:
        raise SecretError(f"{source} gives more than one line: a key is one line, and nothing else may stand there")
    if not key.isprintable() or max(key) > "\xff":
        raise SecretError(f"{source} gives a character that cannot stand in an HTTP header")
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
    warning = f"{source} can be read by every user of this machine: chmod 600" if mode & S_IROTH else None
    return FetchedSecret(_validate(raw.decode("utf-8-sig", "replace"), source, "write the key into it"), warning)


def _from_command(source: SecretSource, command: tuple[str, ...], timeout: float) -> str:
    try:
        code, printed, said = _run(command, timeout)
    except (OSError, ValueError) as error:
        raise SecretError(f"{source} cannot be run: {_error_text(error)}") from None
    if code is None:
        raise SecretError(f"{source} did not end within {timeout:g} s, and was killed")
    key = printed.decode("utf-8", "replace")
    if code != 0:
        end = f"ended with {code}" if code > 0 else f"was ended by signal {-code}"
        raise SecretError(f"{source} {end}{_first_line(said.decode('utf-8', 'replace'), key.strip())}")
    return key


def _first_line(stderr: str, key: str) -> str:
    """What a command complained of first, without what it printed as the key."""
    lines = stderr.replace(key, "****").split("\n") if key else stderr.split("\n")
    first = next(filter(None, (clean(line, 200) for line in lines)), "")
    return f": {first}" if first else ""


def _run(command: tuple[str, ...], timeout: float) -> tuple[int | None, bytes, bytes]:
    """How a command ended (None: not in time, so that its whole process group was killed), its stdout and stderr.

    Only the command itself is waited for: an agent that it leaves behind may hold its output open. What it wrote is
    read once it has ended, so at most what the pipe holds. Raises OSError or ValueError where it does not start.
    """
    import signal  # with subprocess 4 ms, and most keys come from the environment
    import subprocess

    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603 - the operator's own command, and no shell reads it
        command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True
    ) as process:
        assert process.stdout is not None, "a pipe was asked for"
        assert process.stderr is not None, "a pipe was asked for"
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None, b"", b""
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError, PermissionError):  # it ended by itself just now
                    os.killpg(process.pid, signal.SIGKILL)
        return code, _read_available(process.stdout), _read_available(process.stderr)


def _read_available(pipe: IO[bytes]) -> bytes:
    """What stands in a pipe now."""
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

        raise SecretError(f"{source} takes an extra: {install_command('keyring')}") from None
    service, _, name = entry.rpartition("/")
    try:
        key = keyring.get_password(service, name)
    except KeyringError as error:
        raise SecretError(f"{source} cannot be read: {clean(str(error), 200)}") from None
    if key is None:
        raise SecretError(f"{source} does not exist: keyring set {clean(service, 80)} {clean(name, 80)}")
    return key


def _error_text(error: Exception) -> str:
    """What the system says, without the arguments."""
    return clean(error.strerror if isinstance(error, OSError) and error.strerror else str(error), 200)
