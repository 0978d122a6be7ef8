"""The operator's hooks, with real programs and real HTTP: what they are told, and what they cannot do to the rest."""

import asyncio
import hashlib
import hmac
import json
import logging
import os
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support import fixtures
from tests.support.servers import serve_app, serve_raw, silence
from tests.support.waiting import DEADLINE, until
from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import Job, Link, LinkKind, Phase, Ref
from tui.engine.notifications import hooks
from tui.engine.notifications.alert_monitor import AlertEvent
from tui.engine.notifications.delivery import MAX_OUTPUT, _last_lines
from tui.engine.notifications.hooks import QUEUE_SIZE, HookDispatcher, hook_dispatcher
from tui.storage.config.fields import Timeout, WebhookUrl
from tui.storage.config.secrets import EnvironmentVariable, SecretSource
from tui.storage.config.settings import Hook

NOW = 1_800_000_000.0
SIGNED = "https://cdn.test/v.mp4?X-Amz-Signature=SIGNATURE"


def occasion(number=0, event="done"):
    ref = Ref("heygen", f"--id{number}; $(touch pwned)")
    link = Link(LinkKind.VIDEO, SIGNED, NOW, NOW + 60, expiry_is_exact=True)
    state = JobState(
        job=Job(account=ref.account, id=ref.id, label="-rf *"), phase=Phase.DONE, phase_since=NOW, links=(link,)
    )
    change = PhaseChange(ref, Phase.RUNNING, Phase.DONE, NOW - 15, NOW, "")
    return AlertEvent(event, f"done {ref} {NOW}", "-rf *: done", NOW, state=state, change=change)


def program(tmp_path, body, name="hook.py"):
    """A program of Python; it can say where it keeps what it was told: `kept`."""
    file = tmp_path / name
    kept = str(tmp_path / "kept")
    file.write_text(f"import json, os, sys, time\nkept = {kept!r}\n{body}\n")
    return (sys.executable, str(file))


KEEPS = "open(kept, 'a').write(sys.stdin.read() + '\\n')"


def library(tmp_path, *found, environ=None):
    made = fixtures.make_workspace(tmp_path, "http://127.0.0.1:9")
    made._environ = {**made._environ, **(environ or {})}
    made.settings = replace(made.settings, hooks=found)
    return made


class Clock:
    """Seconds that pass only where a test says so: no slow machine lets a program's time run out."""

    now = 0.0

    def __call__(self):
        return self.now


@asynccontextmanager
async def told(tmp_path, *found, clock=None, **more):
    """Hooks that run, and what is said of them."""
    said = []
    made = library(tmp_path, *found, **more)
    running = HookDispatcher(made, said.append, clock or Clock())
    task = asyncio.create_task(running.run())
    try:
        yield running, said
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await running.close()


def kept(tmp_path):
    """The lines that are there whole."""
    file = tmp_path / "kept"
    text = file.read_text() if file.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


async def test_of_many_dying_links_a_hook_is_told_once_with_all_jobs(tmp_path):
    one, two = (occasion(number, "expiring") for number in (1, 2))
    async with told(tmp_path, Hook(run=program(tmp_path, KEEPS), on=("expiring", "done"))) as (running, said):
        running.dispatch(one._replace(other_states=(two.state,)))
        running.dispatch(occasion(3))
        await running.finish(DEADLINE)
    expiring, done = kept(tmp_path)
    assert [job["id"] for job in expiring["jobs"]] == [one.state.job.id, two.state.job.id]
    assert expiring["job"] == expiring["jobs"][0]
    assert done["jobs"] is None
    assert not said


async def test_a_program_gets_the_change_on_its_stdin_and_no_argument_but_its_own(tmp_path):
    run = (*program(tmp_path, f"{KEEPS}; open(kept + '2', 'w').write(json.dumps(sys.argv[1:]))"), "fixed")
    async with told(tmp_path, Hook(run=run)) as (running, said):
        running.dispatch(occasion())
        await running.finish(DEADLINE)
    (got,) = kept(tmp_path)
    assert (got["event"], got["text"], got["at"]) == ("done", "-rf *: done", "2027-01-15T08:00:00Z")
    assert got["job"]["id"] == "--id0; $(touch pwned)"
    assert got["job"]["links"][0]["url"] == SIGNED
    assert (got["change"]["before"], got["change"]["after"]) == ("running", "done")
    assert got["account"] is None
    assert json.loads((tmp_path / "kept2").read_text()) == ["fixed"]
    assert not said
    assert not (tmp_path / "pwned").exists()


