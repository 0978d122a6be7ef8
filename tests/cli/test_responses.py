"""Responses that services really send, from raw HTTP to the JSON of one `check`: each job of a table has its own."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import formatdate
from pathlib import Path
from time import sleep, time
from typing import Any, NamedTuple

import pytest

from tests.cli.conftest import SPEED, Program
from tests.support.provider_files import provider_file, write_example, write_provider_file
from tests.support.servers import serve_app, serve_responder
from tests.support.signed_links import END, LINKS_WITHOUT_VALID_SIGNATURE, SESSION_LINKS, SIGNED_LINKS
from tui.simulator.app import Simulator
from tui.simulator.rate_limits import LIMITS

PROVIDER = provider_file(
    "odd",
    """
[status]
path = "/jobs/{id}"
value = ["/status"]
result_id = ["/run_id"]
title = ["/title"]
progress = ["/progress"]
progress_unit = "percent"
[statuses]
running = "running"
done = "done"
[[links]]
kind = "video"
url = ["/url"]
lifetime = "7d"
[result]
path = "/results/{result_id}"
text = ["/text"]
[limits]
default = "free"
free = { per_minute = 6000, per_day = 5 }
""",
)
FLAGS = provider_file(
    "flags",
    """
[status]
path = "/jobs/{id}"
value = ["/done"]
[statuses]
true = "done"
2 = "failed"
[[override]]
http_status = 303
phase = "done"
[[override]]
http_status = 456
fault = "payment"
[[override]]
pointer = "/done"
exists = false
phase = "running"
[[override]]
pointer = "/progress"
less_than = 0
phase = "failed"
[[links]]
kind = "document"
url = ["header:Location"]
""",
)
"""Service whose status is a boolean that is absent before the end."""
HOUR = 3600
WAIT = 10 * HOUR
"""Seconds of every waiting hint: far longer than the test takes."""
LATIN_1 = "application/json; charset=iso-8859-1"
RUNNING = b'{"status":"running"}'
LINKS = SIGNED_LINKS | SESSION_LINKS | LINKS_WITHOUT_VALID_SIGNATURE


class CannedResponse(NamedTuple):
    """Response of the service to a poll of one job."""

    status: int
    body: bytes
    headers: Sequence[tuple[str, str]] = ()


def done(url: str) -> CannedResponse:
    """Return the response of a job that is done, with this link."""
    return CannedResponse(200, json.dumps({"status": "done", "url": url}).encode())


def responses() -> dict[str, CannedResponse]:
    """Return the response by `account:id`."""
    signed = f"https://cdn.example/v.mp4?Expires={time() + HOUR:.0f}&Signature=x&Key-Pair-Id=y"
    cached = [("Date", formatdate(time() - 2 * HOUR, usegmt=True)), ("Age", "7200")]
    return {
        "epoch:a": CannedResponse(429, b"", [("Retry-After", f"{time() + WAIT:.0f}")]),
        "limited:a": CannedResponse(429, b"", [("Retry-After", str(WAIT))]),
        "unavailable:a": CannedResponse(503, b"", [("Retry-After", str(WAIT))]),
        **{
            f"odd:wait-{status}": CannedResponse(status, b"", [("Retry-After", str(WAIT))])
            for status in (202, 204, 409, 425, 500, 502, 504)
        },
        "odd:wait-200": CannedResponse(200, RUNNING, [("Retry-After", str(WAIT))]),
        "odd:wait-202": CannedResponse(202, RUNNING, [("Retry-After", str(WAIT))]),
        "odd:twice": CannedResponse(409, b"", [("Retry-After", str(WAIT)), ("Retry-After", str(WAIT))]),
        "odd:unit": CannedResponse(409, b"", [("Retry-After", f"{WAIT}s")]),
        "odd:milliseconds": CannedResponse(409, b"", [("retry-after-ms", f"{WAIT}000")]),
        "odd:nonsense": CannedResponse(409, b"", [("Retry-After", "soon")]),
        "odd:emoji": CannedResponse(200, rb'{"status":"running","title":"My \ud83d..."}'),
        "odd:cut": CannedResponse(200, b'{"status":"running","title":"na\xc3"}'),
        "odd:latin": CannedResponse(200, b'{"status":"running","title":"na\xefve"}', [("Content-Type", LATIN_1)]),
        "odd:undeclared": CannedResponse(200, b'{"status":"running","title":"na\xefve"}'),
        "odd:mark": CannedResponse(200, b'\xef\xbb\xbf{"status":"running","title":"naive"}'),
        "odd:control": CannedResponse(200, b'{"status":"running","title":"one\ntwo\x01"}'),
        "odd:nan": CannedResponse(200, b'{"status":"running","title":"x","progress":NaN}'),
        "odd:cut-escape": CannedResponse(200, rb'{"status":"running","title":"na\u00e"}'),
        "odd:foreign-escape": CannedResponse(200, rb'{"status":"running","title":"it\'s"}'),
        "odd:nul": CannedResponse(200, b'{"status":"running","title":"x"}\0'),
        "odd:gone": CannedResponse(410, b'{"message":"expired"}'),
        "odd:float": CannedResponse(200, b'{"status":"done","run_id":1234567.0}'),
        "flags:true": CannedResponse(200, b'{"done":true}'),
        "flags:absent": CannedResponse(200, b'{"progress":1}'),
        "flags:null": CannedResponse(200, b'{"done":null}'),
        "flags:number": CannedResponse(200, b'{"done":2.0}'),
        "flags:below": CannedResponse(200, b'{"done":false,"progress":-2}'),
        "flags:http": CannedResponse(303, b"", [("Location", "https://cdn.example/file.docx")]),
        "flags:paid": CannedResponse(456, b"Quota exceeded"),
        "aged:a": done(signed)._replace(headers=cached),
        "aged:b": done(signed)._replace(headers=[*cached, ("Age", "7200")]),
        "odd:percent": CannedResponse(200, b'{"status":"running","progress":45}'),
        "odd:percent-sign": CannedResponse(200, b'{"status":"running","progress":"45%"}'),
        **{f"odd:{name}": done(url) for name, url in LINKS.items()},
        **{f"daily:{name}": CannedResponse(200, RUNNING) for name in ("first", "second", "third")},
    }


RESULT = CannedResponse(200, b'{"text":"translated"}')


class Checked(NamedTuple):
    """Result of the `check`."""

    at: float
    """Instant before it."""
    jobs: dict[str, Any]
    """JSON by `account:id`."""
    log: str

    def respects_hint(self, ref: str) -> bool:
        """Return whether the job's next poll respects a hint of WAIT seconds; its instant is cut to the second."""
        return WAIT - 1 <= instant(self.jobs[ref]["next_poll_at"]) - self.at < WAIT + HOUR

    def link(self, job: str) -> tuple[float, bool]:
        """Return the expiry of the job's only link, and whether it is exact."""
        (link,) = self.jobs[job]["links"]
        return instant(link["expires_at"]), link["exact"]


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checked]:
    at, found = time(), responses()

    async def respond(head: bytes, writer: asyncio.StreamWriter) -> None:
        target = head.decode().partition("\r\n")[0]
        account, job = target.split(" ")[1].split("/")[1::2]
        response = RESULT if "/results/1234567 " in target else found[f"{account}:{job}"]
        lines = [f"HTTP/1.1 {response.status} Status", *(f"{name}: {value}" for name, value in response.headers)]
        if response.status != 204:
            lines.append(f"Content-Length: {len(response.body)}")
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + response.body)
        await writer.drain()

    with serve_responder(respond) as url:
        program = Program(tmp_path_factory.mktemp("responses"), url)
        for name, text in (("odd", PROVIDER), ("flags", FLAGS)):
            write_provider_file(program.config, name, text)
        accounts = dict.fromkeys(ref.split(":")[0] for ref in found)
        program.with_accounts(**{name: f"{url}/{name}" for name in accounts}).with_jobs(*found)
        config = program.config / "config.toml"
        text = config.read_text()
        for name in accounts.keys() - {"flags"}:
            text = text.replace(f"[accounts.{name}]\n", f'[accounts.{name}]\nprovider = "odd"\n')
        head, daily, table = text.partition("[accounts.daily]\n")
        text = head + daily + table.replace("rate_per_minute = 6000\n", 'plan = "free"\n', 1)
        config.write_text(text)
        completed = program.call("check", "--json")
        log = (program.state / "babeltop.log").read_text()
        yield Checked(at, {f"{job['account']}:{job['id']}": job for job in completed.json}, log)


