"""Workspace of the demo at its start and after its end."""

import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from tests.support.reference_model import view_counts
from tests.support.virtual_time import DAY, EPOCH, HOUR, MINUTE
from tui.demo import demo_workspace
from tui.demo.fixtures import JOB_GROUPS, JOBS
from tui.demo.job_spec import SERVICES
from tui.domain import evaluation, job_ids, job_state
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import Flag, JobState
from tui.domain.links import expiry, signed_urls
from tui.domain.models import Phase
from tui.engine.http.client import TransportFactory
from tui.presentation import columns, queries
from tui.presentation.queries import View
from tui.presentation.sanitize import clean
from tui.storage.config.secrets import Secret, SecretError
from tui.storage.workspace import Workspace

PollingSetup = tuple[Workspace, TransportFactory]
OUTLOOK = EvaluationContext(now=EPOCH)


def called(stage: PollingSetup) -> dict[str, JobState]:
    return {queries.display_name(state): state for state in stage[0].job_states().values()}


def test_the_watchlist_has_30_to_40_jobs_of_all_four_services(stage: PollingSetup) -> None:
    library, _ = stage
    services = Counter(library.accounts[ref.account].provider.name for ref in library.job_states())
    assert services.pop("heygen-v2") == 1, "its API is retired"
    assert services.pop("deepl-voice") == 2, "with several languages each"
    assert services.pop("deepl-documents") == 1, "polled by POST, with a secret of its own"
    assert set(services) == {"heygen", "konpro", "camb", "flixu"}
    assert 30 <= services.total() <= 40
    assert min(services.values()) >= 6


def test_displayed_texts_are_clean_and_in_many_scripts(stage: PollingSetup) -> None:
    states = stage[0].job_states().values()
    for state in states:
        texts = (
            queries.display_name(state),
            state.job.id,
            state.job.note,
            state.report.raw_status if state.report else "",
        )
        assert [clean(text) for text in texts] == list(texts)
        assert job_ids.invalid_reason(state.job.id) is None
    scripts = {
        unicodedata.name(letter).split()[0]
        for state in states
        for letter in queries.display_name(state)
        if letter.isalpha()
    }
    assert {"LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "CJK", "HANGUL"} <= scripts


def test_every_id_matches_the_pattern_of_its_service(stage: PollingSetup) -> None:
    for ref in stage[0].job_states():
        provider = stage[0].accounts[ref.account].provider
        assert any(re.search(pattern, ref.id) for pattern in provider.id_patterns) or not provider.id_patterns, ref


def test_the_history_has_every_phase_flag_view_and_link_state(stage: PollingSetup) -> None:
    states = stage[0].job_states().values()
    assert {state.phase for state in states} == set(Phase)
    assert {flag for state in states for flag in evaluation.flags(state, OUTLOOK)} == set(Flag)
    assert all(view_counts(states, OUTLOOK).values())
    assert {View.EXPIRING, View.ARCHIVE} <= {view for state in states for view in queries.views(state, OUTLOOK)}
    shown = {columns.link_cell(state, columns.RenderOptions(OUTLOOK)).text for state in states}
    assert {"5d04h", "~18h !", "~41m !", "expired", "text", "document", columns.EMPTY_CELL} <= shown


def test_signed_links_have_an_exact_expiry_and_others_count_from_first_seen(stage: PollingSetup) -> None:
    links = {
        title: link for title, state in called(stage).items() if (link := job_state.primary_link(state)) is not None
    }
    assert signed_urls.signed_expiry(links["דבר המנכ״ל"].url) == (links["דבר המנכ״ל"].expires_at, True)
    estimate = links["Q3 all-hands"]
    assert not estimate.expiry_is_exact
    assert estimate.expires_at == estimate.first_seen + 7 * DAY
    assert estimate.url.startswith("https://api.heygen.com/cdn/")
    assert links["Podcast 12, Ελληνικά"].url.startswith("https://client.camb.ai/cdn/")


def test_the_journal_has_the_phase_changes_and_body_of_a_job(stage: PollingSetup) -> None:
    library, _ = stage
    state = called(stage)["Interview"]
    changes = library.journal.phase_changes([state.job.ref])[state.job.ref]
    assert [change.after for change in changes] == [Phase.RUNNING, Phase.FAILED]
    assert changes[-1].seen == state.phase_since
    assert 2.9 * HOUR < EPOCH - changes[-1].seen < 3 * HOUR
    body, at = library.journal.last_body(state.job.ref) or (b"", 0.0)
    assert b"cannot be decoded" in body
    assert at == state.checked_at


def test_the_watchlist_has_the_operators_comments(stage: PollingSetup) -> None:
    text = stage[0].paths.watchlist_file.read_text()
    assert text.startswith(f"# {JOB_GROUPS[0].comment}\n\n[[job]]\n")
    assert all(f"\n\n# {act.comment}\n\n[[job]]\n" in text for act in JOB_GROUPS[1:])
    jobs = stage[0].watchlist.read().jobs
    assert len(jobs) == len(JOBS)
    assert all(job.added is not None and job.added <= EPOCH for job in jobs)


def test_the_keys_are_those_of_the_demo_and_one_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEYGEN_API_KEY", "LEGAL_FLIXU_API_KEY"):
        monkeypatch.setenv(name, "the operator's own")
    with demo_workspace(now=lambda: EPOCH) as (library, _):
        keys = {name: library.keys.get(name) for name in library.accounts}
    assert list(keys) == list(SERVICES)
    assert isinstance(keys.pop("legal"), SecretError)
    assert all(isinstance(key, Secret) and "_demo_" in key.reveal() for key in keys.values())


def test_the_same_seed_at_the_same_time_gives_the_same_workspace() -> None:
    stages: list[tuple[str, dict[object, JobState]]] = []
    for seed in (7, 7, 8):
        with demo_workspace(now=lambda: EPOCH, seed=seed) as (library, _):
            stages.append((library.paths.watchlist_file.read_text(), dict(library.job_states())))
    assert stages[0] == stages[1]
    assert stages[0] != stages[2]


def test_only_a_private_folder_is_written_and_deleted_afterwards(folder: Path) -> None:
    with demo_workspace() as (library, _):
        (mine,) = folder.iterdir()
        assert mine.stat().st_mode & 0o777 == 0o700
        assert Path(library.settings.downloads.dir).is_relative_to(mine)
        assert all(path.stat().st_mode & 0o077 == 0 for path in mine.rglob("*"))
        library.job_states()
    assert list(folder.iterdir()) == []


def test_the_folder_is_deleted_after_an_exception(folder: Path) -> None:
    with pytest.raises(SystemExit), demo_workspace():
        raise SystemExit(143)
    assert list(folder.iterdir()) == []


def test_the_workspace_is_created_without_httpx_and_textual(tmp_path: Path) -> None:
    code = (
        "import sys, tui.demo\n"
        "with tui.demo.demo_workspace() as (library, transport): library.job_states()\n"
        "print(sorted({'httpx', 'textual', 'filelock', 'uvicorn'} & set(sys.modules)))"
    )
    home = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=home, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert list(tmp_path.iterdir()) == []


def test_the_short_link_expires_in_one_to_two_minutes(stage: PollingSetup) -> None:
    link = job_state.primary_link(called(stage)["Teaser 🎬 15 s"])
    assert link is not None
    assert link.expiry_is_exact
    assert MINUTE < (expiry.remaining(link, EPOCH) or 0) < 2 * MINUTE
