"""`add -` reads what `export` writes, unchanged, and a spreadsheet executes nothing in it."""

import csv
import io
import json
import tomllib

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.conftest import Program
from tui.cli import csv_format
from tui.cli.csv_format import COLUMNS, flatten_job
from tui.cli.import_parser import ImportRecord, InvalidRecord, parse_records
from tui.cli.output import json_array
from tui.domain import job_ids
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.models import Job, Phase, Report
from tui.presentation.json_output import job_with_options
from tui.presentation.sanitize import clean

OUTLOOK = EvaluationContext(now=1.8e9, stall_after=3600, warn_before=86400, archive_after=1e9)
TEXTS = st.text(max_size=40).map(clean) | st.sampled_from(["=1+1", "'=1", "''", '"', "-x", "a;b ,c", "@", "'"])
JOBS = st.builds(
    Job,
    account=st.sampled_from(["heygen", "legal-2"]),
    id=st.text(min_size=1, max_size=20).filter(lambda text: job_ids.invalid_reason(text) is None) | st.just("-=1"),
    kind=st.sampled_from(["", "dub"]),
    label=TEXTS,
    tags=st.lists(TEXTS.filter(bool), unique=True, max_size=3).map(tuple),
    note=TEXTS,
    added=st.none() | st.integers(0, 4_000_000_000).map(float),
    keep_link=st.booleans(),
    download=st.booleans(),
    muted=st.booleans(),
    archived=st.booleans(),
)


def imported(text: str) -> list[Job | InvalidRecord]:
    """Jobs that `add -` makes of a text."""
    return [Job(id=each.id, **each.fields) if isinstance(each, ImportRecord) else each for each in parse_records(text)]


@given(st.lists(JOBS, max_size=4))
def test_an_exported_job_is_imported_unchanged(jobs: list[Job]) -> None:
    shapes = [job_with_options(JobState(job=job), "heygen", OUTLOOK) for job in jobs]
    assert imported(json_array(shapes)) == jobs
    assert imported("".join(msgspec.json.encode(shape).decode() + "\n" for shape in shapes)) == jobs
    assert imported(csv_format.write_csv(COLUMNS, map(flatten_job, shapes))) == jobs


@given(st.text(max_size=60).map(lambda text: text.replace("\0", "")))
def test_no_cell_is_a_formula_and_every_cell_round_trips(title: str) -> None:
    text = csv_format.write_csv(["id", "title"], [{"id": "a", "title": title}])
    ((_, row),) = csv_format.read_rows(text, ",")
    assert row["title"] == title
    shown = list(csv.reader(io.StringIO(text, newline="")))[1][1]
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.text(max_size=200) | st.sampled_from(["[" * 100_000, '{"id":' * 5000, 'id\n"', "[1]", "[", "{}", "id,\n\0,"]))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    assert all(isinstance(each, ImportRecord | InvalidRecord) for each in parse_records(text))