def test_an_epoch_in_retry_after_is_an_instant(checked: Checked) -> None:
    assert checked.respects_hint("epoch:a")
    assert abs(instant(checked.jobs["epoch:a"]["fault"]["retry_at"]) - checked.at - WAIT) < HOUR


@pytest.mark.parametrize("status", [200, 202, 204, 409, 425, 500, 502, 504])
def test_retry_after_of_any_status_holds_for_its_job(checked: Checked, status: int) -> None:
    assert checked.respects_hint(f"odd:wait-{status}")


@pytest.mark.parametrize("status", [409, 425, 500])
def test_a_response_with_a_waiting_hint_is_worded_as_a_wait(checked: Checked, status: int) -> None:
    message = checked.jobs[f"odd:wait-{status}"]["fault"]["message"]
    reason = "server error" if status == 500 else "try again later"
    assert message == f"Odd returned {status} ({reason}). Polling continues in {WAIT} s."


@pytest.mark.parametrize("account", ["limited", "unavailable"])
def test_retry_after_of_429_and_503_holds_for_the_account(checked: Checked, account: str) -> None:
    assert checked.jobs[f"{account}:a"]["fault"]["kind"] == "limited"
    assert checked.respects_hint(f"{account}:a")


@pytest.mark.parametrize("form", ["twice", "unit", "milliseconds"])
def test_retry_after_is_read_in_the_forms_that_services_send(checked: Checked, form: str) -> None:
    assert checked.respects_hint(f"odd:{form}")


