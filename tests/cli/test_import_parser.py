"""`add -` reads what `export` writes, unchanged, and a spreadsheet executes nothing in it."""

import csv
import io
import tomllib

import msgspec
import pytest
from hypothesis import given
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
    ],
)
def test_the_formats_of_other_programs_are_read(text: str, expected: list) -> None:
    assert [tuple(each) for each in parse_records(text)] == expected


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ('{"id": "a"}\n{"id": }', "line 2", "invalid JSON"),
        ('[{"id": "a"}', "the array", "invalid JSON"),
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
