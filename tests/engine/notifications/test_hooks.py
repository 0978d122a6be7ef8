"""Tests of the operator's hooks with real programs and real HTTP: payloads, order, failures, isolation."""

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
from tui.engine.notifications.delivery import MAX_OUTPUT, _last_lines
from tui.engine.notifications.events import AlertEvent
from tui.engine.notifications.hooks import QUEUE_SIZE, HookDispatcher, hook_dispatcher
from tui.storage.config.fields import Timeout, WebhookUrl
from tui.storage.config.secrets import EnvironmentVariable, SecretSource
from tui.storage.config.settings import Hook

NOW = 1_800_000_000.0
SIGNED = "https://cdn.test/v.mp4?X-Amz-Signature=SIGNATURE"


def alert_event(number=0, event="done"):
    ref = Ref("heygen", f"--id{number}; $(touch pwned)")
    link = Link(LinkKind.VIDEO, SIGNED, NOW, NOW + 60, expiry_is_exact=True)
    state = JobState(
        job=Job(account=ref.account, id=ref.id, label="-rf *"), phase=Phase.DONE, phase_since=NOW, links=(link,)
    )
    change = PhaseChange(ref, Phase.RUNNING, Phase.DONE, NOW - 15, NOW, "")
    return AlertEvent(event, f"done {ref} {NOW}", "-rf *: done", NOW, state=state, change=change)


def program(tmp_path, body, name="hook.py"):
    """Return the command of a Python program with `body`; its variable `kept` is the path of its log."""
    file = tmp_path / name
    kept = str(tmp_path / "kept")
    file.write_text(f"import json, os, sys, time\nkept = {kept!r}\n{body}\n")
    return (sys.executable, str(file))


LOG_STDIN = "open(kept, 'a').write(sys.stdin.read() + '\\n')"


def library(tmp_path, *found, environ=None):
    workspace = fixtures.make_workspace(tmp_path, "http://127.0.0.1:9")
    workspace.keys.environ = {**workspace.keys.environ, **(environ or {})}
    workspace.settings = replace(workspace.settings, hooks=found)
    return workspace


class StoppedClock:
    """Clock that only a test moves, so that a slow machine lets no program time out."""

    now = 0.0

    def __call__(self):
        return self.now


@asynccontextmanager
async def running_hooks(tmp_path, *found, clock=None, **more):
    """Yield a running dispatcher and the problems it reports."""
    problems = []
    workspace = library(tmp_path, *found, **more)
    running = HookDispatcher(workspace, problems.append, clock or StoppedClock())
    task = asyncio.create_task(running.run())
    try:
        yield running, problems
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await running.close()


def log_lines(tmp_path):
    """Return the complete lines of the programs' log."""
    file = tmp_path / "kept"
    text = file.read_text() if file.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


async def test_many_expiring_links_are_one_delivery_with_all_jobs(tmp_path):
    one, two = (alert_event(number, "expiring") for number in (1, 2))
    async with running_hooks(tmp_path, Hook(run=program(tmp_path, LOG_STDIN), on=("expiring", "done"))) as (
        running,
        problems,
    ):
        running.dispatch(one._replace(other_states=(two.state,)))
        running.dispatch(alert_event(3))
        await running.finish(DEADLINE)
    expiring, done = log_lines(tmp_path)
    assert [job["id"] for job in expiring["jobs"]] == [one.state.job.id, two.state.job.id]
    assert expiring["job"] == expiring["jobs"][0]
    assert done["jobs"] is None
    assert not problems