def test_an_unreadable_waiting_hint_is_logged_once_and_never_shown(checked: Checked) -> None:
    assert checked.log.count("account odd: cannot read the header retry-after: soon (ignored)") == 1
    assert checked.jobs["odd:nonsense"]["fault"]["retry_at"] is None
    assert not checked.respects_hint("odd:nonsense")


@pytest.mark.parametrize("job", ["a", "b"])
def test_a_cached_response_moves_no_signed_expiry(checked: Checked, job: str) -> None:
    expires_at, is_exact = checked.link(f"aged:{job}")
    assert is_exact
    assert abs(expires_at - checked.at - HOUR) < HOUR / 2


@pytest.mark.parametrize("form", SIGNED_LINKS)
def test_every_signed_form_gives_an_exact_expiry(checked: Checked, form: str) -> None:
    assert checked.link(f"odd:{form}") == (END, True)


@pytest.mark.parametrize("form", SESSION_LINKS)
def test_the_credentials_of_a_session_make_a_signed_expiry_an_estimate(checked: Checked, form: str) -> None:
    assert checked.link(f"odd:{form}") == (END, False)


@pytest.mark.parametrize("form", LINKS_WITHOUT_VALID_SIGNATURE)
def test_a_damaged_or_ended_signature_gives_the_estimate(checked: Checked, form: str) -> None:
    expires_at, is_exact = checked.link(f"odd:{form}")
    assert not is_exact
    assert abs(expires_at - checked.at - 7 * 24 * HOUR) < HOUR


@pytest.mark.parametrize("job", ["percent", "percent-sign"])
def test_progress_in_percent_is_a_fraction(checked: Checked, job: str) -> None:
    found = checked.jobs[f"odd:{job}"]
    assert (found["progress"], found["progress_source"]) == (0.45, "measured")


def test_a_used_up_daily_limit_is_named_with_the_time_when_polling_continues(checked: Checked) -> None:
    faults = [checked.jobs[f"daily:{name}"]["fault"] for name in ("first", "second", "third")]
    assert faults[:2] == [None, None]
    assert (faults[2]["kind"], faults[2]["http_status"]) == ("limited", None)
    assert faults[2]["message"] == "no request sent: the account's daily limit, spread over the day"
    next_token = 24 * HOUR / (0.6 * 5)
    assert abs(instant(faults[2]["retry_at"]) - checked.at - next_token) < HOUR / 2


@pytest.mark.parametrize(
    ("job", "title"),
    [
        ("emoji", "My \ufffd..."),
        ("cut", "na\ufffd"),
        ("latin", "naïve"),
        ("undeclared", "na\ufffdve"),
        ("mark", "naive"),
        ("control", "one two"),
        ("nan", "x"),
        ("cut-escape", "na\ufffdu00e"),
        ("foreign-escape", "it\ufffd's"),
        ("nul", "x"),
    ],
)
def test_damaged_text_hides_no_status(checked: Checked, job: str, title: str) -> None:
    found = checked.jobs[f"odd:{job}"]
    assert (found["phase"], found["title"], found["fault"]) == ("running", title, None)