def test_a_hostile_title_is_no_formula_in_an_export() -> None:
    state = JobState(
        job=Job(account="a", id="x"), report=Report(phase=Phase.DONE, raw_status="done", title="=cmd|'/C calc'!A0")
    )
    (row,) = csv.DictReader(
        io.StringIO(csv_format.write_csv(COLUMNS, [flatten_job(job_with_options(state, "a", OUTLOOK))]))
    )
    assert row["title"] == "'=cmd|'/C calc'!A0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\n\n b ", [("a\r", {}), (" b ", {})]),
        ("ID;Label;tags\r\n7;Brüssel;a b\r\n", [("7", {"label": "Brüssel", "tags": ("a", "b")})]),
        ("id\tmuted\nx\tyes\ny\t\n", [("x", {"muted": True}), ("y", {"muted": False})]),
        ('["a", {"id": "b", "account": ""}]', [("a", {}), ("b", {})]),
        ('{"id": "a"}\n\n{"id": "b", "note": "two\\nlines"}', [("a", {}), ("b", {"note": "two\nlines"})]),
        ('{\n "id": "a"\n}', [("a", {})]),
        ("id,added\na,2026-11-21\n", [("a", {"added": 1795219200.0})]),
        ("\tid\tlabel\n0\ta\tL\n1\tb\t\n", [("a", {"label": "L"}), ("b", {"label": ""})]),
        ("sep=;\r\n\r\nid;label\r\na;L\r\n", [("a", {"label": "L"})]),
        (";;\nid;label;\na;L;\n", [("a", {"label": "L"})]),
        ('{\n  "id": "a"\n}\n{\n  "id": "b"\n}\n', [("a", {}), ("b", {})]),
        ('{"id": "a"}{"id": "b"}"c"', [("a", {}), ("b", {}), ("c", {})]),
        ('["a"]\n["b", "c"]', [("a", {}), ("b", {}), ("c", {})]),
        ('{"id": "a"},\n{"id": "b"},\n', [("a", {}), ("b", {})]),
        ('\x1e{"id": "a"}\n\x1e{"id": "b"}\n', [("a", {}), ("b", {})]),
    ],
)
def test_the_formats_of_other_programs_are_read(text: str, expected: list) -> None:
    assert [tuple(each) for each in parse_records(text)] == expected


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ('{"id": "a"}\n{"id": }', "line 2", "invalid JSON"),
        ('[{"id": "a"}', "line 1", "invalid JSON: Expecting ',' delimiter: line 1 column 13"),
        ('{\n "id": a\n}\n{\n "id": "b"\n}', "line 1", "invalid JSON: Expecting value: line 2 column 8"),
        ('{"id": "a"}\n["b", 7]', "line 2, element 2", "expected an id, or an object"),
        ('\n\nid,note,muted\n\na,"two\nlines",no\nb,"two\nlines",perhaps\n', "line 7", "muted: expected true or false"),
        ('[{"id": "a"}, 7]', "element 2", "expected an id, or an object"),
        ('[{"id": "a"}, {"id": 7}]', "element 2", "has no id"),
        ("id,muted\na,perhaps\n", "line 2", "muted: expected true or false, not 'perhaps'"),
        ('{"id": "a", "added": 7}', "line 1", "added: expected a time"),
        ('{"id": "a", "tags": [7]}', "line 1", "tags: expected text"),
    ],
)
def test_an_invalid_record_is_reported_with_its_location(text: str, where: str, reason: str) -> None:
    wrong = [each for each in parse_records(text) if isinstance(each, InvalidRecord)]
    assert [each.location for each in wrong] == [where]
    assert reason in wrong[0].reason


FIELDS = 'kind = "dub"\nlabel = "-1, \\"x\\""\ntags = ["two words", "b"]\nnote = "=n"\nadded = 2026-11-21T20:14:00Z\n'
OPTIONS = "keep_link = true\ndownload = true\nmuted = true\narchived = true\n"


@pytest.mark.parametrize("form", ["csv", "json"])
def test_an_export_recreates_the_watchlist(configured: Program, form: str) -> None:
    configured.with_jobs("camb:-one", "camb:two", more=FIELDS + OPTIONS)
    before = tomllib.loads(configured.watchlist.read_text())
    written = configured("export", "--format", form).out
    other = configured.folder / "other.toml"
    completed = configured("--watchlist", str(other), "add", "-", stdin=written)
    assert completed.code == 0
    assert tomllib.loads(other.read_text()) == before


def test_options_apply_to_every_record(configured: Program) -> None:
    sheet_of_two = "account,id,label,tags\nheygen,one,L,a\nkonpro,two,,\n"
    completed = configured("add", "-", "--account", "camb", "--tag", "b", "--note", "n", stdin=sheet_of_two)
    assert completed.code == 0
    found = tomllib.loads(configured.watchlist.read_text())["job"]
    assert [(job["account"], job["id"], job.get("label"), job["tags"], job["note"]) for job in found] == [
        ("camb", "one", "L", ["a", "b"], "n"),
        ("camb", "two", None, ["b"], "n"),
    ]


