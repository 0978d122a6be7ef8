"""Provider files: those that are built in, and the problems of invalid ones."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from tui.domain.models import LinkKind, Phase
from tui.providers.loader import BUILT_IN, ProviderError, ProviderSummary, builtin_files, load, parse, provider_registry
from tui.providers.model import UnknownKind
from tui.providers.requests.templates import PathTemplate

NAMES = sorted(builtin_files())
FIRST = ["camb", "flixu", "heygen-v2", "heygen", "konpro"]
"""Services of which the simulator has jobs."""

GOOD = """
name = "acme"
title = "Acme"
base_url = "https://api.acme.example/base"
key = { header = "X-Key", prefix = "Key ", env = "ACME_KEY" }
cadence = "document"
ids = ['^a-']
[status]
path = "/jobs/{id}"
value = ["/state"]
result_id = ["/run"]
[statuses]
Busy = "running"
[[links]]
kind = "document"
url = ["/file"]
lifetime = "90m"
[result]
path = "/results/{result_id}?as=json"
text = ["/text"]
[kinds.long]
cadence = "video"
status.path = "/long/{id}"
statuses = { busy = "queued" }
[limits]
default = "small"
small = { per_minute = 5 }
large = { per_minute = 50, per_day = 5000 }
[bulk]
path = "/jobs"
id_parameter = "id"
max_ids = 2
items = "/jobs"
id = "/id"
value = ["/state"]
statuses = { gone = "missing" }
"""


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ProviderError) as caught:
        parse(text, "acme.toml")
    assert caught.value.source == "acme.toml"
    assert str(caught.value).startswith("acme.toml:")
    return caught.value.problems


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_the_built_in_files_are_known_by_their_names():
    assert set(FIRST) < set(NAMES)
    assert list(provider_registry()) == NAMES
    assert all(provider.source == BUILT_IN for provider in provider_registry().values())


@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_file_is_loaded_like_an_operators_file(name: str):
    own = load(builtin_files()[name])
    assert own.name == name
    assert own.source == str(builtin_files()[name])
    assert msgspec.structs.replace(own, source=BUILT_IN) == provider_registry()[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_summary_of_a_file_equals_the_loaded_provider(name: str, tmp_path: Path):
    whole = load(builtin_files()[name])
    expected = ProviderSummary(name, whole.key.env, whole.successor, whole.needs_base_url)
    services = provider_registry()
    assert services.summary(name) == expected
    assert services[name].key.env
    assert services.summary(name) == expected
    (tmp_path / f"{name}.toml").write_text(builtin_files()[name].read_text("utf-8") + "\n[nonsense]\n", "utf-8")
    with pytest.raises(ProviderError, match="nonsense"):
        provider_registry(tmp_path).summary(name)


def test_the_built_in_providers_are_as_documented():
    known = provider_registry()
    assert known["heygen-v2"].base_url == known["heygen"].base_url == "https://api.heygen.com"
    assert known["heygen-v2"].sunset == 1793404800.0  # 2026-10-31T00:00:00Z
    assert known["heygen-v2"].successor == "heygen"
    assert known["heygen"].successor is known["heygen"].sunset is None
    assert known["konpro"].base_url == "https://api.konpro.ai"
    assert known["camb"].base_url == "https://client.camb.ai/apis"
    assert known["flixu"].base_url == "https://api.flixu.ai"
    assert {known[name].key.header for name in FIRST if name != "flixu"} == {"x-api-key"}
    assert (known["flixu"].key.header, known["flixu"].key.prefix) == ("Authorization", "Bearer ")
    assert {
        name: provider.limits.plans[provider.limits.default].per_minute for name in FIRST for provider in [known[name]]
    } == {
        "camb": 60,
        "flixu": 30,
        "heygen-v2": 60,
        "heygen": 60,
        "konpro": 10,
    }
    week = [rule.lifetime for rule in known["heygen-v2"].endpoint().links if rule.kind is LinkKind.VIDEO]
    assert week == [7 * 86400]


@pytest.mark.parametrize(
    ("name", "kind", "path"),
    [
        ("heygen-v2", "", "https://api.heygen.com/v2/video_translate/x%2Fy"),
        ("heygen", "", "https://api.heygen.com/v3/video-translations/x%2Fy"),
        ("konpro", "", "https://api.konpro.ai/v1/video_translate/x%2Fy"),
        ("flixu", "", "https://api.flixu.ai/v1/translate/x%2Fy"),
        ("camb", "", "https://client.camb.ai/apis/translate/x%2Fy"),
        ("camb", "dub", "https://client.camb.ai/apis/dub/x%2Fy"),
        ("camb", "tts", "https://client.camb.ai/apis/tts/x%2Fy"),
        ("camb", "transcribe", "https://client.camb.ai/apis/transcribe/x%2Fy"),
        ("camb", "sub", "https://client.camb.ai/apis/sub/x%2Fy"),
        ("camb", "story", "https://client.camb.ai/apis/story/x%2Fy"),
        ("camb", "translated-tts", "https://client.camb.ai/apis/translated-tts/x%2Fy"),
        ("camb", "audio-separation", "https://client.camb.ai/apis/audio-separation/x%2Fy"),
    ],
)
def test_a_status_url_keeps_the_path_of_the_base_url_and_encodes_the_id(name: str, kind: str, path: str):
    provider = provider_registry()[name]
    assert provider.endpoint(kind).status.path.url(provider.base_url, {"id": "x/y"}) == path


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("", "/translation-result/9"),
        ("dub", "/dub-result/9"),
        ("tts", "/tts-result/9?output_type=file_url"),
        ("transcribe", "/transcription-result/9"),
        ("sub", "/sub-result/9"),
        ("story", "/story-result/9"),
        ("translated-tts", "/tts-result/9?output_type=file_url"),
        ("audio-separation", "/audio-separation-result/9"),
    ],
)
def test_every_camb_kind_has_its_own_result_path(kind: str, path: str):
    poll = provider_registry()["camb"].endpoint(kind).result
    assert poll is not None
    assert poll.path.url("http://127.0.0.1:8080/", {"result_id": "9"}) == "http://127.0.0.1:8080" + path


@pytest.mark.parametrize("job_id", ["", ".", ".."])
def test_an_id_that_leads_to_another_path_is_rejected(job_id: str):
    with pytest.raises(ValueError, match="invalid id"):
        provider_registry()["flixu"].endpoint().status.path.url("https://api.flixu.ai", {"id": job_id})


@pytest.mark.parametrize("job_id", ["a b", "é", "{result_id}", "?x=1", "#", "%2e", "a/../b", "\n"])
def test_an_id_stays_one_segment_of_the_path(job_id: str):
    url = provider_registry()["flixu"].endpoint().status.path.url("https://api.flixu.ai", {"id": job_id})
    assert re.fullmatch(r"https://api\.flixu\.ai/v1/translate/[A-Za-z0-9._~%-]+", url)


def test_the_ids_of_a_bulk_request_are_added_to_the_query_of_its_path():
    bulk = provider_registry()["heygen"].bulk
    assert bulk is not None
    with_query = replace(bulk, path=PathTemplate.parse("/batches?api-version=2024-05-01"), id_parameter="ids")
    assert (
        with_query.for_ids("https://a.test/v1", ["a", "b"]).url
        == "https://a.test/v1/batches?api-version=2024-05-01&ids=a,b"
    )


def test_a_bulk_url_contains_all_ids():
    bulk = provider_registry()["heygen"].bulk
    assert bulk is not None
    assert bulk.max_ids == 100
    assert bulk.for_ids("https://api.heygen.com", ["a", "b,c"]).url == (
        "https://api.heygen.com/v3/video-translations/statuses?video_translation_ids=a,b%2Cc"
    )


@pytest.mark.parametrize(
    ("job_id", "names"),
    [
        ("7544c0b52ada44fda693a15b1181b5b4-ur_ur-PK", {"heygen"}),
        ("7544c0b52ada44fda693a15b1181b5b4-fr", {"heygen"}),
        ("7544c0b52ada44fda693a15b1181b5b4", {"heygen"}),
        ("tr_123", {"heygen"}),
        ("doc_abc123def456", {"flixu"}),
        ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", {"camb"}),
        ("whatever", set()),
    ],
)
def test_id_patterns_match_the_ids_of_their_service(job_id: str, names: set[str]):
    registry = provider_registry()
    assert {name for name in registry if any(re.search(each, job_id) for each in registry[name].id_patterns)} == names


def test_a_kind_overrides_the_values_of_the_file():
    provider = parse(GOOD, "acme.toml")
    plain, long = provider.endpoint(), provider.endpoint("long")
    assert provider.kinds == ("long",)
    assert (plain.cadence, long.cadence) == ("document", "video")
    assert (plain.statuses["busy"], long.statuses["busy"]) == (Phase.RUNNING, Phase.QUEUED)
    assert long.statuses["succeeded"] is Phase.DONE
    assert long.status.value == plain.status.value
    assert long.links == plain.links
    assert plain.result is not None
    assert long.result is None  # another path has another result
    assert provider.bulk is not None
    assert provider.bulk.statuses["gone"] is Phase.MISSING
    assert provider.bulk.statuses["busy"] is Phase.RUNNING


def test_the_error_of_an_unknown_kind_lists_the_known_ones():
    with pytest.raises(UnknownKind, match=r"^camb has no kind 'dubb'; known kinds: dub, tts, "):
        provider_registry()["camb"].endpoint("dubb")
    with pytest.raises(KeyError, match="it has no kinds"):
        provider_registry()["flixu"].endpoint("dub")


def test_a_file_without_limits_means_60_requests_a_minute():
    provider = parse(GOOD.split("[limits]")[0], "acme.toml")
    assert provider.limits.plans[provider.limits.default].per_minute == 60


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("cadence = ", "cadense = ", "cadense: unknown key; did you mean 'cadence'?"),
        ("cadence = ", "cadense = ", "cadence: missing"),
        ('"document"\nids', '"documents"\nids', "cadence: 'documents' is unknown; did you mean 'document'?"),
        ("https://api.acme", "ftp://api.acme", "base_url: expected an http(s) URL"),
        ("example/base", "example/base?x=1", "base_url: must not have a query"),
        ("https://api.acme", "https://[api.acme", "base_url: "),
        ('"acme"', '"a:b"', "name: expected letters"),
        ('"X-Key"', '"X Key"', "key.header: invalid header name 'X Key'"),
        ('prefix = "Key "', "prefix = 3", "key.prefix: expected text in quotes"),
        ('prefix = "Key "', 'prefix = "Key \\r\\nx: "', "key.prefix: invalid header prefix 'Key \\r\\nx: '"),
        ('prefix = "Key "', 'prefix = " Key"', "key.prefix: invalid header prefix ' Key'"),
        ('prefix = "Key "', 'prefix = "Schlüssel "', "key.prefix: invalid header prefix 'Schlüssel '"),
        (
            'key = { header = "X-Key", prefix = "Key ", env = "ACME_KEY" }',
            'key = "k"',
            "key: expected a table, got text",
        ),
        ("'^a-'", "'('", "ids[0]: '(' is not a regular expression"),
        ("/jobs/{id}", "/jobs/", "status.path: {id} is missing in '/jobs/'"),
        (
            "/jobs/{id}",
            "/jobs/{id}/{lang}",
            "status.path: unknown placeholder {lang} in '/jobs/{id}/{lang}'; expected id",
        ),
        ("/jobs/{id}", "jobs/{id}", "status.path: expected a path that starts with '/'"),
        ('["/state"]\nresult_id', '["state"]\nresult_id', "status.value[0]: expected a JSON Pointer ("),
        ('["/state"]\nresult_id', '["/a", "/~2"]\nresult_id', "status.value[1]: '~' must be written as '~0'"),
        ('["/state"]\nresult_id', "[3]\nresult_id", "status.value[0]: expected a JSON Pointer in quotes"),
        ('["/state"]\nresult_id', "[]\nresult_id", "status.value: an empty list"),
        ('"running"', '"run-ning"', "statuses.Busy: 'run-ning' is unknown; did you mean 'running'?"),
        ('Busy = "running"', 'Busy = "new"', "statuses.Busy: a status cannot mean new"),
        (
            'Busy = "running"',
            'Busy = "running"\nbusy = "done"',
            "statuses.busy: done here, but running in another spelling",
        ),
        ('kind = "document"', 'kind = "movie"', "links[0].kind: 'movie' is unknown"),
        ('"90m"', '"90 minutes"', "links[0].lifetime: expected a duration such as 90s"),
        ('"90m"', "90", "links[0].lifetime: expected a duration such as 90s"),
        ("/results/{result_id}", "/results/{id}", "result.path: {result_id} is missing in"),
        (
            'result_id = ["/run"]\n',
            "",
            "result: '/results/{result_id}?as=json' needs status.result_id",
        ),
        ("status.path = ", "status.pth = ", "kinds.long.status.pth: unknown key; did you mean 'path'?"),
        ('"/long/{id}"', '"/long"', "kinds.long.status.path: {id} is missing in"),
        ('statuses = { busy = "queued" }', 'statuses = { busy = "x" }', "kinds.long.statuses.busy: 'x' is unknown"),
        (
            'default = "small"',
            'default = "smaller"',
            "limits.default: 'smaller' is not a plan; did you mean 'small'?",
        ),
        ('default = "small"\n', "", "limits.default: missing"),
        ("per_minute = 5 ", "per_minute = 0 ", "limits.small.per_minute: Expected `float` > 0"),
        ("{ per_minute = 5 }", "{}", "limits.small: needs per_minute or per_day"),
        ("per_minute = 5 ", "per_hour = 5 ", "limits.small.per_hour: unknown key"),
        ("max_ids = 2", "max_ids = 0", "bulk.max_ids: Expected `int` >= 1"),
        ('path = "/jobs"\n', 'path = "/jobs/{id}"\n', "bulk.path: unknown placeholder {id} in '/jobs/{id}'"),
        ('name = "acme"', 'name = "acme"\nsunset = 2026-10-31', "sunset: expected a date-time with an offset"),
        ('name = "acme"', 'name = "acme"\nsunset = 2026-10-31T00:00:00', "sunset: expected a date-time with an offset"),
        ('name = "acme"', 'name = "acme"\nsuccessor = 3', "successor: expected text in quotes"),
        (
            "[statuses]",
            '[[override]]\npointer = "x"\nequals = "y"\nphase = "done"\n[statuses]',
            "override[0].pointer: expected a JSON Pointer",
        ),
        (
            "[statuses]",
            '[[override]]\npointer = "/x"\nequals = "y"\nphase = "new"\n[statuses]',
            "override[0]: no value can mean new",
        ),
        *(
            ("[statuses]", f"[[override]]\n{rule}\n[statuses]", f"override[0]{problem}")
            for rule, problem in [
                ('pointer = "/x"\nequals = true', ": needs either phase or fault"),
                ('pointer = "/x"\nequals = 1\nphase = "done"\nfault = "payment"', ": needs either phase or fault"),
                ('equals = 1\nphase = "done"', ": equals needs pointer"),
                ('phase = "done"', ": needs pointer or http_status"),
                (
                    'pointer = "/x"\nphase = "done"',
                    ": pointer needs a condition: equals, not_equals, any_of, contains, exists",
                ),
                ('pointer = "/x"\nexist = true\nphase = "done"', ".exist: unknown key; did you mean 'exists'?"),
                ('pointer = "/x"\nequals = []\nphase = "done"', ".equals: expected text, a number or a boolean"),
                ('pointer = "/x"\nless_than = "a"\nphase = "done"', ".less_than: Expected `float"),
                ('http_status = 429\nphase = "done"', ".http_status: 429 concerns the account"),
                ('http_status = [303, 99]\nphase = "done"', ".http_status: expected HTTP statuses from 100 to 599"),
                ('http_status = 456\nfault = "paymnt"', ".fault: 'paymnt' is unknown; did you mean 'payment'?"),
            ]
        ),
        *(
            (
                "[statuses]",
                f'[[links]]\nkind = "audio"\npath = "/a/{{id}}"\n{used}\n[statuses]',
                f"links[0].used{problem}",
            )
            for used, problem in [
                ("used = [{ http_status = 410 }]", ": needs one_time = true"),
                ("one_time = true\nused = [{ http_status = 200 }]", "[0].http_status: a 2xx is the file"),
                ("one_time = true\nused = [{ contains = 'x' }]", "[0]: contains needs pointer"),
            ]
        ),
        ("[statuses]", '[error]\nmessage = "/x"\n[statuses]', "error.message: Expected `array`, got `str`"),
    ],
)
def test_a_problem_has_its_key_and_reason(old: str, new: str, problem: str):
    assert any(found.startswith(problem) for found in problems(changed(old, new))), problems(changed(old, new))


def test_all_problems_are_reported_at_once():
    text = (
        changed("base_url", "bse_url").replace("{id}", "{ident}").replace('"running"', '"x"').replace("max_ids = 2", "")
    )
    found = " | ".join(problems(text.replace('default = "small"', 'default = "tiny"')))
    for key in (
        "bse_url",
        "base_url",
        "status.path",
        "statuses.Busy",
        "bulk.max_ids",
        "kinds.long.status.path",
        "limits.default",
    ):
        assert f"{key}: " in found


@pytest.mark.parametrize(
    "text", ["", "a = 1", "status = 3\nkinds = 4\nlimits = 5\nbulk = []\nlinks = {}\nstatuses = []"]
)
def test_missing_keys_of_any_file_are_reported(text: str):
    assert any(problem.startswith("name: missing") for problem in problems(text))


@pytest.mark.parametrize("text", ["name = ", "[" * 100_000, "a = " + "[" * 5_000])
def test_a_file_that_is_not_toml_is_reported(text: str):
    assert problems(text)[0].startswith("not TOML: ")


def test_an_operators_file_replaces_a_built_in_one_and_shows_its_source(tmp_path: Path):
    (tmp_path / "flixu.toml").write_text(GOOD.replace('"acme"', '"flixu"'), "utf-8-sig")
    (tmp_path / "acme.toml").write_text(GOOD)
    known = provider_registry(tmp_path)
    assert list(known) == sorted(["acme", *NAMES])
    assert len(known) == len(NAMES) + 1
    assert known["flixu"].title == "Acme"
    assert known["flixu"].source == str(tmp_path / "flixu.toml")
    assert known["camb"].source == BUILT_IN


def test_an_invalid_file_does_not_affect_the_others(tmp_path: Path):
    (tmp_path / "bad.toml").write_bytes(b"name = \xff")
    (tmp_path / "other.toml").write_text(GOOD)
    (tmp_path / "folder.toml").mkdir()
    known = provider_registry(tmp_path)
    assert "bad" in known
    assert known["camb"].title == "CAMB.AI"
    with pytest.raises(ProviderError, match="not UTF-8: invalid start byte at byte 7"):
        known["bad"]
    with pytest.raises(ProviderError, match="'acme' must be the file's name, 'other'"):
        known["other"]
    with pytest.raises(ProviderError, match="cannot be read: Is a directory"):
        known["folder"]
    with pytest.raises(KeyError):
        known["heygn"]


def test_the_hidden_files_of_editors_are_no_providers(tmp_path: Path):
    (tmp_path / ".#x.toml").symlink_to("operator@host.1234")
    (tmp_path / ".x.toml").write_text("half written")
    assert set(provider_registry(tmp_path)) == set(builtin_files())


def test_a_missing_folder_adds_no_provider(tmp_path: Path):
    assert list(provider_registry(tmp_path / "providers")) == NAMES


def test_loading_a_provider_imports_no_network_module():
    code = "import sys; from tui.providers import loader; loader.provider_registry()['camb']; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"httpx", "asyncio", "textual", "importlib.resources", "difflib", "email"} & set(modules)
