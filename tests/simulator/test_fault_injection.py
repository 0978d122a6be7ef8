import json
from email.utils import parsedate_to_datetime

import pytest

from tests.support.simulator_client import PATHS, START_TIME, SimulatorClient
from tui.cli.commands.providers import EXAMPLES
from tui.domain.models import Report
from tui.providers import wait_hints
from tui.providers.loader import load, provider_registry
from tui.providers.response import HttpResponse
from tui.providers.response_parser import parse_status
from tui.simulator.http import ConnectionCutError
from tui.simulator.rate_limits import LIMITS, RateLimiter
from tui.simulator.real_world import CACHE_AGE, DAMAGE, FLOAT_FORMATS, HINT_SECONDS, WAITING_HINTS
from tui.simulator.scenario import Scenario
from tui.simulator.services.camb import run_id

OPERATIONS = load(EXAMPLES / "operations.toml")


def read(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


@pytest.mark.parametrize("service", PATHS)
async def test_an_odd_scenario_cycles_through_undocumented_bodies_and_then_succeeds(service):
    client = SimulatorClient()
    active = [await client.poll(service, "a-odd") for _ in range(10)]
    bodies = [response.content for response in active]
    assert all(response.status_code == 200 for response in active)
    assert len(set(bodies)) >= 5
    assert any(b"<html>" in body for body in bodies)
    assert any(read(body) is None and body.startswith(b"{") for body in bodies), "JSON cut short"
    client.clock += 4000
    for _ in range(2):
        assert (await client.poll(service, "a-odd")).status_code == 200
    last = (await client.poll(service, "a-odd")).json()
    if service == "operations":
        assert last["response"]["uri"]
    else:
        assert (last if service == "camb" else last["data"])["status"] in ("success", "completed", "SUCCESS")


async def test_cambs_odd_bodies_are_those_of_its_sdk():
    client = SimulatorClient()
    received = [read((await client.poll("camb", "a-odd")).content) for _ in range(5)]
    assert received[0] == {"run_id": 123}
    assert isinstance(received[1]["message"], dict)
    assert received[1]["exception_reason"] == "NONE"
    assert received[3] == "PENDING"
    client.clock += 4000
    assert (await client.poll("camb", "a-odd")).json() == "SUCCESS"
    assert (await client.poll("camb", "a-odd")).json()["run_id"].isdecimal()


async def test_cambs_odd_dub_is_keyed_by_language():
    client = SimulatorClient()
    await client.get("/dub/a-odd")
    client.clock += 4000
    run = [(await client.get("/dub/a-odd")).json() for _ in range(3)][-1]["run_id"]
    ((_, dubbed),) = (await client.get(f"/dub-result/{run}")).json().items()
    assert set(dubbed) == {"output_video_url", "output_audio_url", "transcript"}


async def test_heygens_odd_statuses_are_those_of_its_enum():
    client = SimulatorClient()
    assert (await client.poll("heygen-v2", "a-odd")).json()["data"]["status"] == "pending: Waiting in queue"
    client.clock += 4000
    assert (await client.poll("heygen-v2", "a-odd")).json()["data"]["status"] == "success: Video rendered successfully"


@pytest.mark.parametrize("service", PATHS)
async def test_every_third_poll_of_a_limit_scenario_is_429_with_seconds_or_a_date(service):
    client = SimulatorClient()
    responses = [await client.poll(service, "a-limit") for _ in range(6)]
    assert [response.status_code for response in responses] == [200, 200, 429, 200, 200, 429]
    assert responses[2].headers["retry-after"] == "5"
    assert parsedate_to_datetime(responses[5].headers["retry-after"]).timestamp() == START_TIME + 5


@pytest.mark.parametrize("service", sorted(PATHS.keys() - {"flixu"}))  # it has rate-limit headers of its own
async def test_a_hint_scenario_cycles_through_the_forms_of_waiting_hints(service):
    client = SimulatorClient()
    responses = [await client.poll(service, "a-hint") for _ in range(len(WAITING_HINTS))]
    assert [response.status_code for response in responses] == [status for status, _ in WAITING_HINTS]
    waits = [hint for response in responses for hint in [wait_hints.retry_after(response.headers, client.clock)]]
    resets = [wait_hints.reset_after(response.headers, client.clock) for response in responses]
    known = [wait if wait is not None else reset for wait, reset in zip(waits, resets, strict=True)]
    assert known[:-1] == [HINT_SECONDS] * (len(WAITING_HINTS) - 1)
    assert waits[-1] is None


@pytest.mark.parametrize("service", PATHS)
async def test_a_damaged_scenario_keeps_its_status(service):
    client = SimulatorClient()
    bodies = [(await client.poll(service, "a-damaged")).content for _ in DAMAGE]
    provider = OPERATIONS if service == "operations" else provider_registry()[service]
    found = [parse_status(provider, "", HttpResponse(200, {}, body, client.clock)) for body in bodies]
    assert all(isinstance(report, Report) for report in found), found


async def test_a_gone_scenario_is_410_and_a_cached_one_has_the_origins_date_and_an_age():
    client = SimulatorClient()
    assert (await client.poll("konpro", "a-gone")).status_code == 410
    cached = await client.poll("konpro", "a-cached")
    assert parsedate_to_datetime(cached.headers["date"]).timestamp() == START_TIME - CACHE_AGE
    assert wait_hints.service_time(cached.headers) == START_TIME


async def test_a_floats_scenario_cycles_through_the_spellings_of_a_float_and_keeps_its_numbers():
    client = SimulatorClient(scenarios=[Scenario("a-floats", started_at=0, title="7")])
    bodies = [(await client.poll("camb", "a-floats")).text for _ in FLOAT_FORMATS]
    assert len(set(bodies)) == len(FLOAT_FORMATS)
    assert {read(body.encode())["run_id"] for body in bodies} == {
        float(run_id(Scenario("a-floats").resolve("text", 0)))
    }
    assert all(isinstance(read(body.encode())["run_id"], float) for body in bodies)
    assert (await client.poll("operations", "a-floats")).json()["done"] is True
    assert (await client.poll("konpro", "a-floats")).json()["data"]["title"] == "7"


async def test_a_flaky_scenario_has_errors_and_closed_connections_but_never_five_in_a_row():
    client = SimulatorClient()
    met = []
    for _ in range(16):
        try:
            met.append((await client.poll("camb", "a-flaky")).status_code)
        except ConnectionCutError:
            met.append("cut")
    assert {500, 502, 503, "cut", 200} == set(met)
    assert all(200 in met[start : start + 5] for start in range(11))


async def test_a_key_above_its_limit_gets_retry_after():
    client = SimulatorClient(limits={"konpro": 2})
    assert [(await client.poll("konpro", "a-stuck")).status_code for _ in range(3)] == [200, 200, 429]
    client.clock += 20
    refused = await client.poll("konpro", "a-stuck")
    assert (refused.headers["retry-after"], refused.json()["error"]["code"]) == ("40", "RATE_LIMIT_EXCEEDED")
    assert (await client.poll("konpro", "a-stuck", key="another")).status_code == 200
    client.clock += 40
    assert (await client.poll("konpro", "a-stuck")).status_code == 200


async def test_the_rate_limits_are_the_published_ones():
    client = SimulatorClient()
    statuses = [(await client.poll("konpro", "a-stuck")).status_code for _ in range(61)]
    assert statuses == [200] * 60 + [429]
    assert dict(LIMITS) == {
        "heygen": 600,
        "camb": 600,
        "konpro": 60,
        "konpro.day": 1000,
        "flixu": 120,
        "deepl-voice": 600,
        "deepl-documents": 600,
    } | {"operations": 600}


async def test_flixus_rate_limit_headers_have_the_reset_in_seconds():
    client = SimulatorClient(limits={"flixu": 2})
    received = []
    for _ in range(3):
        headers = (await client.poll("flixu", "a-stuck")).headers
        received.append(tuple(headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset")))
        client.clock += 10
    assert received == [("2", "1", "60"), ("2", "0", "50"), ("2", "0", "40")]


async def test_at_higher_speed_retry_after_is_in_the_clients_seconds():
    client = SimulatorClient(limits={"konpro": 1}, speed=60)
    await client.poll("konpro", "a-stuck")
    assert (await client.poll("konpro", "a-stuck")).headers["retry-after"] == "1"
    client.clock += 1
    assert (await client.poll("konpro", "a-stuck")).status_code == 200


def test_a_daily_limit_holds_beyond_the_minute():
    limiter = RateLimiter({"konpro.day": 3})
    assert [limiter.count_request("konpro", "k", minute * 60.0).allowed for minute in range(4)] == [
        True,
        True,
        True,
        False,
    ]
    assert limiter.count_request("konpro", "k", 300.0).reset_after == 86400 - 300
    assert limiter.count_request("konpro", "k", 86400.0).allowed


def test_an_unknown_limit_is_rejected():
    with pytest.raises(ValueError, match="acme"):
        RateLimiter({"acme": 1})


async def test_a_delay_scenario_gets_a_late_valid_response():
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    client = SimulatorClient(sleep=sleep)
    assert (await client.poll("camb", "a-delay")).status_code == 200
    assert slept == [3.0]
