import re
from datetime import UTC

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.strategies import NOW, WEEK, event_sequences, few_examples, fits
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState, reduce
from tui.domain.models import DownloadedFile, Fault, FaultKind, Job, JobPart, Link, LinkKind, PartCounts, Phase, Report
from tui.presentation import columns
from tui.presentation.columns import ASCII, UNICODE, RenderOptions, Tone
from tui.presentation.queries import SORTS
from tui.presentation.table_layout import (
    COLUMN_GAP,
    COLUMN_TYPES,
    DEFAULT_COLUMNS,
    MARKS_WIDTH,
    MIN_NAME_WIDTH,
    visible_columns,
)

OPTIONS = RenderOptions(EvaluationContext(now=NOW))
WIDE = visible_columns(200)


def job(phase=Phase.RUNNING, **more):
    mine = {key: more.pop(key) for key in ("label", "muted", "archived") if key in more}
    return JobState(**{"job": Job(account="heygen", id="i", **mine), "phase": phase, "phase_since": NOW - 420, **more})


def make_report(**more):
    return Report(**{"phase": Phase.RUNNING, "raw_status": "running", **more})


def link(left, exact=True, kind=LinkKind.VIDEO):
    return Link(kind, "https://cdn.test/1", NOW - WEEK, None if left is None else NOW + left, exact)


def row(state, options=OPTIONS, shown=WIDE):
    return {column.id: cell for column, cell in zip(shown, columns.row_cells(state, shown, options), strict=True)}


@pytest.mark.parametrize("width", range(1, 251))
def test_the_columns_fit_every_width_exactly(width):
    shown = visible_columns(width)
    taken = MARKS_WIDTH + sum(column.width for column in shown) + COLUMN_GAP * (len(shown) - 1) + 1
    ids = [column.id for column in shown]
    assert {"status", "name"} <= set(ids)
    assert ids == [column.id for column in WIDE if column.id in ids]
    assert all(column.width > 0 and len(column.title) <= column.width for column in shown if column.id != "name")
    if width >= 40:
        assert taken == width
        assert next(column.width for column in shown if column.id == "name") >= MIN_NAME_WIDTH


@pytest.mark.parametrize(
    ("width", "ids"),
    [
        (200, "status account name lang progress time eta next link"),
        (120, "status account name lang progress time eta next link"),
        (106, "status account name lang progress time eta next link"),
        (80, "status account name lang time next link"),
        (40, "status name"),
    ],
)
def test_columns_are_dropped_in_their_order(width, ids):
    assert [column.id for column in visible_columns(width)] == ids.split()


@few_examples
@example(["provider", "progress", "note", "message", "id"], 65, True)
@given(st.lists(st.sampled_from(list(COLUMN_TYPES)), min_size=1, unique=True), st.integers(1, 250), st.booleans())
def test_chosen_columns_keep_their_order_and_fit(chosen, width, show_instants):
    shown = visible_columns(width, chosen=chosen, show_instants=show_instants)
    ids = [column.id for column in shown]
    assert ids == [column for column in chosen if column in ids]
    assert chosen[0] in ids
    taken = MARKS_WIDTH + sum(column.width for column in shown) + COLUMN_GAP * (len(shown) - 1) + 1
    assert taken <= max(width, 60)
    if "name" in ids and width >= 60:
        assert next(column.width for column in shown if column.id == "name") >= MIN_NAME_WIDTH


def test_chosen_columns_are_dropped_from_the_right():
    chosen = (*DEFAULT_COLUMNS, "tags", "polls")
    assert [column.id for column in visible_columns(150, chosen=chosen)] == list(chosen)
    shown = "status account name lang progress time next"
    assert " ".join(column.id for column in visible_columns(80, chosen=[*shown.split(), "tags", "polls"])) == shown


