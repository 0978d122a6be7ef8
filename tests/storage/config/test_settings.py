import ast
import inspect
import textwrap
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.storage.config import secrets, settings
from tui.storage.config.secrets import ApiKeySource, EnvironmentVariable, SecretSource
from tui.storage.config.settings import AccountTable, Hook, Settings, SettingsError, read
from tui.storage.config.toml_positions import line_of

DESIGNED = """
[accounts.heygen]
provider = "heygen"
base_url = "https://api.heygen.com"
api_key = { env = "HEYGEN_API_KEY" }
plan = "pro"
concurrency = 4
[polling]
max_interval = "60s"
stall_after = "60m"
[links]
warn_before = "24h"
renew_before = "24h"
[board]
archive_after = "14d"
[downloads]
dir = "~/Downloads/babeltop"
[alerts]
bell = true
desktop = true
[[hook]]
on = ["done", "failed", "expiring"]
run = ["notify-send", "babeltop"]
[ui]
theme = "babeltop-dark"
glyphs = "unicode"
time = "relative"
[keys]
refresh = "r"
"""
VARIABLES = {"heygen": "HEYGEN_API_KEY", "konpro": "KONPRO_API_KEY", "camb": "CAMB_API_KEY"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def problems(file: Path, text: str) -> tuple[str, ...]:
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read(file)
    assert caught.value.path == file
    assert str(caught.value).startswith(f"{file}:\n  ")
    return caught.value.problems


def test_without_a_file_the_settings_are_the_defaults(file: Path):
    assert read(file) == Settings()


def test_a_file_with_every_default_gives_the_defaults(file: Path):
    file.write_text(DESIGNED)
    found = read(file)
    assert found.accounts["heygen"].api_key == ApiKeySource(env=EnvironmentVariable("HEYGEN_API_KEY"))
    assert found.accounts["heygen"].plan == "pro"
    assert found.hooks == (Hook(on=("done", "failed", "expiring"), run=("notify-send", "babeltop")),)
    assert found.keys == {"refresh": ("r",)}
    assert msgspec.structs.replace(found, accounts={}, hooks=(), keys={}) == Settings()
    assert (found.polling.max_interval, found.polling.stall_after, found.board.archive_after) == (60, 3600, 14 * 86400)


def test_a_byte_order_mark_is_ignored(file: Path):
    file.write_bytes(b"\xef\xbb\xbf[alerts]\r\nbell = false\r\n")
    assert not read(file).alerts.bell


def test_every_source_of_a_key_is_read(file: Path):
    file.write_text(
        "[accounts]\na.api_key = {file='~/key'}\nb.api_key = {command=['pass', 'show', 'b']}\n"
        "c.api_key.keyring = 'babeltop/c'\n"
    )
    found = {name: account.api_key for name, account in read(file).accounts.items()}
    assert found == {
        "a": ApiKeySource(file="~/key"),
        "b": ApiKeySource(command=("pass", "show", "b")),
        "c": ApiKeySource(keyring="babeltop/c"),
    }


def test_a_command_is_bound_to_one_key_or_to_several(file: Path):
    file.write_text("[keys]\nrefresh = 'f5'\nquit = ['q', 'ctrl+q']\nmute = []\n")
    assert read(file).keys == {"refresh": ("f5",), "quit": ("q", "ctrl+q"), "mute": ()}


def test_all_unknown_keys_are_reported_at_once_with_the_nearest_known_key(file: Path):
    messages = problems(
        file,
        "pollling = 1\n[accounts.heygen]\nplann = 'pro'\n[polling]\n\nmax_intervall = '60s'\n"
        "[accounts.konpro.api_key]\nenvv = 'A'\n[[hooks]]\nrun = ['x']\n",
    )
    assert messages == (
        "line 3: accounts.heygen.plann: unknown key; did you mean 'plan'?",
        "line 8: accounts.konpro.api_key.envv: unknown key; did you mean 'env'?",
        "line 1: pollling: unknown key; did you mean 'polling'?",
        "line 9: hooks: unknown key; did you mean 'hook'?",
        "line 6: polling.max_intervall: unknown key; did you mean 'max_interval'?",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[downloads]\nmax_size = 5", "line 2: downloads.max_size: expected a size such as '500 MB' or '100 GB'"),
        ("[downloads]\nmax_size = '0 GB'", "line 2: downloads.max_size: expected a size such as"),
        ("[polling]\nmax_interval = 60", "line 2: polling.max_interval: expected a duration such as 90s"),
        ("[polling]\nmax_interval = '1 week'", "line 2: polling.max_interval: expected a duration such as 90s"),
        ("[polling]\nmax_interval = '1s'", "line 2: polling.max_interval: expected at least '2s'"),
        ("[alerts]\nbell = 'yes'", "line 2: alerts.bell: Expected `bool`"),
        ("[ui]\nglyphs = 'utf8'", "line 2: ui.glyphs: 'utf8' is unknown; expected ascii, unicode"),
        ("ui = 3", "line 1: ui: expected a table"),
        ("accounts = []", "line 1: accounts: expected tables such as [accounts.acme]"),
        ("[hook]\nrun = ['x']", "line 1: hook: expected [[hook]], in two brackets"),
        ("[accounts.'a:b']", "line 1: accounts.a:b: expected letters"),
        ("[accounts.a]\nconcurrency = 65", "line 2: accounts.a.concurrency: expected a whole number from 1 to 64"),
        ("[accounts.a]\nconcurrency = true", "line 2: accounts.a.concurrency: expected a whole number from 1 to 64"),
        ("[accounts.a]\nrate_per_minute = 0", "line 2: accounts.a.rate_per_minute: expected a number above 0"),
        ("[accounts.a]\nrate_per_minute = inf", "line 2: accounts.a.rate_per_minute: expected a number above 0"),
        ("[accounts.a]\nbase_url = 'api.x.com'", "line 2: accounts.a.base_url: expected an http(s) URL"),
        ("[accounts.a]\napi_key = {}", "line 2: accounts.a.api_key: expected exactly one of env, file, command"),
        ("[accounts.a.api_key]\nfile = 'key'", "line 2: accounts.a.api_key.file: expected a path that begins"),
        ("[accounts.a]\napi_key.command = []", "line 2: accounts.a.api_key.command: expected a program"),
        (
            "[accounts.a]\napi_key = {file='/k', lifetime='1h'}",
            "line 2: accounts.a.api_key.lifetime: only a key",
        ),
        ("[accounts.a]\napi_key = {command=['x'], lifetime='1m'}", "line 2: accounts.a.api_key.lifetime: expected at"),
        (
            "[[hook]]\nurl = 'https://x'\nsecret = {file='/k', lifetime='1h'}",
            "line 3: hook[0].secret.lifetime: ",
        ),
        ("[accounts.a]\napi_key.keyring = 'x'", "line 2: accounts.a.api_key.keyring: expected 'service/name'"),
        ("[[hook]]\nrun = ['x']\n[[hook]]\non = ['done']", "line 3: hook[1]: expected exactly one of run and url"),
        ("[[hook]]\nrun = []", "line 2: hook[0].run: expected a program and its arguments"),
        ("[[hook]]\non = ['ended']", "line 2: hook[0].on[0]: 'ended' is unknown"),
        ("[[hook]]\non = ['expire']", "line 2: hook[0].on[0]: 'expire' is unknown; did you mean 'expired'?"),
        ("[[hook]]\nrun = ['x']\ntimeout = '0s'", "line 3: hook[0].timeout: expected '1s' to '5m'"),
        ("[[hook]]\nurl = 'x.com'", "line 2: hook[0].url: expected an http(s) URL such as"),
        ("[[hook]]\nurl = 'https://[x'", "line 2: hook[0].url: expected an http(s) URL such as"),
        ("[[hook]]\nurl = 'https://u:p@x.com'", "line 2: hook[0].url: a hook's URL must not have a fragment or"),
        ("[[hook]]\nrun = ['x']\nsecret = {env='A'}", "line 3: hook[0].secret: only a url can have a secret"),
        ("[[hook]]\nurl = 'https://x.com'\nsecret = {}", "line 3: hook[0].secret: expected exactly one of env"),
        ("[[hook]]\nurl = 'https://x.com'\nsecret = 'abc'", "line 3: hook[0].secret: must not contain the key"),
        ("[[hook]]\nurl = 'http://x.com/'", "line 2: hook[0].url: plain http would expose links"),
        ("[keys]\nrefresh = 5", "line 2: keys.refresh: expected a key such as 'r', or a list of keys"),
        ("[keys]\nrefresh = ['']", "line 2: keys.refresh: expected a key such as 'r', or a list of keys"),
        ("[ui\ntheme = 1", "invalid TOML: "),
        ("a = " + "[" * 100_000, "invalid TOML: "),
    ],
)
def test_an_invalid_value_is_reported_with_its_line_key_and_expected_values(file: Path, text: str, message: str):
    (only,) = problems(file, text)
    assert only.startswith(message)


