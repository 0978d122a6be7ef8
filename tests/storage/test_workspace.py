import os
import sqlite3

import pytest

from tests.support import fixtures
from tests.support.fixtures import KEY, make_workspace, workspace_paths
from tui.domain.models import Job, Phase, Ref
from tui.storage.config.secrets import SecretError
from tui.storage.config.settings import SettingsError
from tui.storage.journal.database import JournalError
from tui.storage.journal.journal import JournalEntry
from tui.storage.watchlist.cache import WatchlistCache
from tui.storage.watchlist.content import WatchlistError
from tui.storage.watchlist.operations import Add, Remove
from tui.storage.workspace import Workspace

A, B = Ref("heygen", "a"), Ref("heygen", "b")
BASE = "https://heygen.test"


def bare(tmp_path, config="", environ=None):
    (tmp_path / "config.toml").write_text(config)
    return Workspace.open(workspace_paths(tmp_path), environ or {})


def test_job_states_are_in_the_watchlists_order_with_the_journals_phases(tmp_path):
    found = make_workspace(tmp_path, BASE, {"heygen": ("b", "a")})
    state = found.job_states()[A]
    assert list(found.job_states()) == [B, A]
    found.journal.record([JournalEntry(type(state)(job=state.job, phase=Phase.DONE))])
    found.journal.record([JournalEntry(type(state)(job=Job(account="heygen", id="gone")))])
    assert {ref: state.phase for ref, state in found.job_states().items()} == {B: Phase.NEW, A: Phase.DONE}
    found.close()


def test_the_watchlists_values_of_a_job_replace_the_journals(tmp_path):
    found = make_workspace(tmp_path, BASE, (Job(account="heygen", id="a", label="new"),))
    state = found.job_states()[A]
    found.journal.record([JournalEntry(type(state)(job=Job(account="heygen", id="a", label="old"), phase=Phase.DONE))])
    assert (found.job_states()[A].job.label, found.job_states()[A].phase) == ("new", Phase.DONE)
    found.close()


def leave_cache(found):
    """Leave in the journal what a console does: the states, and the list with the file's stamp."""
    content = found.watchlist.read()
    found.journal.record([JournalEntry(state) for state in found.job_states().values()])
    cache = WatchlistCache.from_content(found.paths.watchlist_file, found.watchlist.stamp(), content)
    found.journal.save_ui_state(cache.to_ui_state())


def replace_text(path, old, new):
    """Replace a text by another of its length, in a file with the same stamp afterwards."""
    status = path.stat()
    path.write_text(path.read_text().replace(old, new))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_an_unchanged_watchlist_is_not_read_again(tmp_path):
    found = make_workspace(tmp_path, BASE, (Job(account="heygen", id="b", label="old"), Job(account="heygen", id="a")))
    leave_cache(found)
    expected = found.job_states()
    assert [(ref, state.job.label) for ref, state in expected.items()] == [(B, "old"), (A, "")]
    replace_text(found.paths.watchlist_file, "old", "new")
    assert found.job_states() == expected, "the stamp is the same"
    found.paths.watchlist_file.touch()
    assert [state.job.label for state in found.job_states().values()] == ["new", ""]
    found.close()


def test_a_watchlist_is_read_if_the_journal_has_other_values_of_its_jobs(tmp_path):
    found = make_workspace(tmp_path, BASE, (Job(account="heygen", id="a", label="ours"),))
    leave_cache(found)
    state = found.job_states()[A]
    found.journal.record([JournalEntry(type(state)(job=Job(account="heygen", id="a", label="of another watchlist")))])
    assert found.job_states()[A].job.label == "ours"
    found.close()


def test_an_empty_watchlist_opens_no_journal(tmp_path):
    found = make_workspace(tmp_path, BASE)
    assert found.job_states() == {}
    assert not (tmp_path / "state").exists()
    found.close()


def test_the_state_folder_is_private(tmp_path):
    found = make_workspace(tmp_path, BASE, {"heygen": ("a",)})
    found.job_states()
    assert oct((tmp_path / "state").stat().st_mode & 0o777) == "0o700"
    found.close()


def test_a_variable_makes_an_account_if_none_is_configured(tmp_path):
    found = bare(tmp_path, environ={"HEYGEN_API_KEY": KEY})
    assert list(found.accounts) == ["heygen"], "its predecessor shares the key and is no account"
    assert found.keys.get("heygen").reveal() == KEY
    assert "set CAMB_API_KEY and restart" in found.config.why_unconfigured("camb")


def test_a_job_without_account_gets_a_remedy(tmp_path):
    found = make_workspace(tmp_path, BASE, accounts=("heygen",))
    assert "did you mean 'heygen'" in found.config.why_unconfigured("heygem")
    assert "restart" not in found.config.why_unconfigured("camb")
    assert str(tmp_path / "config.toml") in found.config.why_unconfigured("camb")