async def test_a_program_gets_the_event_on_stdin_and_only_its_configured_arguments(tmp_path):
    run = (*program(tmp_path, f"{LOG_STDIN}; open(kept + '2', 'w').write(json.dumps(sys.argv[1:]))"), "fixed")
    async with running_hooks(tmp_path, Hook(run=run)) as (running, problems):
        running.dispatch(alert_event())
        await running.finish(DEADLINE)
    (got,) = log_lines(tmp_path)
    assert (got["event"], got["text"], got["at"]) == ("done", "-rf *: done", "2027-01-15T08:00:00Z")
    assert got["job"]["id"] == "--id0; $(touch pwned)"
    assert got["job"]["links"][0]["url"] == SIGNED
    assert (got["change"]["before"], got["change"]["after"]) == ("running", "done")
    assert got["account"] is None
    assert json.loads((tmp_path / "kept2").read_text()) == ["fixed"]
    assert not problems
    assert not (tmp_path / "pwned").exists()


async def test_a_program_has_a_session_of_its_own_and_no_terminal(tmp_path):
    body = "open(kept, 'w').write(json.dumps([os.getsid(0), os.getpid(), os.isatty(0) or os.isatty(1)]) + '\\n')"
    async with running_hooks(tmp_path, Hook(run=program(tmp_path, body))) as (running, _):
        running.dispatch(alert_event())
        await running.finish(DEADLINE)
    session, pid, terminal = log_lines(tmp_path)[0]
    assert session == pid != os.getpid()
    assert terminal is False


async def test_a_hook_gets_its_subscribed_events_in_order(tmp_path):
    hook = Hook(run=program(tmp_path, LOG_STDIN), on=("done", "expiring"))
    async with running_hooks(tmp_path, hook) as (running, _):
        for number, event in enumerate(["done", "failed", "expiring", "stalled", "done"]):
            running.dispatch(alert_event(number, event))
        await running.finish(DEADLINE)
    assert [each["event"] for each in log_lines(tmp_path)] == ["done", "expiring", "done"]


async def test_an_event_larger_than_a_pipe_arrives_and_a_program_that_reads_nothing_succeeds(tmp_path):
    large = alert_event()
    large = large._replace(state=replace(large.state, result="x" * 300_000))
    reads, ignores = program(tmp_path, LOG_STDIN), program(tmp_path, "pass", "ignores.py")
    async with running_hooks(tmp_path, Hook(run=reads), Hook(run=ignores)) as (running, problems):
        running.dispatch(large)
        await running.finish(DEADLINE)
    assert len(log_lines(tmp_path)[0]["job"]["result"]) == 300_000
    assert not problems


async def test_a_hanging_hook_is_killed_with_its_children_and_reported(tmp_path):
    body = (
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open(kept, 'w').write(f'{child.pid}\\n')\ntime.sleep(600)"
    )
    clock = StoppedClock()
    async with running_hooks(tmp_path, Hook(run=program(tmp_path, body), timeout=Timeout(1.5)), clock=clock) as (
        running,
        problems,
    ):
        running.dispatch(alert_event())
        await until(lambda: log_lines(tmp_path))
        clock.now = 1.6
        await running.finish(DEADLINE)
    assert problems == [f"Hook 1 ({sys.executable}) timed out after 1.5 s, killed"]
    child = log_lines(tmp_path)[0]
    await until(lambda: not alive(child))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_failing_hook_is_reported_once_and_not_per_job(tmp_path, caplog):
    run = program(tmp_path, "print('first'); print('no such room'); sys.exit(3)")
    async with running_hooks(tmp_path, Hook(run=run)) as (running, problems):
        with caplog.at_level(logging.INFO):
            for number in range(5):
                running.dispatch(alert_event(number))
            await running.finish(DEADLINE)
    assert problems == [f"Hook 1 ({sys.executable}) exited with status 3: no such room"]
    assert sum("exited with status 3; not delivered: done heygen:--id" in each.message for each in caplog.records) == 5
    assert sum(each.message.endswith(": no such room") for each in caplog.records) == 5


async def test_failures_since_the_last_notice_are_counted(tmp_path):
    clock = StoppedClock()
    async with running_hooks(tmp_path, Hook(run=("false",)), clock=clock) as (running, problems):
        for number in range(4):
            running.dispatch(alert_event(number))
        await running.finish(DEADLINE)
        clock.now = hooks.PROBLEM_INTERVAL
        running.dispatch(alert_event(4))
        await running.finish(DEADLINE)
    assert problems == [
        "Hook 1 (false) exited with status 1",
        "Hook 1 (false) exited with status 1 (4 failed since the last notice)",
    ]