async def test_a_program_has_a_session_of_its_own_and_no_terminal(tmp_path):
    body = "open(kept, 'w').write(json.dumps([os.getsid(0), os.getpid(), os.isatty(0) or os.isatty(1)]) + '\\n')"
    async with told(tmp_path, Hook(run=program(tmp_path, body))) as (running, _):
        running.dispatch(occasion())
        await running.finish(DEADLINE)
    session, pid, terminal = kept(tmp_path)[0]
    assert session == pid != os.getpid()
    assert terminal is False


async def test_a_hook_is_told_what_it_wants_in_order_and_nothing_else(tmp_path):
    hook = Hook(run=program(tmp_path, KEEPS), on=("done", "expiring"))
    async with told(tmp_path, hook) as (running, _):
        for number, event in enumerate(["done", "failed", "expiring", "stalled", "done"]):
            running.dispatch(occasion(number, event))
        await running.finish(DEADLINE)
    assert [each["event"] for each in kept(tmp_path)] == ["done", "expiring", "done"]


async def test_what_is_larger_than_a_pipe_arrives_whole_and_who_reads_nothing_is_content(tmp_path):
    large = occasion()
    large = large._replace(state=replace(large.state, result="x" * 300_000))
    reads, not_ = program(tmp_path, KEEPS), program(tmp_path, "pass", "not.py")
    async with told(tmp_path, Hook(run=reads), Hook(run=not_)) as (running, said):
        running.dispatch(large)
        await running.finish(DEADLINE)
    assert len(kept(tmp_path)[0]["job"]["result"]) == 300_000
    assert not said


async def test_a_hook_that_hangs_is_killed_with_all_it_started_and_that_is_said(tmp_path):
    body = (
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open(kept, 'w').write(f'{child.pid}\\n')\ntime.sleep(600)"
    )
    clock = Clock()
    async with told(tmp_path, Hook(run=program(tmp_path, body), timeout=Timeout(1.5)), clock=clock) as (running, said):
        running.dispatch(occasion())
        await until(lambda: kept(tmp_path))
        clock.now = 1.6
        await running.finish(DEADLINE)
    assert said == [f"hook 1 ({sys.executable}) did not end within 1.5 s, and was killed"]
    child = kept(tmp_path)[0]
    await until(lambda: not alive(child))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_hook_that_fails_is_said_once_and_not_once_a_job(tmp_path, caplog):
    run = program(tmp_path, "print('first'); print('no such room'); sys.exit(3)")
    async with told(tmp_path, Hook(run=run)) as (running, said):
        with caplog.at_level(logging.INFO):
            for number in range(5):
                running.dispatch(occasion(number))
            await running.finish(DEADLINE)
    assert said == [f"hook 1 ({sys.executable}) ended with 3: no such room"]
    assert sum("ended with 3; it was to be told: done heygen:--id" in each.message for each in caplog.records) == 5
    assert sum(each.message.endswith(": no such room") for each in caplog.records) == 5


async def test_what_failed_meanwhile_is_counted_with_the_next_word(tmp_path):
    clock = Clock()
    async with told(tmp_path, Hook(run=("false",)), clock=clock) as (running, said):
        for number in range(4):
            running.dispatch(occasion(number))
        await running.finish(DEADLINE)
        clock.now = hooks.PROBLEM_INTERVAL
        running.dispatch(occasion(4))
        await running.finish(DEADLINE)
    assert said == [
        "hook 1 (false) ended with 1",
        "hook 1 (false) ended with 1 (4 failed since the last word of it)",
    ]


async def test_a_hook_that_floods_is_killed_though_its_time_is_not_over(tmp_path):
    run = program(tmp_path, "while True: print('x' * 10_000)")
    async with told(tmp_path, Hook(run=run)) as (running, said):
        running.dispatch(occasion())
        await running.finish(DEADLINE)
    assert f"wrote more than {MAX_OUTPUT // 1024} KiB, and was killed" in said[0]


async def test_a_hook_that_is_missing_is_said(tmp_path):
    async with told(tmp_path, Hook(run=("/nowhere/hook", "--x"))) as (running, said):
        running.dispatch(occasion())
        await running.finish(DEADLINE)
    assert said == ["hook 1 (/nowhere/hook) cannot be run: No such file or directory"]


async def test_a_hook_that_leaves_an_agent_behind_is_done_when_it_has_ended_itself(tmp_path):
    body = (
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open(kept, 'w').write(f'{child.pid}\\n')"
    )
    async with told(tmp_path, Hook(run=program(tmp_path, body))) as (running, said):
        running.dispatch(occasion())
        await running.finish(DEADLINE)
    child = kept(tmp_path)[0]
    assert alive(child)
    os.kill(child, 9)
    assert not said


