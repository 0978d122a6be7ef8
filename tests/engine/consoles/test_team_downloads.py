"""Automatic downloads in a team: files go to the operator with the option, and a key stays where it is."""

from contextlib import AsyncExitStack

import pytest

from tests.support import fixtures
from tests.support.team_console import KEYLESS, TICK, A, B, Console, is_done, worker_with
from tests.support.waiting import until
from tui.domain.models import Job, Ref
from tui.engine.api import DownloadStage, NoticeKind
from tui.storage.watchlist.operations import Add, Set

pytestmark = pytest.mark.waits
WITH_KEY = Ref("flixu", "doc_c-fine")
"""Job with a link that needs the key."""
KEYS = dict.fromkeys(KEYLESS, fixtures.KEY)


def console(folder, *args, **more):
    return Console(folder, *args, more=f'[downloads]\ndir = "{folder}/got"\n', **more)


def wanted(*refs):
    return tuple(Job(account=ref.account, id=ref.id, download=True) for ref in refs)


def has_files(folder):
    return lambda: (folder / "got").exists() and any(each.suffix != ".part" for each in (folder / "got").iterdir())


def stages(console):
    return [each.stage for each in console.listener.downloads]


async def test_files_go_to_the_operator_and_those_that_need_the_key_only_where_it_is(tmp_path, service, team):
    async with (
        console(tmp_path / "worker", service, team, is_worker=True, keys=KEYS),
        console(tmp_path / "alice", service, team, wanted(A, WITH_KEY), keys=KEYLESS) as alice,
        console(tmp_path / "bob", service, team, wanted(WITH_KEY), keys=worker_with("flixu")) as bob,
        console(tmp_path / "carol", service, team, {"heygen": (A.id,)}, keys=KEYLESS) as carol,
    ):
        await alice.sees(is_done(A))
        await alice.sees(is_done(WITH_KEY))
        await alice.sees(lambda states: states[A].downloads)
        await bob.sees(lambda states: states[WITH_KEY].downloads)
        await carol.sees(is_done(A))
        ticks = alice.engine.tick_count
        await until(lambda: alice.engine.tick_count > ticks + 5)
        assert not alice.engine.states[WITH_KEY].downloads
        assert not any(each.ref == WITH_KEY for each in alice.listener.downloads)
        assert DownloadStage.FAILED not in stages(alice)
        assert carol.listener.downloads == []
    assert [has_files(tmp_path / name)() for name in ("worker", "alice", "bob")] == [False, True, True]


async def test_of_two_consoles_of_a_watchlist_one_downloads_and_the_other_takes_over(tmp_path, service, team):
    alice = tmp_path / "alice"
    async with console(tmp_path / "worker", service, team, is_worker=True), AsyncExitStack() as others:
        first = await others.enter_async_context(console(alice, service, team, wanted(A)))
        await first.sees(is_done(A))
        async with console(alice, service, team) as second:
            await first.sees(lambda states: states[A].downloads)
            await second.sees(is_done(A))
            ticks = second.engine.tick_count
            await until(lambda: second.engine.tick_count > ticks + 5)
            assert second.listener.downloads == []
            await others.aclose()
            second.workspace.edit_watchlist(Add(wanted(B)))
            await second.sees(lambda states: B in states and states[B].downloads)
            assert [each.ref for each in second.listener.notices if each.kind is NoticeKind.DOWNLOADED] == [B]


async def test_a_console_that_takes_over_the_downloads_repeats_none(tmp_path, service, team):
    alice = tmp_path / "alice"
    async with console(tmp_path / "worker", service, team, is_worker=True), AsyncExitStack() as others:
        first = await others.enter_async_context(console(alice, service, team, {"heygen": (A.id,)}))
        await first.sees(is_done(A))
        async with console(alice, service, team, tick=5 * TICK) as second:
            await second.sees(is_done(A))
            ticks = second.engine.tick_count
            await until(lambda: second.engine.tick_count > ticks)
            await first.engine.perform(Set((A,), {"download": True}))
            await first.sees(lambda states: states[A].downloads)
            await others.aclose()
            await second.sees(lambda states: states[A].downloads)
            ticks = second.engine.tick_count
            await until(lambda: second.engine.tick_count > ticks)
            assert second.listener.downloads == []


async def test_the_option_downloads_a_job_that_is_done(tmp_path, service, team):
    async with (
        console(tmp_path / "worker", service, team, is_worker=True),
        console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
    ):
        await alice.sees(is_done(A))
        assert alice.listener.downloads == []
        await alice.engine.perform(Set((A,), {"download": True}))
        await alice.sees(lambda states: states[A].downloads)
