import copy
import logging
import os
import pickle
import shlex
import signal
import sys
import traceback
from pathlib import Path

import keyring
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordSetError

from tests.support.waiting import wait_until
from tui.storage.config.secrets import EnvironmentVariable, Secret, SecretError, SecretSource, fetch, key_file_stamp
from tui.storage.extras import install_command

KEY = "sk-4f9a8c7b6d5e4f3a"


def from_env(name: str = "HEYGEN_API_KEY") -> SecretSource:
    return SecretSource(env=EnvironmentVariable(name))


def python(code: str) -> SecretSource:
    return SecretSource(command=(sys.executable, "-c", code))


def refusal(source: SecretSource, environ: dict[str, str] | None = None, patience: float = 10.0) -> str:
    with pytest.raises(SecretError) as caught:
        fetch(source, environ or {}, patience)
    message = "".join(traceback.format_exception(caught.value))
    assert KEY not in message
    assert KEY not in repr(caught.value)
    return str(caught.value)


def test_a_secret_is_masked_in_every_text(caplog: pytest.LogCaptureFixture):
    secret = Secret(KEY)
    logging.getLogger("test").error("key %s %r", secret, secret)
    holder = {"key": secret}
    with pytest.raises(ValueError, match=r"\*{4}") as caught:
        int(f"{secret}{holder}")
    message = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>20}", f"{secret:>20}", f"{holder}", "%s" % secret]  # noqa: UP031
    for text in [*shown, message, caplog.text]:
        assert KEY not in text
        assert "****" in text
    assert secret.reveal() == KEY


def test_a_secret_is_neither_pickled_nor_copied_nor_encoded():
    for write in (pickle.dumps, copy.copy, copy.deepcopy, msgspec.json.encode):
        with pytest.raises(TypeError) as caught:
            write(Secret(KEY))
        assert KEY not in str(caught.value)
    assert not hasattr(Secret(KEY), "__dict__")


def test_secrets_with_equal_values_are_equal():
    assert Secret(KEY) == Secret(KEY) != Secret("other")
    assert len({Secret(KEY), Secret(KEY)}) == 1
    assert Secret(KEY) != KEY


@given(st.text())
def test_four_characters_are_shown_only_of_a_long_key(value: str):
    assert Secret(value).tail == (value[-4:] if len(value) >= 12 else "")


def test_a_key_comes_from_the_environment():
    assert fetch(from_env(), {"HEYGEN_API_KEY": f" {KEY}\n"}) == (Secret(KEY), None)


def test_a_variable_without_a_key_is_named_with_the_remedy():
    assert refusal(from_env()) == "environment variable HEYGEN_API_KEY is not set: set it and restart"
    assert refusal(from_env(), {"HEYGEN_API_KEY": " "}) == (
        "environment variable HEYGEN_API_KEY is empty: set it and restart"
    )


@pytest.mark.parametrize("bad", ["\n", "\r\n", "\0", "\x1b", "\x7f", "\x85", "\u2028", "ключ", "\udcff"])
def test_a_key_that_is_invalid_in_a_header_is_refused(bad: str):
    message = refusal(from_env(), {"HEYGEN_API_KEY": f"{KEY}{bad}{KEY}"})
    assert message.startswith("environment variable HEYGEN_API_KEY has ")


@given(st.text(st.characters(exclude_categories=())))
def test_an_accepted_key_is_valid_in_a_header(value: str):
    try:
        key = fetch(from_env(), {"HEYGEN_API_KEY": value}).secret.reveal()
    except SecretError:
        return
    assert key
    assert not {c for c in key.encode("latin-1") if c < 32 or 126 < c < 161}


def key_file(folder: Path, content: bytes, mode: int = 0o600) -> SecretSource:
    path = folder / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return SecretSource(file=str(path))


def test_a_key_file_loses_its_line_end_and_its_byte_order_mark(tmp_path: Path):
    assert fetch(key_file(tmp_path, b"\xef\xbb\xbf" + KEY.encode() + b"\r\n"), {}) == (Secret(KEY), None)


def test_a_key_file_in_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    key_file(tmp_path, KEY.encode())
    monkeypatch.setenv("HOME", str(tmp_path))
    assert fetch(SecretSource(file="~/key"), {}).secret == Secret(KEY)


def test_a_world_readable_key_file_is_used_with_a_warning(tmp_path: Path):
    source = key_file(tmp_path, KEY.encode(), 0o644)
    secret, warning = fetch(source, {})
    assert secret == Secret(KEY)
    assert warning == f"{source} is readable by other users of this machine: chmod 600"


def test_an_unusable_key_file_is_an_error_with_its_reason(tmp_path: Path):
    assert refusal(SecretSource(file="/no/such")) == "key file /no/such cannot be read: No such file or directory"
    assert refusal(SecretSource(file="/a\0b")).startswith("key file /ab cannot be read: ")
    assert refusal(SecretSource(file=str(tmp_path))).endswith("is not a regular file")
    assert refusal(SecretSource(file="/dev/zero")).endswith("is not a regular file")
    assert refusal(key_file(tmp_path, b"x" * 70_000)).endswith("is too large to be a key")
    assert refusal(key_file(tmp_path, b"\n")).endswith("is empty: write the key into it")
    assert "more than one line" in refusal(key_file(tmp_path, f"{KEY}\nuser: ops\n".encode()))
    assert "is invalid in an HTTP header" in refusal(key_file(tmp_path, b"\xff\xfe" + KEY.encode()))