def test_every_column_has_a_cell_a_sort_and_a_meaning():
    state = job(
        first_polled_at=NOW - 600,
        poll_count=7,
        label="Name",
        report=make_report(message="Audio missing", language="fr"),
    )
    state = replace(state, job=replace(state.job, tags=("a", "b"), note="legal", kind="dub", owners=("ann", "bo")))
    options = OPTIONS._replace(context=replace(OPTIONS.context, providers={"heygen": "vendor"}))
    found = row(state, options, visible_columns(270, chosen=list(COLUMN_TYPES)))
    assert list(found) == list(COLUMN_TYPES)
    wanted = {
        "owner": "ann, bo",
        "provider": "vendor",
        "id": "i",
        "total": "10m",
        "tags": "a b",
        "note": "legal",
        "message": "Audio missing",
    }
    wanted |= {"kind": "dub", "polls": "7", "changed": "07:53", "time": "7m"}
    assert {name: found[name].text for name in wanted} == wanted
    assert COLUMN_TYPES.keys() <= SORTS.keys()
    empty = row(JobState(job=Job(account="heygen", id="i")), OPTIONS, visible_columns(270, chosen=list(COLUMN_TYPES)))
    assert {empty[name].text for name in ("total", "tags", "note", "message", "kind", "changed")} == {"·"}


def test_the_columns_at_80_cells_are_those_of_the_sketch():
    assert [(column.title, column.width) for column in visible_columns(80)] == [
        ("STATUS", 11),
        ("ACCOUNT", 7),
        ("NAME", 23),
        ("LANG", 5),
        ("TIME", 5),
        ("NEXT", 5),
        ("LINK", 8),
    ]


@pytest.mark.parametrize(
    ("phase", "text", "plain", "tone"),
    [
        (Phase.NEW, "○ new", ". new", Tone.QUIET),
        (Phase.QUEUED, "○ queued", ". queued", Tone.QUIET),
        (Phase.RUNNING, "▸ running", "> running", Tone.RUNNING),
        (Phase.DONE, "✓ done", "+ done", Tone.DONE),
        (Phase.FAILED, "✗ failed", "x failed", Tone.FAILED),
        (Phase.TIMED_OUT, "⊘ timed out", "! timed out", Tone.FAILED),
        (Phase.BLOCKED, "$ blocked", "$ blocked", Tone.WARNING),
        (Phase.MISSING, "? missing", "? missing", Tone.WARNING),
    ],
)
def test_every_phase_has_glyph_text_and_tone(phase, text, plain, tone):
    assert columns.status_cell(job(phase), OPTIONS) == (text, tone)
    assert columns.status_cell(job(phase), RenderOptions(EvaluationContext(now=NOW), ASCII)) == (plain, tone)
    assert len(text) <= 11


def test_an_unknown_status_is_shown_as_it_is_with_a_doubtful_glyph():
    assert columns.status_cell(job(report=make_report(phase=None, raw_status="lip_syncing")), OPTIONS) == (
        "? lip_syncing",
        Tone.WARNING,
    )


def test_a_stale_row_is_dimmed_and_shows_its_age():
    stale = job(report=make_report(progress=0.62), checked_at=NOW - 720, stale_after=NOW - 1)
    found = row(stale)
    assert found["status"] == ("? running", Tone.QUIET)
    assert found["progress"] == ("12m old", Tone.WARNING)
    assert columns.is_dimmed(stale, OPTIONS)
    assert not columns.is_dimmed(job(stale_after=NOW), OPTIONS)


@pytest.mark.parametrize(
    ("links", "result", "text", "tone"),
    [
        ((), None, "·", Tone.QUIET),
        ((), "Hola", "text", Tone.DONE),
        ((link(5 * 86400 + 4 * 3600),), None, "5d04h", Tone.DONE),
        ((link(5 * 86400 + 4 * 3600, exact=False),), None, "~5d04h", Tone.DONE),
        ((link(18 * 3600),), None, "18h !", Tone.WARNING),
        ((link(7500, exact=False),), None, "~2h05m !", Tone.WARNING),
        ((link(-1),), None, "expired", Tone.WARNING),
        ((link(-1, exact=False),), None, "expired", Tone.WARNING),
        ((link(None),), None, "video", Tone.DONE),
        ((link(None, kind=LinkKind.DOCUMENT),), None, "document", Tone.DONE),
    ],
)
def test_a_link_shows_its_remaining_life(links, result, text, tone):
    assert columns.link_cell(job(Phase.DONE, links=links, result=result), OPTIONS) == (text, tone)
    assert len(text) <= 8