async def test_a_hook_that_writes_too_much_is_killed_before_its_timeout(tmp_path):
    run = program(tmp_path, "while True: print('x' * 10_000)")
    async with running_hooks(tmp_path, Hook(run=run)) as (running, problems):
        running.dispatch(alert_event())
        await running.finish(DEADLINE)
    assert f"wrote more than {MAX_OUTPUT // 1024} KiB, killed" in problems[0]


async def test_a_missing_hook_program_is_reported(tmp_path):
    async with running_hooks(tmp_path, Hook(run=("/nowhere/hook", "--x"))) as (running, problems):
        running.dispatch(alert_event())
        await running.finish(DEADLINE)
    assert problems == ["Hook 1 (/nowhere/hook) cannot be started: No such file or directory"]


async def test_a_hook_is_done_at_its_own_exit_even_with_a_child_running(tmp_path):
    body = (
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open(kept, 'w').write(f'{child.pid}\\n')"
    )
    async with running_hooks(tmp_path, Hook(run=program(tmp_path, body))) as (running, problems):
        running.dispatch(alert_event())
        await running.finish(DEADLINE)
    child = log_lines(tmp_path)[0]
    assert alive(child)
    os.kill(child, 9)
    assert not problems


async def test_hanging_hooks_delay_no_other(tmp_path):
    hangs = Hook(run=program(tmp_path, "time.sleep(600)", "hangs.py"))
    keeps = Hook(run=program(tmp_path, LOG_STDIN))
    async with running_hooks(tmp_path, hangs, hangs, keeps, hangs) as (running, _):
        for number in range(5):
            running.dispatch(alert_event(number))
        await until(lambda: len(log_lines(tmp_path)) == 5)
        assert [each["job"]["id"].partition(";")[0] for each in log_lines(tmp_path)] == [f"--id{n}" for n in range(5)]


async def test_a_slow_hook_drops_its_oldest_events_and_is_reported(tmp_path):
    hang = Hook(run=program(tmp_path, "time.sleep(600)"))
    async with running_hooks(tmp_path, hang) as (running, problems):
        (lane,) = running.queues
        for number in range(QUEUE_SIZE + 20):
            running.dispatch(alert_event(number))
        assert len(lane._waiting) == QUEUE_SIZE
        assert lane._waiting[0].state.job.id.startswith("--id20")
    assert problems == [f"Hook 1 ({sys.executable}) is too slow: {QUEUE_SIZE} deliveries wait, the oldest are dropped"]


async def test_hanging_failing_and_missing_hooks_do_not_block_the_loop(tmp_path):
    """The loop turns and hooks get their events while one program never exits and others fail, flood or are missing."""
    body = "open(kept, 'w').write(f'{os.getpid()}\\n'); time.sleep(600)"
    found = [
        Hook(run=program(tmp_path, body, "a.py")),
        Hook(run=("false",)),
        Hook(run=program(tmp_path, "while True: print('x' * 10_000)", "c.py")),
        Hook(run=("/nowhere/hook",)),
    ]
    async with running_hooks(tmp_path, *found) as (running, problems):
        for number in range(20):
            running.dispatch(alert_event(number))
        await until(lambda: log_lines(tmp_path) and len(problems) == 3)
        for _ in range(100):
            await asyncio.sleep(0)
        assert alive(log_lines(tmp_path)[0])
    assert {each.partition(")")[0] for each in problems} == {
        "Hook 2 (false",
        f"Hook 3 ({sys.executable}",
        "Hook 4 (/nowhere/hook",
    }