def test_an_invalid_provider_file_is_reported_once_and_affects_no_other_account(tmp_path):
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers" / "mine.toml").write_text("name = ")
    found = bare(tmp_path, environ={"HEYGEN_API_KEY": KEY})
    assert list(found.accounts) == ["heygen"]
    for _ in range(3):
        found.config.why_unconfigured("unknown")
    assert len([warning for warning in found.warnings if "mine.toml" in warning]) == 1


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('[accounts.x]\nprovider = "heygem"\n', "did you mean 'heygen'"),
        ('[accounts.konpro]\nplan = "prp"\n', "did you mean 'pro'"),
    ],
)
def test_an_unknown_name_is_reported_with_the_nearest_known_name(tmp_path, config, message):
    with pytest.raises(SettingsError, match=message):
        _ = bare(tmp_path, config).accounts


@pytest.mark.parametrize(
    ("config", "per_minute", "per_day"),
    [
        ("[accounts.konpro]\n", 6, 100),
        ('[accounts.konpro]\nplan = "pro"\n', 36, 1000),
        ('[accounts.konpro]\nplan = "pro"\nrate_per_minute = 50\n', 50, None),
    ],
)
def test_the_rate_is_the_configured_one_or_three_fifths_of_the_plans(tmp_path, config, per_minute, per_day):
    account = bare(tmp_path, config).accounts["konpro"]
    assert (account.per_minute, account.per_day) == (pytest.approx(per_minute), per_day)


def test_a_key_file_is_read_again_when_it_changes(tmp_path):
    key = tmp_path / "key"
    found = bare(tmp_path, f'[accounts.heygen]\napi_key = {{ file = "{key}" }}\n')
    assert isinstance(found.keys.get("heygen"), SecretError)
    assert found.keys.forget_changed() == []
    key.write_text("one-key-000000")
    assert found.keys.forget_changed() == ["heygen"]
    assert found.keys.get("heygen").reveal() == "one-key-000000"
    assert found.keys.forget_changed() == []
    key.write_text("another-key-000000")
    assert found.keys.forget_changed() == ["heygen"]
    assert found.keys.get("heygen").reveal() == "another-key-000000"


def test_readonly_writes_no_watchlist(tmp_path):
    make_workspace(tmp_path, BASE, {"heygen": ("a",)})
    found = Workspace.open(workspace_paths(tmp_path), {}, readonly=True)
    before = (tmp_path / "watchlist.toml").read_bytes()
    for operation in (Remove((A,)), Add((Job(account="heygen", id="b"),))):
        with pytest.raises(WatchlistError, match="--readonly"):
            found.edit_watchlist(operation)
    assert (tmp_path / "watchlist.toml").read_bytes() == before


def test_a_handover_shares_the_keys_and_passes_the_open_journal_on(tmp_path):
    found = make_workspace(tmp_path, BASE, {"heygen": ("a",)})
    found.job_states()
    journal = found.journal
    other = found.handover()
    assert other.keys.get("heygen") == found.keys.get("heygen")
    assert other.journal is journal
    assert found.journal is not journal
    other.close()
    assert list(found.job_states()) == [A]
    found.close()
    found.close()


def test_a_damaged_journal_is_reported_and_the_watchlist_is_unaffected(tmp_path):
    found = fixtures.make_workspace(tmp_path, BASE, {"heygen": ("a",)})
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "journal.db").write_text("damage " * 999)
    assert list(found.job_states()) == [A]
    assert [warning for warning in found.warnings if "was damaged" in warning]
    assert found.edit_watchlist(Remove((A,)))[1].removed == (A,)
    found.close()


def test_with_an_unwritable_state_folder_the_journal_is_in_memory(tmp_path):
    found = fixtures.make_workspace(tmp_path, BASE, {"heygen": ("a",)})
    (tmp_path / "state").write_text("a file where the folder should be")
    assert "Polling continues" in found.ensure_journal()
    found.journal.record([JournalEntry(found.job_states()[A])])
    assert list(found.journal.states()) == [A]
    found.close()


def test_a_newer_journal_is_not_replaced_by_one_in_memory(tmp_path):
    found = fixtures.make_workspace(tmp_path, BASE, {"heygen": ("a",)})
    found.job_states()
    found.close()
    newer = sqlite3.connect(tmp_path / "state" / "journal.db")
    newer.execute("PRAGMA user_version=99")
    newer.close()
    with pytest.raises(JournalError, match="newer babeltop"):
        found.ensure_journal()


def test_plain_http_from_a_provider_file_names_the_account(tmp_path):
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers" / "acme.toml").write_text(
        'name = "acme"\ntitle = "Acme"\nbase_url = "http://api.acme.example"\ncadence = "text"\n'
        'key = { header = "x-key" }\n[status]\npath = "/jobs/{id}"\nvalue = ["/status"]\n'
    )
    table = '[accounts.acme]\napi_key = { env = "ACME" }\n'
    with pytest.raises(SettingsError, match=r"accounts\.acme\.base_url: plain http"):
        _ = bare(tmp_path, table, {"ACME": "k"}).accounts
    found = bare(tmp_path, f"{table}insecure_http = true\n", {"ACME": "k"})
    assert found.accounts["acme"].base_url == "http://api.acme.example"
