import json
from email.utils import parsedate_to_datetime

import pytest

from tests.support.simulator_client import PATHS, START_TIME, SimulatorClient
from tui.simulator.http import ConnectionCutError
from tui.simulator.rate_limits import LIMITS, RateLimiter


def read(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


@pytest.mark.parametrize("service", PATHS)
async def test_an_odd_story_cycles_through_bodies_that_nobody_documented_and_then_ends_well(service):
    visitor = SimulatorClient()
    going = [await visitor.poll(service, "a-odd") for _ in range(10)]
    bodies = [reply.content for reply in going]
    assert all(reply.status_code == 200 for reply in going)
    assert len(set(bodies)) >= 5
    assert any(b"<html>" in body for body in bodies)
    assert any(read(body) is None and body.startswith(b"{") for body in bodies), "JSON cut short"
    visitor.clock += 4000
    for _ in range(2):
        assert (await visitor.poll(service, "a-odd")).status_code == 200
    last = (await visitor.poll(service, "a-odd")).json()
    assert (last if service == "camb" else last["data"])["status"] in ("success", "completed", "SUCCESS")


async def test_cambs_odd_bodies_are_those_of_its_sdk():
    visitor = SimulatorClient()
    told = [read((await visitor.poll("camb", "a-odd")).content) for _ in range(5)]
    assert told[0] == {"run_id": 123}
    assert isinstance(told[1]["message"], dict)
    assert told[1]["exception_reason"] == "NONE"
    assert told[3] == "PENDING"
    visitor.clock += 4000
    assert (await visitor.poll("camb", "a-odd")).json() == "SUCCESS"
    assert (await visitor.poll("camb", "a-odd")).json()["run_id"].isdecimal()


async def test_cambs_odd_dub_is_keyed_by_language():
    visitor = SimulatorClient()
    await visitor.get("/dub/a-odd")
    visitor.clock += 4000
    run = [(await visitor.get("/dub/a-odd")).json() for _ in range(3)][-1]["run_id"]
    ((_, dubbed),) = (await visitor.get(f"/dub-result/{run}")).json().items()
    assert set(dubbed) == {"output_video_url", "output_audio_url", "transcript"}


async def test_heygens_odd_words_are_those_of_its_own_enum():
    visitor = SimulatorClient()
    assert (await visitor.poll("heygen", "a-odd")).json()["data"]["status"] == "pending: Waiting in queue"
    visitor.clock += 4000
    assert (await visitor.poll("heygen", "a-odd")).json()["data"]["status"] == "success: Video rendered successfully"


@pytest.mark.parametrize("service", PATHS)
async def test_every_third_ask_for_a_limit_story_is_429_with_seconds_or_a_date(service):
    visitor = SimulatorClient()
    replies = [await visitor.poll(service, "a-limit") for _ in range(6)]
    assert [reply.status_code for reply in replies] == [200, 200, 429, 200, 200, 429]
    assert replies[2].headers["retry-after"] == "5"
    assert parsedate_to_datetime(replies[5].headers["retry-after"]).timestamp() == START_TIME + 5


async def test_a_flaky_story_meets_errors_and_closed_connections_but_never_five_in_a_row():
    visitor = SimulatorClient()
    met = []
    for _ in range(16):
        try:
            met.append((await visitor.poll("camb", "a-flaky")).status_code)
        except ConnectionCutError:
            met.append("cut")
    assert {500, 502, 503, "cut", 200} == set(met)
    assert all(200 in met[start : start + 5] for start in range(11))


async def test_a_key_that_used_its_minute_up_is_told_how_long_to_wait():
    visitor = SimulatorClient(limits={"konpro": 2})
    assert [(await visitor.poll("konpro", "a-stuck")).status_code for _ in range(3)] == [200, 200, 429]
    visitor.clock += 20
    refused = await visitor.poll("konpro", "a-stuck")
    assert (refused.headers["retry-after"], refused.json()["error"]["code"]) == ("40", "RATE_LIMIT_EXCEEDED")
    assert (await visitor.poll("konpro", "a-stuck", key="another")).status_code == 200
    visitor.clock += 40
    assert (await visitor.poll("konpro", "a-stuck")).status_code == 200


async def test_the_limits_are_those_published():
    visitor = SimulatorClient()
    statuses = [(await visitor.poll("konpro", "a-stuck")).status_code for _ in range(61)]
    assert statuses == [200] * 60 + [429]
    assert dict(LIMITS) == {"heygen": 600, "camb": 600, "konpro": 60, "konpro.day": 1000, "flixu": 120}


async def test_flixu_tells_how_the_key_stands_in_seconds_to_wait():
    visitor = SimulatorClient(limits={"flixu": 2})
    told = []
    for _ in range(3):
        headers = (await visitor.poll("flixu", "a-stuck")).headers
        told.append(tuple(headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset")))
        visitor.clock += 10
    assert told == [("2", "1", "60"), ("2", "0", "50"), ("2", "0", "40")]


async def test_at_speed_the_waits_are_the_clients_seconds():
    visitor = SimulatorClient(limits={"konpro": 1}, speed=60)
    await visitor.poll("konpro", "a-stuck")
    assert (await visitor.poll("konpro", "a-stuck")).headers["retry-after"] == "1"
    visitor.clock += 1
    assert (await visitor.poll("konpro", "a-stuck")).status_code == 200


def test_a_days_limit_outlasts_the_minutes():
    meter = RateLimiter({"konpro.day": 3})
    assert [meter.count_request("konpro", "k", minute * 60.0).allowed for minute in range(4)] == [
        True,
        True,
        True,
        False,
    ]
    assert meter.count_request("konpro", "k", 300.0).reset_after == 86400 - 300
    assert meter.count_request("konpro", "k", 86400.0).allowed


def test_a_limit_that_there_is_none_of_is_refused():
    with pytest.raises(ValueError, match="acme"):
        RateLimiter({"acme": 1})


async def test_a_delay_story_is_answered_late_and_well():
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    visitor = SimulatorClient(sleep=sleep)
    assert (await visitor.poll("camb", "a-delay")).status_code == 200
    assert slept == [3.0]