@pytest.mark.parametrize(
    ("links", "result", "text"),
    [
        ((link(5 * 86400 + 4 * 3600),), None, "↓ 5d04h"),
        ((link(18 * 3600, exact=False),), None, "↓ ~18h"),
        ((link(-1),), None, "↓ saved"),
        ((link(None),), None, "↓ saved"),
        ((), "Hola", "↓ saved"),
    ],
)
def test_a_downloaded_job_shows_its_mark_and_no_expiry(links, result, text):
    files = tuple(DownloadedFile(what, f"/d/{what}", 1, NOW) for what in ("video", "text"))
    done = job(Phase.DONE, links=links, result=result, downloads=files)
    assert columns.link_cell(done, OPTIONS) == (text, Tone.DONE)
    assert len(text) <= 8


def test_a_partly_downloaded_job_shows_no_mark():
    links = (link(5 * 86400), link(5 * 86400, kind=LinkKind.CAPTIONS))
    done = job(Phase.DONE, links=links, downloads=(DownloadedFile("captions", "/d/a.srt", 1, NOW),))
    assert columns.link_cell(done, OPTIONS).text == "5d00h"


@pytest.mark.parametrize(("share", "text", "bar"), [(0.45, "↓ 45%", " 45% ████·····"), (None, "↓ …", "·")])
def test_a_running_download_shows_its_progress(share, text, bar):
    done = job(Phase.DONE, links=(link(5 * 86400),))
    found = row(done, OPTIONS._replace(download_progress={done.job.ref: share}))
    assert (found["link"].text, found["progress"].text) == (text, bar)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (job(report=make_report(progress=0.62)), " 62% █████▌···"),
        (job(report=make_report(progress=1.0)), "100% █████████"),
        (job(report=make_report(progress=0.5, progress_is_stage=True)), "stage 1 of 2"),
        (job(report=make_report(progress=0.0, progress_is_stage=True)), "·"),
        (job(report=make_report()), "·"),
        (job(Phase.DONE, report=make_report(progress=1.0)), "·"),
    ],
)
def test_progress_is_measured_a_stage_or_empty(state, text):
    assert row(state)["progress"].text == text


@pytest.mark.parametrize("width", [90, 94, 99, 100, 120])
def test_the_progress_bar_is_never_cut(width):
    for column in visible_columns(width):
        if column.id == "progress":
            state = job(report=make_report(progress=1.0))
            assert len(row(state, shown=visible_columns(width))["progress"].text) <= column.width


def test_the_next_column_shows_waiting_and_stopped_accounts():
    state = job(next_poll_at=NOW + 12)
    assert row(state)["next"].text == "12s"
    assert row(job(next_poll_at=NOW - 3))["next"].text == "now"
    assert row(job())["next"].text == "·"
    assert row(state, RenderOptions(EvaluationContext(now=NOW), not_before={"heygen": NOW + 38}))["next"].text == "38s"
    stopped = row(state, RenderOptions(EvaluationContext(now=NOW), stopped_accounts=frozenset({"heygen"})))
    assert (stopped["next"].text, stopped["account"].tone) == ("·", Tone.QUIET)


def test_a_problem_shows_the_services_message():
    fault = Fault(FaultKind.TOO_LARGE, "the reply is larger")
    assert row(job(Phase.FAILED, label="L", report=make_report(message="no speech")))["name"].text == "L: no speech"
    assert row(job(Phase.MISSING, label="L", fault=fault))["name"].text == "L: the reply is larger"
    assert row(job(label="L", fault=fault))["name"].text == "L: too large"
    assert row(job(Phase.DONE, label="L", report=make_report(message="all well")))["name"].text == "L"


def test_a_link_for_one_download_is_marked_until_it_is_used():
    once = replace(link(None), one_time=True)
    assert row(job(Phase.DONE, links=(once,)))["link"].text == "one only"
    assert row(job(Phase.DONE, links=(replace(once, is_used=True),)))["link"] == ("used", Tone.QUIET)