def test_a_second_problem_is_reported_too(file: Path):
    messages = problems(
        file, "[accounts.a]\nconcurrency = 0\n[accounts.b]\nbase_url = 'http://b.com'\n[ui]\ntime = 'gmt'\n"
    )
    assert [problem.split(": ")[1] for problem in messages] == [
        "accounts.a.concurrency",
        "accounts.b.base_url",
        "ui.time",
    ]


@pytest.mark.parametrize(
    "wrong", ["api_key = 'SECRET-1'", "api_key = {env='SECRET-1'}", "api_key = {env='A', file='/SECRET-1'}"]
)
def test_a_literal_key_is_refused_and_not_repeated(file: Path, wrong: str):
    (message,) = problems(file, f"[accounts.heygen]\n{wrong}\n")
    assert "SECRET-1" not in message
    assert message.startswith("line 2: accounts.heygen.api_key")
    assert "env" in message


@pytest.mark.parametrize(
    "url",
    ["https://SECRET-1@x.com", "https://u:SECRET-1@x.com/v1", "https://x.com/?k=SECRET-1", "ftp://x.com/?SECRET-1"],
)
def test_a_key_in_a_base_url_is_refused_and_not_repeated(file: Path, url: str):
    messages = problems(file, f"[accounts.heygen]\nbase_url = '{url}'\n")
    assert "base_url" in "".join(messages)
    assert "SECRET-1" not in "".join(messages)


