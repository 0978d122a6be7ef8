"""Filters of hooks: which events and jobs a hook gets, from config.toml to the delivery."""

import asyncio

import pytest
from msgspec.structs import replace

from tests.engine.notifications.test_alerts import AlertConsole, link
from tests.engine.notifications.test_hooks import LOG_STDIN, alert_event, log_lines, program, running_hooks
from tests.support.scripted_service import ScriptedService
from tests.support.virtual_time import HOUR, MINUTE, run_virtual, wall_time
from tests.support.waiting import DEADLINE
from tui.domain.models import Job, LinkKind
from tui.engine.notifications.events import AlertEvent, summarize
from tui.engine.notifications.routing import select
from tui.storage.config.fields import JobFilter
from tui.storage.config.settings import Hook, SettingsError, read

LAUNCH = JobFilter.parse("tag:launch -account:konpro")


def tagged(number: int, *tags: str, event: str = "done") -> AlertEvent:
    made = alert_event(number, event)
    assert made.state is not None
    return made._replace(
        key=f"{event} {number}",
        state=replace(made.state, job=replace(made.state.job, tags=tags, label=f"job {number}")),
    )


async def test_a_filter_selects_events_and_the_jobs_of_a_grouped_one(tmp_path):
    hook = Hook(run=program(tmp_path, LOG_STDIN), on=("done", "expiring"), filter=LAUNCH)
    group = tagged(1, "launch", event="expiring")._replace(
        other_states=(tagged(2, event="expiring").state, tagged(3, "launch", event="expiring").state)
    )
    async with running_hooks(tmp_path, hook) as (running, problems):
        for event in (tagged(4, "launch"), tagged(5, "other"), group):
            running.dispatch(event)
        await running.finish(DEADLINE)
    assert not problems
    one, expiring = log_lines(tmp_path)
    assert one["job"]["label"] == "job 4"
    assert [job["label"] for job in expiring["jobs"]] == ["job 1", "job 3"]
    assert expiring["text"].startswith("2 links expire within ")
    assert expiring["jobs"][0]["links"][0]["kind"] == LinkKind.VIDEO


async def test_a_summary_has_only_the_jobs_of_the_filter(tmp_path):
    hook = Hook(run=program(tmp_path, LOG_STDIN), filter=LAUNCH)
    async with running_hooks(tmp_path, hook) as (running, _):
        running.dispatch(summarize([tagged(1, "launch"), tagged(2)], 0.0))
        running.dispatch(summarize([tagged(2)], 0.0))
        await running.finish(DEADLINE)
    (summary,) = log_lines(tmp_path)
    assert summary["text"] == "In the quiet time: 1 done (job 1)"
    assert [event["id"] for event in summary["events"]] == [summary["jobs"][0]["id"]]


@pytest.mark.parametrize(("tags", "events"), [(("launch",), ["done", "refused"]), ((), [])])
def test_an_account_matches_by_one_of_its_jobs(tmp_path, tags, events):
    app = ScriptedService(lambda request: link(7 * 24 * HOUR))
    hook = Hook(run=("true",), on=("done", "refused"), filter=JobFilter.parse("tag:launch"))

    async def play():
        jobs = (Job(account="heygen-v2", id="a", tags=tags), Job(account="heygen-v2", id="b"))
        console = await AlertConsole(tmp_path, app, jobs, hook=hook).start()
        await asyncio.sleep(MINUTE)
        app.respond = lambda request: (401, {"message": "no"}, {})
        await console.engine.link_renewer.renew(jobs[1].ref)
        await asyncio.sleep(MINUTE)
        context = console.library.config.evaluation_context(wall_time())
        assert [each.event for event in console.delivered if (each := select(hook, event, context))] == events
        await console.end()

    run_virtual(play())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tga:launch", "line 4: hook[0].filter: no field tga; did you mean tag?"),
        ("phase:faild", "line 4: hook[0].filter: no phase faild; did you mean failed?"),
        ("age>soon", "line 4: hook[0].filter: soon is not a duration"),
        ("tag:", "line 4: hook[0].filter: tag: needs a value"),
        (" ", "line 4: hook[0].filter: expected a filter such as"),
    ],
)
def test_a_wrong_filter_is_named_with_its_line_and_the_nearest_word(tmp_path, text, problem):
    (tmp_path / "config.toml").write_text(f'[[hook]]\non = ["done"]\nrun = ["true"]\nfilter = "{text}"\n')
    with pytest.raises(SettingsError) as raised:
        read(tmp_path / "config.toml")
    assert raised.value.problems[0].startswith(problem), raised.value.problems