def parts_report(done, failed, total, **more):
    parts = [JobPart(phase=Phase.DONE, language=code) for code in ("pt-BR", "fr", "es", "it", "de", "nl", "sv")[:total]]
    return make_report(parts=tuple(parts), part_counts=PartCounts(done, failed, total), **more)


@pytest.mark.parametrize(
    ("phase", "counts", "cells"),
    [
        (Phase.RUNNING, (5, 0, 7), ("▸ running", "pt +6", "5 of 7 done", Tone.RUNNING)),
        (Phase.RUNNING, (5, 1, 7), ("▸ running", "pt +6", "5 of 7 done", Tone.WARNING)),
        (Phase.DONE, (7, 0, 7), ("✓ done", "pt +6", "7 of 7 done", Tone.QUIET)),
        (Phase.DONE, (5, 2, 7), ("✓ partial", "pt +6", "5 of 7 done", Tone.WARNING)),
        (Phase.RUNNING, (512, 0, 9999), ("▸ running", "pt +6", "512 of 9999", Tone.RUNNING)),
        (Phase.DONE, (1, 0, 1), ("✓ done", "pt-BR", "·", Tone.QUIET)),
    ],
)
def test_a_job_with_parts_is_one_row_that_counts_them(phase, counts, cells):
    done, failed, total = counts
    found = row(job(phase, label="L", report=parts_report(done, failed, min(total, 7) if total < 9 else total)))
    progress = found["progress"]
    assert (found["status"].text, found["lang"].text, progress.text, progress.tone) == cells


def test_a_done_job_with_failed_parts_names_them_and_needs_the_operator():
    state = job(Phase.DONE, label="L", report=parts_report(5, 2, 7, message="es: no speech; 5 of 7 done"))
    assert row(state)["name"].text == "L: es: no speech; 5 of 7 done"
    order = sorted(
        [job(Phase.DONE), state, job(), job(Phase.FAILED)],
        key=lambda each: SORTS["attention"].key(each, OPTIONS.context),
    )
    assert [each.phase for each in order] == [Phase.FAILED, Phase.DONE, Phase.RUNNING, Phase.DONE]
    assert order[1] is state


@few_examples
@given(event_sequences(), st.floats(0, 1e8), st.integers(1, 250), st.sampled_from([UNICODE, ASCII]))
def test_every_state_has_a_row_without_empty_text(events, later, width, glyphs):
    state = JobState(job=Job(account="a", id="1"))
    for _, event in events:
        state, _ = reduce(state, event)
    shown = visible_columns(width)
    for column, cell in zip(
        shown, columns.row_cells(state, shown, RenderOptions(EvaluationContext(now=NOW + later), glyphs)), strict=True
    ):
        assert cell.text or column.id == "lang"
        assert not {"None", "null", "nan", "-1"} & set(cell.text.split())
        if column.id in {"time", "next"}:
            assert len(cell.text) <= 6


def estimate(text):
    found = re.match(r" *~(\d+)%", text)
    return None if found is None else int(found[1])


@few_examples
@given(event_sequences(), st.none() | fits, st.floats(0, 1e6), st.floats(0, 1), st.sampled_from([None, UTC]))
def test_a_row_is_unchanged_for_as_long_as_predicted(events, fit, later, share, zone):
    state, now = JobState(job=Job(account="a", id="1")), NOW + later
    for at, event in events:
        state, now = reduce(state, event)[0], at + later
    state = replace(state, duration_fit=fit)
    options = RenderOptions(EvaluationContext(now=now), time_zone=zone)
    still = min(columns.unchanged_for(state, options), 1e7)
    then = options._replace(context=replace(options.context, now=now + max(0.0, still - 1e-3) * share))
    before, after = row(state, options), row(state, then)
    for name, cell in before.items():
        if name in {"progress", "eta"} and still * share <= 1:
            continue  # a screen looks at no row more than once a second for an estimate's sake
        shares = estimate(cell.text), estimate(after[name].text)
        if name == "eta":
            assert (cell.text == columns.EMPTY_CELL) is (after[name].text == columns.EMPTY_CELL)
        elif None in shares:
            assert cell == after[name]
        else:
            assert abs(shares[0] - shares[1]) <= 1