async def test_shutdown_kills_running_programs_and_logs_waiting_events(tmp_path, caplog):
    body = "open(kept, 'w').write(f'{os.getpid()}\\n'); time.sleep(600)"
    workspace = library(tmp_path, Hook(run=program(tmp_path, body)))
    async with hook_dispatcher(workspace, lambda text: None, shutdown_timeout=0.1) as dispatch:
        dispatch(alert_event(1))
        dispatch(alert_event(2))
        await until(lambda: log_lines(tmp_path))
    assert not alive(log_lines(tmp_path)[0])
    assert "2 deliveries not sent, babeltop was stopped: done heygen:--id1" in caplog.text
    assert "--id2" in caplog.text


async def test_shutdown_delivers_what_takes_little_time(tmp_path):
    workspace = library(tmp_path, Hook(run=program(tmp_path, LOG_STDIN)))
    async with hook_dispatcher(workspace, lambda text: None, shutdown_timeout=DEADLINE) as dispatch:
        dispatch(alert_event())
    assert len(log_lines(tmp_path)) == 1


async def test_without_hooks_or_with_readonly_there_is_no_dispatcher(tmp_path):
    async with hook_dispatcher(library(tmp_path), lambda text: None) as dispatch:
        assert dispatch is None
    forbidden = library(tmp_path, Hook(run=("true",)))
    forbidden.readonly = True
    async with hook_dispatcher(forbidden, lambda text: None) as dispatch:
        assert dispatch is None


def test_the_log_gets_neither_signed_queries_nor_escape_sequences():
    assert _last_lines(f"got {SIGNED}\n\x1b[2Jboo\n\n".encode(), str) == ("got https://cdn.test/v.mp4?…", "boo")


# Webhooks.


class WebhookReceiver:
    """Webhook that records its requests and returns the given statuses, the last one repeatedly."""

    def __init__(self, *statuses, headers=()):
        self.statuses = list(statuses)
        self.headers = list(headers)
        self.requests = []

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
        self.requests.append((scope["method"], scope["path"], scope["query_string"], sent, body))
        await send({"type": "http.response.start", "status": self.next_status(), "headers": self.headers})
        await send({"type": "http.response.body", "body": b"thanks"})

    def next_status(self):
        """Return the status of the response to the last request."""
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@pytest.fixture
def short_pauses(monkeypatch):
    monkeypatch.setattr(hooks, "RETRY_PAUSES", (0.01, 0.01, 0.01))


def url(base, rest="/hook?sig=SECRET-QUERY", **more):
    return Hook(url=WebhookUrl(base + rest), timeout=Timeout(DEADLINE), **more)


async def test_a_webhook_gets_a_signed_post(tmp_path):
    receiver = WebhookReceiver(204)
    began = int(time.time())
    with serve_app(receiver) as base:
        hook = url(base, secret=SecretSource(env=EnvironmentVariable("SIGNER")))
        async with running_hooks(tmp_path, hook, environ={"SIGNER": "s3cret-s3cret"}) as (running, problems):
            running.dispatch(alert_event())
            await running.finish(DEADLINE)
    ((method, path, query, headers, body),) = receiver.requests
    assert (method, path, query, headers["content-type"]) == ("POST", "/hook", b"sig=SECRET-QUERY", "application/json")
    assert json.loads(body)["job"]["label"] == "-rf *"
    assert json.loads(body)["delivery"] == headers["x-babeltop-delivery"]
    stamp, _, signature = headers["x-babeltop-signature"].partition(",")
    assert began <= int(stamp.removeprefix("t=")) <= time.time()
    signed = stamp.removeprefix("t=").encode() + b"." + body
    assert signature == "v1=" + hmac.new(b"s3cret-s3cret", signed, hashlib.sha256).hexdigest()
    assert not problems