@pytest.mark.parametrize("name", ['"a]b"', '"[/x][@click=app.exit]"', '"a[0"', '"]"', '"a\\u001b]0;PWNED\\u0007"'])
def test_brackets_in_a_name_do_not_block_the_search_for_its_line(file: Path, name: str):
    assert problems(file, f"[accounts.{name}]\nprovider = 'heygen'\nplan = 3\n")


def test_a_hook_may_have_a_query_a_secret_and_a_timeout(file: Path):
    file.write_text(
        "[[hook]]\non = ['refused', 'retired']\nurl = 'https://x.com/h?sig=1'\nsecret.env = 'S'\ntimeout = '5s'\n"
    )
    (hook,) = read(file).hooks
    assert (hook.url, hook.secret, hook.timeout) == (
        "https://x.com/h?sig=1",
        SecretSource(env=EnvironmentVariable("S")),
        5.0,
    )
    assert (hook.url and hook.url.host) == "x.com"


@pytest.mark.parametrize(
    "wrong", ["secret = 'SECRET-1'", "secret = {env='SECRET-1'}", "[[hook]]\nurl = 'http://x.com/SECRET-1 '"]
)
def test_a_hooks_secret_and_url_are_not_repeated(file: Path, wrong: str):
    messages = problems(file, f"[[hook]]\nurl = 'https://x.com'\n{wrong}\n")
    assert "SECRET-1" not in "".join(messages)


def test_a_file_that_cannot_be_read_is_an_error_and_not_the_defaults(tmp_path: Path):
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read(tmp_path)
    (tmp_path / "latin").write_bytes(b"# \xe9")
    with pytest.raises(SettingsError, match="invalid TOML"):
        read(tmp_path / "latin")


@pytest.mark.parametrize(
    "url", ["https://x.com", "http://localhost:8000", "http://127.0.0.1", "http://127.8.8.8/x", "http://[::1]:80"]
)
def test_a_key_goes_over_https_or_stays_on_this_machine(file: Path, url: str):
    file.write_text(f"[accounts.a]\nbase_url = '{url}'\n")
    assert read(file).accounts["a"].base_url == url


@pytest.mark.parametrize("url", ["http://x.com", "http://127.0.0.1.x.com", "http://localhost.x.com", "http://10.0.0.1"])
def test_plain_http_to_another_host_requires_insecure_http(file: Path, url: str):
    (message,) = problems(file, f"[accounts.a]\nbase_url = '{url}'\n")
    assert message.startswith("line 2: accounts.a.base_url: plain http would expose the key; use https")
    file.write_text(f"[accounts.a]\nbase_url = '{url}'\ninsecure_http = true\n")
    assert read(file).accounts["a"].base_url == url


def test_without_configured_accounts_each_set_variable_makes_one():
    found = settings.resolve_accounts(
        Settings(), VARIABLES, {"KONPRO_API_KEY": "k", "CAMB_API_KEY": " ", "PATH": "/bin"}
    )
    assert [(each.name, each.provider, each.api_key) for each in found] == [
        ("konpro", "konpro", ApiKeySource(env=EnvironmentVariable("KONPRO_API_KEY")))
    ]