def test_a_410_ends_its_job_alone(checked: Checked) -> None:
    gone = checked.jobs["odd:gone"]
    assert (gone["phase"], gone["fault"]["kind"], gone["fault"]["http_status"]) == ("missing", "missing", 410)
    assert checked.jobs["odd:emoji"]["provider"] == "odd"


def test_an_id_that_came_as_a_float_leads_to_its_result(checked: Checked) -> None:
    assert checked.jobs["odd:float"]["result"] == "translated"


@pytest.mark.parametrize(
    ("job", "phase", "status"),
    [
        ("true", "done", "true"),
        ("absent", "running", "done: absent"),
        ("null", "running", "done: absent"),
        ("number", "failed", "2"),
        ("below", "failed", "false"),
        ("http", "done", "HTTP 303"),
        ("paid", "blocked", None),
    ],
)
def test_a_boolean_a_number_an_absent_field_and_an_http_status_are_statuses(
    checked: Checked, job: str, phase: str, status: str | None
) -> None:
    found = checked.jobs[f"flags:{job}"]
    assert (found["phase"], found["status"]) == (phase, status)


def test_the_target_of_a_redirect_that_means_done_is_the_link(checked: Checked) -> None:
    assert [link["url"] for link in checked.jobs["flags:http"]["links"]] == ["https://cdn.example/file.docx"]
    assert checked.jobs["flags:paid"]["fault"]["kind"] == "payment"


def test_every_scenario_of_real_responses_is_read_from_the_simulator(configured: Program) -> None:
    services = ("heygen", "konpro", "camb", "flixu", "operations")
    write_example(configured.config, "operations")
    configured.with_accounts(*services).with_jobs(
        *(f"{name}:{job}" for name in services for job in ("a-damaged", "a-cached", "a-floats", "a-gone"))
    )
    completed = configured.call("check", "--json")
    faults = {f"{job['account']}:{job['id']}": job["fault"] for job in completed.json}
    assert {ref for ref, fault in faults.items() if fault is not None} == {f"{name}:a-gone" for name in services}
    assert all(job["phase"] == "missing" for job in completed.json if job["id"] == "a-gone")


def test_a_simulated_operation_goes_from_an_absent_status_to_its_link_or_its_failure(configured: Program) -> None:
    write_example(configured.config, "operations")
    refs = [f"operations:{job}" for job in ("a-stuck", "b-fine", "c-fail", "d-timeout", "e-pay", "f-floats")]
    configured.with_accounts("operations").with_jobs(*refs)
    configured.call("check")
    sleep(800 / SPEED)
    jobs = configured.call("check", "--json").json
    assert [(job["phase"], job["status"], len(job["links"])) for job in jobs] == [
        ("running", "done: absent", 0),
        ("done", "true", 1),
        ("failed", "true", 0),
        ("timed_out", "true", 0),
        ("blocked", "done: absent", 0),
        ("done", "true", 1),
    ]


def test_the_float_that_a_simulated_run_has_as_its_id_leads_to_its_result(configured: Program) -> None:
    configured.with_accounts("camb").with_jobs(*(f"camb:{number}-floats" for number in range(3)))
    completed = configured.call("wait", "--json")
    assert [(job["phase"], bool(job["result"])) for job in completed.json] == [("done", True)] * 3


def test_many_operations_are_polled_at_a_bulk_path_with_a_query(tmp_path: Path) -> None:
    simulator = Simulator(speed=SPEED, limits=dict.fromkeys(LIMITS, 10**9))
    with serve_app(simulator) as url:
        program = Program(tmp_path / "one", url).with_accounts("operations")
        write_example(program.config, "operations")
        program.with_jobs(*(f"operations:{number}-fine" for number in range(6)))
        completed = program.call("wait", "--json")
    assert [(job["phase"], len(job["links"])) for job in completed.json] == [("done", 1)] * 6
    bulk = [entry.status for entry in simulator.request_log if entry.path == "/operations/batch"]
    assert set(bulk) == {200}