async def test_hooks_that_hang_keep_none_of_the_others(tmp_path):
    hangs = Hook(run=program(tmp_path, "time.sleep(600)", "hangs.py"))
    keeps = Hook(run=program(tmp_path, KEEPS))
    async with told(tmp_path, hangs, hangs, keeps, hangs) as (running, _):
        for number in range(5):
            running.dispatch(occasion(number))
        await until(lambda: len(kept(tmp_path)) == 5)
        assert [each["job"]["id"].partition(";")[0] for each in kept(tmp_path)] == [f"--id{n}" for n in range(5)]


async def test_a_slow_hook_loses_the_oldest_and_says_so(tmp_path):
    hang = Hook(run=program(tmp_path, "time.sleep(600)"))
    async with told(tmp_path, hang) as (running, said):
        (lane,) = running._queues
        for number in range(QUEUE_SIZE + 20):
            running.dispatch(occasion(number))
        assert len(lane._waiting) == QUEUE_SIZE
        assert lane._waiting[0].state.job.id.startswith("--id20")
    assert said == [f"hook 1 ({sys.executable}) is too slow: {QUEUE_SIZE} wait for it, and the oldest are dropped"]


async def test_nothing_of_all_this_holds_up_the_loop(tmp_path):
    """It turns, and others are told, while a program runs that never ends, beside what fails, floods and is missing."""
    body = "open(kept, 'w').write(f'{os.getpid()}\\n'); time.sleep(600)"
    found = [
        Hook(run=program(tmp_path, body, "a.py")),
        Hook(run=("false",)),
        Hook(run=program(tmp_path, "while True: print('x' * 10_000)", "c.py")),
        Hook(run=("/nowhere/hook",)),
    ]
    async with told(tmp_path, *found) as (running, said):
        for number in range(20):
            running.dispatch(occasion(number))
        await until(lambda: kept(tmp_path) and len(said) == 3)
        for _ in range(100):
            await asyncio.sleep(0)
        assert alive(kept(tmp_path)[0])
    assert {each.partition(")")[0] for each in said} == {
        "hook 2 (false",
        f"hook 3 ({sys.executable}",
        "hook 4 (/nowhere/hook",
    }


async def test_at_the_end_what_runs_is_killed_and_what_waits_is_logged(tmp_path, caplog):
    body = "open(kept, 'w').write(f'{os.getpid()}\\n'); time.sleep(600)"
    made = library(tmp_path, Hook(run=program(tmp_path, body)))
    async with hook_dispatcher(made, lambda text: None, shutdown_timeout=0.1) as call:
        call(occasion(1))
        call(occasion(2))
        await until(lambda: kept(tmp_path))
    assert not alive(kept(tmp_path)[0])
    assert "was not told 2 things, since babeltop ended: done heygen:--id1" in caplog.text
    assert "--id2" in caplog.text


async def test_what_is_quick_is_still_told_at_the_end(tmp_path):
    made = library(tmp_path, Hook(run=program(tmp_path, KEEPS)))
    async with hook_dispatcher(made, lambda text: None, shutdown_timeout=DEADLINE) as call:
        call(occasion())
    assert len(kept(tmp_path)) == 1


async def test_without_hooks_or_with_readonly_there_is_nobody_to_call(tmp_path):
    async with hook_dispatcher(library(tmp_path), lambda text: None) as call:
        assert call is None
    forbidden = library(tmp_path, Hook(run=("true",)))
    forbidden.readonly = True
    async with hook_dispatcher(forbidden, lambda text: None) as call:
        assert call is None


def test_the_log_gets_neither_signed_queries_nor_escape_sequences():
    assert _last_lines(f"got {SIGNED}\n\x1b[2Jboo\n\n".encode()) == ("got https://cdn.test/v.mp4?…", "boo")


# By HTTP.