async def test_a_failing_webhook_is_retried_with_the_same_delivery_id(tmp_path, short_pauses):
    receiver = WebhookReceiver(503, 429, 200)
    with serve_app(receiver) as base:
        async with running_hooks(tmp_path, url(base)) as (running, problems):
            running.dispatch(alert_event())
            await running.finish(DEADLINE)
    assert len(receiver.requests) == 3
    assert len({headers["x-babeltop-delivery"] for *_, headers, _ in receiver.requests}) == 1
    assert "x-babeltop-signature" not in receiver.requests[0][3]
    assert not problems


async def test_a_webhook_that_keeps_failing_is_given_up_without_showing_its_url(tmp_path, short_pauses, caplog):
    receiver = WebhookReceiver(500)
    with serve_app(receiver) as base:
        async with running_hooks(tmp_path, url(base)) as (running, problems):
            with caplog.at_level(logging.INFO, "tui"):
                running.dispatch(alert_event())
                await running.finish(DEADLINE)
    assert len(receiver.requests) == 1 + len(hooks.RETRY_PAUSES)
    assert problems == ["Hook 1 (127.0.0.1) returned HTTP 500"]
    assert "SECRET-QUERY" not in caplog.text + "".join(problems)


@pytest.mark.parametrize("status", [400, 401, 404, 307])
async def test_a_rejected_delivery_is_not_retried_and_a_redirect_is_not_followed(tmp_path, status):
    receiver = WebhookReceiver(status, headers=[(b"location", b"/elsewhere")])
    with serve_app(receiver) as base:
        async with running_hooks(tmp_path, url(base)) as (running, problems):
            running.dispatch(alert_event())
            await running.finish(DEADLINE)
    assert [path for _, path, *_ in receiver.requests] == ["/hook"]
    assert problems == [f"Hook 1 (127.0.0.1) returned HTTP {status}"]


async def test_an_unreachable_and_a_silent_webhook_are_reported(tmp_path, short_pauses, monkeypatch):
    monkeypatch.setattr(hooks, "RETRY_PAUSES", (0.01,))
    with serve_raw(silence) as silent_url:
        found = (url("http://127.0.0.1:9"), replace(url(silent_url), timeout=Timeout(0.3)))
        async with running_hooks(tmp_path, *found) as (running, problems):
            running.dispatch(alert_event())
            await running.finish(DEADLINE)
    first, second = sorted(problems)
    assert first.startswith("Hook 1 (127.0.0.1) cannot be reached: ")
    assert second == "Hook 2 (127.0.0.1) timed out after 0.3 s"


async def test_a_webhook_on_this_machine_bypasses_the_proxy(tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    receiver = WebhookReceiver(200)
    with serve_app(receiver) as base:
        async with running_hooks(tmp_path, url(base)) as (running, problems):
            running.dispatch(alert_event())
            await running.finish(DEADLINE)
    assert len(receiver.requests) == 1
    assert not problems


async def test_without_its_secret_a_webhook_gets_nothing(tmp_path):
    receiver = WebhookReceiver(200)
    with serve_app(receiver) as base:
        hook = url(base, secret=SecretSource(env=EnvironmentVariable("NOT_SET")))
        async with running_hooks(tmp_path, hook) as (running, problems):
            running.dispatch(alert_event())
            await running.finish(DEADLINE)
    assert not receiver.requests
    assert "cannot sign: environment variable NOT_SET is not set" in problems[0]


async def test_a_changed_secret_file_is_read_again(tmp_path):
    file = tmp_path / "secret"
    file.write_text("one")
    receiver = WebhookReceiver(200)
    with serve_app(receiver) as base:
        async with running_hooks(tmp_path, url(base, secret=SecretSource(file=str(file)))) as (running, _):
            running.dispatch(alert_event(1))
            await running.finish(DEADLINE)
            file.write_text("another")
            running.dispatch(alert_event(2))
            await running.finish(DEADLINE)
    for secret, (*_, headers, body) in zip([b"one", b"another"], receiver.requests, strict=True):
        stamp, _, signature = headers["x-babeltop-signature"].partition(",")
        signed = stamp.removeprefix("t=").encode() + b"." + body
        assert signature == "v1=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()