def test_a_pipe_without_a_writer_does_not_block(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    assert refusal(SecretSource(file=str(tmp_path / "pipe"))).endswith("is not a regular file")


def test_a_changed_key_file_has_another_stamp(tmp_path: Path):
    source = key_file(tmp_path, b"one")
    before = key_file_stamp(source)
    assert before == key_file_stamp(source)
    key_file(tmp_path, b"another")
    assert None is not key_file_stamp(source) != before


def test_only_an_existing_key_file_has_a_stamp(tmp_path: Path):
    for source in (
        SecretSource(file=str(tmp_path / "none")),
        SecretSource(file="/a\0b"),
        from_env(),
        SecretSource(keyring="a/b"),
    ):
        assert key_file_stamp(source) is None


def test_a_command_prints_the_key():
    assert fetch(python(f"print({KEY!r})"), {}) == (Secret(KEY), None)


def test_a_command_has_no_stdin_and_a_session_of_its_own():
    code = f"import os, sys; assert sys.stdin.read() == '' and os.getsid(0) == os.getpid(); print({KEY!r})"
    assert fetch(python(code), {}).secret == Secret(KEY)


def test_a_command_runs_without_a_shell():
    assert fetch(SecretSource(command=("echo", "$HOME;", "*")), {}).secret == Secret("$HOME; *")


def test_the_error_of_a_failed_command_has_its_exit_code_and_first_stderr_line():
    code = "import sys; print(file=sys.stderr); print('\\x1b[31mlocked' + '!' * 500 + '\\nx', file=sys.stderr); exit(3)"
    message = refusal(python(code))
    assert message.startswith(f"key command {sys.executable} failed with exit code 3: locked!!!")
    assert message.endswith("!…")
    assert len(message) < 300


def test_the_key_is_masked_in_the_stderr_of_a_failed_command():
    assert "failed with exit code 1: tried ***" in refusal(
        SecretSource(command=("sh", "-c", f"echo {KEY}; echo tried {KEY} >&2; exit 1"))
    )


def test_a_command_without_output_or_that_does_not_start_is_an_error():
    assert refusal(SecretSource(command=("true",))) == "key command true is empty: its output has no key"
    assert refusal(SecretSource(command=("no-such-program", KEY))) == (
        "key command no-such-program cannot be run: No such file or directory"
    )
    assert refusal(SecretSource(command=("echo", "\0"))).startswith("key command echo cannot be run: ")
    assert refusal(SecretSource(command=("sh", "-c", "kill -9 $$"))).endswith("was killed by signal 9")


def alive(pid: int) -> bool:
    """Return whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_command_that_times_out_is_killed_with_all_its_children(tmp_path: Path):
    note, patience = tmp_path / "pid", 0.5
    note.touch()
    script = f"sleep 600 & echo $! > {shlex.quote(str(note))}; wait"
    while not note.read_text().endswith("\n"):  # on a slow machine it is killed before it has begun
        message = refusal(SecretSource(command=("sh", "-c", script)), patience=patience)
        assert message.endswith(f"timed out after {patience:g} s: run it in a terminal to see its prompt")
        patience *= 2
    child = int(note.read_text())
    wait_until(lambda: not alive(child))


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_an_agent_that_a_command_leaves_behind_is_not_waited_for(tmp_path: Path):
    note = tmp_path / "pid"
    script = f"sleep 600 & echo $! > {shlex.quote(str(note))}; echo {KEY}"
    assert fetch(SecretSource(command=("sh", "-c", script)), {}).secret == Secret(KEY)
    agent = int(note.read_text())
    assert alive(agent)
    os.kill(agent, signal.SIGKILL)


def test_a_command_that_never_stops_printing_is_killed():
    assert "timed out after" in refusal(SecretSource(command=("yes", KEY)), patience=0.3)


class Ring(KeyringBackend):
    """A keyring with one entry, and one that is locked."""

    priority = 1  # pyright: ignore[reportAssignmentType]

    def get_password(self, service: str, username: str) -> str | None:
        if username == "locked":
            raise KeyringLocked("the keyring is\x1b[2J locked")
        return KEY if (service, username) == ("babeltop/eu", "heygen") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise PasswordSetError


@pytest.fixture
def ring():
    before = keyring.get_keyring()
    keyring.set_keyring(Ring())
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("ring")
def test_a_key_comes_from_the_keyring():
    assert fetch(SecretSource(keyring="babeltop/eu/heygen"), {}).secret == Secret(KEY)
    assert refusal(SecretSource(keyring="babeltop/konpro")) == (
        "keyring entry babeltop/konpro does not exist: run keyring set babeltop konpro"
    )
    assert refusal(SecretSource(keyring="babeltop/locked")) == (
        "keyring entry babeltop/locked cannot be read: the keyring is locked"
    )


def test_the_error_of_a_missing_extra_has_the_install_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert refusal(SecretSource(keyring="babeltop/heygen")).endswith(f"requires an extra: {install_command('keyring')}")


def test_the_text_of_a_source_has_no_argument_of_its_command():
    assert str(SecretSource(command=("pass", "show", KEY))) == "key command pass"
    assert str(from_env("X")) == "environment variable X"
    assert str(SecretSource(keyring="a/b")) == "keyring entry a/b"