def test_valid_records_of_a_file_are_added_and_the_others_are_named(configured: Program) -> None:
    lines = ['{"id": "doc_1"}', '{"id": "x", "account": "nobody"}', "{", '{"id": "interview-4"}']
    completed = configured("add", "-", stdin="\n".join(lines))
    assert completed.code == 2
    assert "added: flixu:doc_1" in completed.err
    assert "not added: 'x': unknown account 'nobody'" in completed.err
    assert "not added: 'line 3': invalid JSON" in completed.err
    assert "not added: 'interview-4': ambiguous" in completed.err


INSTANTS = ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59.999999Z", "10000-01-01"]
"""Times that no date-time in UTC can have."""


@pytest.mark.parametrize("instant", INSTANTS)
def test_a_line_with_an_instant_out_of_range_is_refused_and_the_others_are_added(
    configured: Program, instant: str
) -> None:
    completed = configured("add", "-", stdin=f"id,added\ndoc_1,\ndoc_2,{instant}\ndoc_3,2026-11-21\n")
    assert completed.code == 2
    assert f"not added: 'line 3': added: expected a time such as 2026-11-21T20:14:00Z, not '{instant}'" in completed.err
    assert [job["id"] for job in tomllib.loads(configured.watchlist.read_text())["job"]] == ["doc_1", "doc_3"]


CELLS = st.text(max_size=6) | st.sampled_from(
    [*INSTANTS, "doc_1", "true", "a b", "\ud800", "\0", '"', "x" * 9999, "-", ":"]
)
CELLS_BY_TITLE = st.dictionaries(
    st.sampled_from(COLUMNS), CELLS | st.lists(CELLS, max_size=2) | st.none() | st.floats()
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=st.lists(
        st.fixed_dictionaries({"id": CELLS}).flatmap(lambda row: CELLS_BY_TITLE.map(row.__or__)), max_size=3
    ).map(lambda rows: json.dumps(rows).encode())
    | st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=3).map(
        lambda rows: "\n".join(["id,added,label", *map(",".join, rows)]).encode(errors="surrogatepass")
    )
    | st.binary(max_size=40)
)
def test_no_input_is_an_internal_error(configured: Program, raw: bytes) -> None:
    configured.watchlist.unlink(missing_ok=True)
    assert configured.call("add", "--account", "camb", "-", stdin=raw).code in {0, 2}
    if configured.watchlist.exists():
        assert configured.call("list", "--json").code == 0


TITLES_AND_ROW = "id,label\ndoc_1,Müller\n"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_names_the_encoding(configured: Program, encoding: str) -> None:
    table = TITLES_AND_ROW.replace(",", "\t")
    assert configured.call("add", "-", stdin=table.encode(encoding)).code == 0
    assert tomllib.loads(configured.watchlist.read_text())["job"][0]["label"] == "Müller"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (TITLES_AND_ROW.encode("cp1252"), "stdin is not UTF-8 but probably WINDOWS-1252 (line 2, byte 0xFC): convert"),
        (
            TITLES_AND_ROW.encode("utf-16-le"),
            "stdin is not UTF-8 but probably UTF-16 (every second byte is 0): convert",
        ),
        (TITLES_AND_ROW.encode("utf-16")[:-1], "stdin is damaged UTF-16-LE: truncated data"),
    ],
)
def test_another_encoding_is_refused_by_name_and_nothing_is_added(configured: Program, raw: bytes, reason: str) -> None:
    completed = configured.call("add", "-", stdin=raw)
    assert completed.code == 2
    assert reason in completed.err
    assert not configured.watchlist.exists()


def test_a_list_that_was_split_into_a_stream_is_added(configured: Program) -> None:
    configured.with_jobs("camb:one", "flixu:two")
    listed = configured("list", "--json").json
    configured.watchlist.unlink()
    assert configured("add", "-", stdin="\n".join(json.dumps(job, indent=2) for job in listed)).code == 0
    assert [job["id"] for job in configured("list", "--json").json] == ["one", "two"]