class Desk:
    """Keeps what it is sent and answers with the statuses it was given, the last for ever."""

    def __init__(self, *statuses, headers=()):
        self.statuses = list(statuses)
        self.headers = list(headers)
        self.got = []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            while (await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        sent = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.got.append((scope["method"], scope["path"], scope["query_string"], sent, body))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        await send({"type": "http.response.start", "status": status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"thanks"})


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(hooks, "RETRY_PAUSES", (0.01, 0.01, 0.01))


def url(base, rest="/hook?sig=SECRET-QUERY", **more):
    return Hook(url=WebhookUrl(base + rest), timeout=Timeout(DEADLINE), **more)


async def test_an_address_gets_a_signed_post_that_can_be_checked(tmp_path):
    desk = Desk(204)
    began = int(time.time())
    with serve_app(desk) as base:
        hook = url(base, secret=SecretSource(env=EnvironmentVariable("SIGNER")))
        async with told(tmp_path, hook, environ={"SIGNER": "s3cret-s3cret"}) as (running, said):
            running.dispatch(occasion())
            await running.finish(DEADLINE)
    ((method, path, query, headers, body),) = desk.got
    assert (method, path, query, headers["content-type"]) == ("POST", "/hook", b"sig=SECRET-QUERY", "application/json")
    assert json.loads(body)["job"]["label"] == "-rf *"
    assert json.loads(body)["delivery"] == headers["x-babeltop-delivery"]
    stamp, _, signature = headers["x-babeltop-signature"].partition(",")
    assert began <= int(stamp.removeprefix("t=")) <= time.time()
    signed = stamp.removeprefix("t=").encode() + b"." + body
    assert signature == "v1=" + hmac.new(b"s3cret-s3cret", signed, hashlib.sha256).hexdigest()
    assert not said


async def test_an_address_that_has_a_bad_minute_is_tried_again_with_the_same_name(tmp_path, quick):
    desk = Desk(503, 429, 200)
    with serve_app(desk) as base:
        async with told(tmp_path, url(base)) as (running, said):
            running.dispatch(occasion())
            await running.finish(DEADLINE)
    assert len(desk.got) == 3
    assert len({headers["x-babeltop-delivery"] for *_, headers, _ in desk.got}) == 1
    assert "x-babeltop-signature" not in desk.got[0][3]
    assert not said


async def test_an_address_that_stays_bad_is_given_up_and_never_repeated(tmp_path, quick, caplog):
    desk = Desk(500)
    with serve_app(desk) as base:
        async with told(tmp_path, url(base)) as (running, said):
            with caplog.at_level(logging.INFO, "tui"):
                running.dispatch(occasion())
                await running.finish(DEADLINE)
    assert len(desk.got) == 1 + len(hooks.RETRY_PAUSES)
    assert said == ["hook 1 (127.0.0.1) answered 500"]
    assert "SECRET-QUERY" not in caplog.text + "".join(said)


@pytest.mark.parametrize("status", [400, 401, 404, 307])
async def test_a_refusal_is_not_tried_again_and_a_redirect_is_not_followed(tmp_path, status):
    desk = Desk(status, headers=[(b"location", b"/elsewhere")])
    with serve_app(desk) as base:
        async with told(tmp_path, url(base)) as (running, said):
            running.dispatch(occasion())
            await running.finish(DEADLINE)
    assert [path for _, path, *_ in desk.got] == ["/hook"]
    assert said == [f"hook 1 (127.0.0.1) answered {status}"]


async def test_an_address_where_nobody_is_or_nobody_answers_is_said(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(hooks, "RETRY_PAUSES", (0.01,))
    with serve_raw(silence) as never:
        found = (url("http://127.0.0.1:9"), replace(url(never), timeout=Timeout(0.3)))
        async with told(tmp_path, *found) as (running, said):
            running.dispatch(occasion())
            await running.finish(DEADLINE)
    first, second = sorted(said)
    assert first.startswith("hook 1 (127.0.0.1) cannot be reached: ConnectError")
    assert second == "hook 2 (127.0.0.1) did not answer within 0.3 s"


async def test_what_goes_to_this_machine_takes_no_proxy(tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    desk = Desk(200)
    with serve_app(desk) as base:
        async with told(tmp_path, url(base)) as (running, said):
            running.dispatch(occasion())
            await running.finish(DEADLINE)
    assert len(desk.got) == 1
    assert not said


async def test_without_its_secret_nothing_is_sent(tmp_path):
    desk = Desk(200)
    with serve_app(desk) as base:
        hook = url(base, secret=SecretSource(env=EnvironmentVariable("NOT_SET")))
        async with told(tmp_path, hook) as (running, said):
            running.dispatch(occasion())
            await running.finish(DEADLINE)
    assert not desk.got
    assert "has no secret to sign with: environment variable NOT_SET is not set" in said[0]


async def test_a_secret_in_a_file_is_read_again_when_it_changes(tmp_path):
    file = tmp_path / "secret"
    file.write_text("one")
    desk = Desk(200)
    with serve_app(desk) as base:
        async with told(tmp_path, url(base, secret=SecretSource(file=str(file)))) as (running, _):
            running.dispatch(occasion(1))
            await running.finish(DEADLINE)
            file.write_text("another")
            running.dispatch(occasion(2))
            await running.finish(DEADLINE)
    for secret, (*_, headers, body) in zip([b"one", b"another"], desk.got, strict=True):
        stamp, _, signature = headers["x-babeltop-signature"].partition(",")
        signed = stamp.removeprefix("t=").encode() + b"." + body
        assert signature == "v1=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()
