"""Downloads: queued, running, saved, failed, cancelled, and the folder of their files."""

import os
import stat
import sys

import pytest
from msgspec.structs import replace

from tests.dashboard.conftest import NOW
from tests.dashboard.test_dashboard import text_of
from tests.support.fake_engine import FakeEngine, update_of
from tests.support.waiting import wait_until
from tui.dashboard.app import Babeltop
from tui.dashboard.dialogs.confirm import ConfirmScreen
from tui.domain.models import DownloadedFile, Link, LinkKind, Phase
from tui.engine.api import DownloadProgress, DownloadStage, Update
from tui.presentation import queries

HOUR = 3600.0
VIDEO = Link(LinkKind.VIDEO, "https://cdn.test/a.mp4", NOW - HOUR, NOW + HOUR, expiry_is_exact=True)


async def put(app, engine, pilot, **more):
    """The cursor on a job that is done, its state as received."""
    await pilot.pause()
    states = [state for state in app.screen.board.states.values() if state.phase is Phase.DONE and state.links]
    state = next(state for state in states if queries.display_name(state).isascii())
    state = replace(state, links=(VIDEO,), result=None, **more)
    engine.push(update_of(state))
    await pilot.pause()
    app.screen.table.move_to_job(state.job.ref)
    await pilot.pause()
    return state.job.ref


def on_its_way(ref, **more):
    progress = {"file_name": "Spring.mp4", "received_bytes": 450, "total_bytes": 1000, "bytes_per_second": 50.0} | more
    return Update(states={}, downloads={ref: DownloadProgress(ref=ref, stage=DownloadStage.DOWNLOADING, **progress)})


def row_of(pilot, app):
    lines = text_of(pilot).splitlines()
    return lines[app.screen.table.region.y + app.screen.table.refs.index(app.screen.table.cursor)]


async def test_a_download_shows_speed_and_time_left(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        ref = await put(app, engine, pilot)
        engine.push(Update(states={}, downloads={ref: DownloadProgress(ref=ref, stage=DownloadStage.WAITING)}))
        await pilot.pause()
        assert "download    queued" in text_of(pilot)
        engine.push(on_its_way(ref))
        await pilot.pause()
        assert "45% of 1.0 kB  50 B/s  11s left  Spring.mp4" in text_of(pilot)
        assert "↓ 45%" in row_of(pilot, app)


async def test_a_second_d_confirms_and_cancels_the_download(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        ref = await put(app, engine, pilot)
        await pilot.press("D")
        assert engine.downloaded == [ref]
        engine.push(on_its_way(ref))
        await pilot.pause()
        await pilot.press("D")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        assert engine.cancelled == []
        await pilot.press("enter")
        await pilot.pause()
        assert (engine.downloaded, engine.cancelled) == ([ref], [ref])
        engine.push(Update(states={}, downloads={ref: DownloadProgress(ref=ref, stage=DownloadStage.CANCELLED)}))
        await pilot.pause()
        assert "D: cancel" not in text_of(pilot)


async def test_a_failed_download_shows_reason_and_remedy(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        ref = await put(app, engine, pilot)
        received = DownloadProgress(
            ref=ref, stage=DownloadStage.FAILED, message="/d has 1.0 MB left, and 3.1 MB are yet to come"
        )
        engine.push(Update(states={}, downloads={ref: received}))
        await pilot.pause()
        assert "/d has 1.0 MB left, and 3.1 MB are yet to come; D: retry" in text_of(pilot)
        await pilot.press("D")
        assert engine.downloaded == [ref]


async def test_a_downloaded_result_shows_its_mark_and_path(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        saved = DownloadedFile("video", "/d/Spring.mp4", 1_200_000, NOW)
        await put(app, engine, pilot, downloads=(saved,))
        assert "↓ 1h00m" in row_of(pilot, app)
        assert "!" not in row_of(pilot, app)
        assert "1.2 MB   /d/Spring.mp4" in text_of(pilot)
        assert "; downloaded" in text_of(pilot)


@pytest.mark.parametrize("gone", [False, True])
async def test_o_opens_the_folder_of_a_download_without_a_shell(app, engine, tmp_path, monkeypatch, gone):
    received = tmp_path / "received"
    opener = tmp_path / "bin" / ("open" if sys.platform == "darwin" else "xdg-open")
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\nprintf "%s" "$1$SECRET" > {received}.new && mv {received}.new {received}\n')
    opener.chmod(opener.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(opener.parent), prepend=os.pathsep)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("SECRET", "not for the opener")
    file = tmp_path / "a $(touch x) folder" / "Spring.mp4"
    file.parent.mkdir()
    if not gone:
        file.touch()
    async with app.run_test(size=(120, 40)) as pilot:
        ref = await put(app, engine, pilot, downloads=(DownloadedFile("video", str(file), 0, NOW),))
        far = replace(app.screen.board.states[ref], links=(replace(VIDEO, expires_at=NOW + 1e6),))
        engine.push(update_of(far))
        await pilot.pause()
        await pilot.press("o")
        await pilot.pause()
        wait_until(received.exists)
    assert received.read_text() == ("https://cdn.test/a.mp4" if gone else str(file.parent))


async def test_without_a_desktop_o_shows_the_files_path(app, engine, tmp_path, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    (tmp_path / "Spring.mp4").touch()
    async with app.run_test(size=(120, 40)) as pilot:
        await put(app, engine, pilot, downloads=(DownloadedFile("video", str(tmp_path / "Spring.mp4"), 0, NOW),))
        await pilot.press("o")
        await pilot.pause()
        assert f"Saved as {tmp_path}/Spring.mp4" in [each.message for each in app._notifications]


async def test_readonly_neither_downloads_nor_opens(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        await put(app, engine, pilot)
        app.screen.readonly = True
        await pilot.press("D")
        await pilot.pause()
        assert engine.downloaded == []
        assert "Read-only: download is disabled" in [each.message for each in app._notifications]