def test_a_configured_account_excludes_others_and_gets_its_defaults():
    configured = Settings(
        accounts={
            "camb": AccountTable(),
            "eu": AccountTable(provider=settings.ProviderName("heygen"), plan="pro", api_key=ApiKeySource(file="/key")),
            "own": AccountTable(),
        }
    )
    camb, eu, own = settings.resolve_accounts(configured, VARIABLES, dict.fromkeys(VARIABLES.values(), "k"))
    assert (camb.name, camb.provider, camb.api_key) == (
        "camb",
        "camb",
        ApiKeySource(env=EnvironmentVariable("CAMB_API_KEY")),
    )
    assert (eu.name, eu.provider, eu.plan, eu.api_key) == ("eu", "heygen", "pro", ApiKeySource(file="/key"))
    assert (own.provider, own.api_key, own.concurrency) == ("own", None, 4)


def documented(struct: type) -> set[str]:
    """The fields of a class that have a docstring."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    assert isinstance(tree, ast.ClassDef)
    pairs = zip(tree.body, tree.body[1:], strict=False)
    return {
        field.target.id
        for field, after in pairs
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }


@pytest.mark.parametrize(
    "struct",
    [
        *(AccountTable, SecretSource, Hook, settings.PollingSettings, settings.LinkSettings, settings.BoardSettings),
        *(settings.DownloadSettings, settings.AlertSettings, settings.UiSettings),
    ],
)
def test_every_key_of_the_file_has_a_docstring(struct: type[msgspec.Struct]):
    assert documented(struct) == set(struct.__struct_fields__)


def test_the_lifetime_of_a_key_has_a_docstring():
    assert documented(ApiKeySource) == {"lifetime"}


@given(st.text())
def test_the_search_for_a_line_ends_for_every_text(text: str):
    line = line_of(text, "accounts.heygen.api_key.env")
    assert line is None or 1 <= line <= text.count("\n") + 1


def test_a_line_is_found_in_every_spelling_of_a_key():
    text = "[ accounts . 'hey gen' ] # x\n\"plan\" = 1\n[accounts]\nb.plan = 2\n[[hook]]\n[[hook]]\nurl = 1\n"
    assert [
        line_of(text, where)
        for where in ("accounts.hey gen.plan", "accounts.b.plan", "hook[0].url", "hook[1].url", "hook[7].url", "ui")
    ] == [2, 4, 5, 7, 5, None]


def test_the_secrets_module_refuses_an_empty_source():
    assert list(ApiKeySource().problems()) == [": expected exactly one of env, file, command and keyring"]
    assert list(secrets.ApiKeySource(env=EnvironmentVariable("A")).problems()) == []


VIEWS = """
[[view]]
name = "Launch"
filter = "tag:launch -phase:done"
sort = "-expires"
columns = ["status", "name", "language", "tags"]
[[view]]
name = "All of it"
[ui]
columns = ["name", "status"]
"""


def test_views_and_columns_are_read_with_the_other_names_of_columns_and_sorts(file: Path):
    file.write_text(VIEWS)
    found = read(file)
    launch, everything = found.views
    assert (launch.name, launch.filter, launch.sort) == ("Launch", "tag:launch -phase:done", "-link")
    assert launch.columns == ("status", "name", "lang", "tags")
    assert (everything.filter, everything.sort, everything.columns) == ("", "", ())
    assert found.ui.columns == ("name", "status")


def test_each_problem_of_a_view_is_reported_with_its_line_and_the_nearest_right_word(file: Path):
    text = """\
[[view]]
name = "Launch"
filter = "phase:faild foo:bar age>2"
sort = "names"
columns = ["status", "names"]

[[view]]
name = "launch"
filter = "tag:"
column = []

[[view]]
name = "done"

[[view]]
filter = "x"

[ui]
columns = ["tag"]
"""
    assert problems(file, text) == (
        "line 4: view[0].sort: no sort 'names'; did you mean 'name'?",
        "line 5: view[0].columns[1]: no column 'names'; did you mean 'name'?",
        "line 10: view[1].column: unknown key; did you mean 'columns'?",
        "line 13: view[2].name: 'done' is a built-in view",
        "line 15: view[3].name: missing",
        "line 19: ui.columns[0]: no column 'tag'; did you mean 'tags'?",
    )
    valid = (
        text.replace('sort = "names"', 'sort = "link"').replace('"names"', '"name"').replace("column =", "columns =")
    )
    valid = valid.replace('"done"', '"Done too"').replace('filter = "x"', 'name = "x"').replace('["tag"]', '["tags"]')
    assert problems(file, valid) == (
        "line 3: view[0].filter: no phase faild; did you mean failed?",
        "line 3: view[0].filter: no field foo; did you mean flag?",
        "line 3: view[0].filter: age>2 needs a unit: s, m, h or d",
        "line 9: view[1].filter: tag: needs a value",
        "line 8: view[1].name: 'launch' is the name of another view",
    )
    assert problems(file, "[view]\nname = 'x'\n") == ("line 1: view: expected [[view]], in two brackets",)
