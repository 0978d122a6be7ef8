import pytest

from tests.support.simulator_client import PATHS, SimulatorClient
from tui.simulator.app import Simulator
from tui.simulator.scenario import DURATION_RANGES, Scenario, behaviour_in


def test_the_first_behaviour_between_hyphens_is_selected():
    assert behaviour_in("7544-fail-ur") == "fail"
    assert behaviour_in("slow") == "slow"
    assert behaviour_in("a-timeout-fail") == "timeout"
    assert behaviour_in("failure-finest") is None


def test_an_unknown_behaviour_is_rejected():
    with pytest.raises(ValueError, match="'happy'"):
        Scenario("a", behaviour="happy")


@pytest.mark.parametrize("length", DURATION_RANGES)
def test_an_id_without_a_behaviour_mostly_succeeds_within_the_range_of_its_length(length):
    scenarios = [Scenario(f"{number:032x}").resolve(length, 0) for number in range(400)]
    shortest, longest = DURATION_RANGES[length]
    assert all(shortest <= round(scenario.queued + scenario.running, 6) <= longest for scenario in scenarios)
    assert 320 < sum(scenario.outcome == "success" for scenario in scenarios) < 400
    assert {scenario.outcome for scenario in scenarios} == {"success", "failure", "timeout", "payment"}
    assert len({scenario.title for scenario in scenarios}) > 5


def test_the_same_seed_resolves_to_the_same_scenario_and_another_seed_to_another():
    assert Scenario("a").resolve("video", 1) == Scenario("a").resolve("video", 1)
    assert Scenario("a").resolve("video", 1) != Scenario("a").resolve("video", 2)


def test_a_slow_scenario_takes_ten_times_as_long():
    times = [Scenario("a", behaviour=end).resolve("video", 0) for end in ("fine", "slow")]
    assert times[1].queued == pytest.approx(10 * times[0].queued)
    assert times[1].running == pytest.approx(10 * times[0].running)


async def test_a_stuck_scenario_never_ends():
    client = SimulatorClient()
    await client.poll("konpro", "a-stuck")
    client.clock += 10 * 365 * 86400
    assert (await client.poll("konpro", "a-stuck")).json()["data"]["status"] == "running"


async def test_a_scenario_can_start_before_the_first_poll():
    client = SimulatorClient(scenarios=[Scenario("a", started_at=0.0)])
    assert (await client.poll("konpro", "a")).json()["data"]["status"] in ("success", "failed")


async def test_a_scenario_of_one_service_does_not_apply_to_another():
    client = SimulatorClient(scenarios=[Scenario("a", service="konpro", title="Mine")])
    assert (await client.poll("konpro", "a")).json()["data"]["title"] == "Mine"
    assert (await client.poll("heygen-v2", "a")).json()["data"]["title"] != "Mine"


async def test_the_clock_runs_at_the_given_speed():
    client = SimulatorClient(speed=60, scenarios=[Scenario("a-fine", queued=30, running=30)])
    await client.poll("konpro", "a-fine")
    client.clock += 1
    assert (await client.poll("konpro", "a-fine")).json()["data"]["status"] == "success"


async def test_a_response_waits_for_the_latency_with_the_given_sleep():
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    client = SimulatorClient(latency=0.1, sleep=sleep)
    await client.poll("konpro", "a-fine")
    assert 0.05 <= slept[0] < 0.15


@pytest.mark.parametrize(
    ("service", "at"),
    [
        ("heygen-v2", lambda response: (response["data"]["status"], response["data"]["message"])),
        ("heygen", lambda response: (response["data"]["status"], response["data"]["failure_message"])),
        ("konpro", lambda response: (response["data"]["status"], response["data"]["message"])),
        ("flixu", lambda response: (response["data"]["status"], response["data"]["error"])),
        ("camb", lambda response: (response["status"].lower(), response["message"])),
        ("operations", lambda response: ("failed" * response["done"], response["error"]["message"])),
    ],
)
async def test_a_failure_has_its_message(service, at):
    client = SimulatorClient(scenarios=[Scenario("a", behaviour="fail", failure_message="No face")])
    assert at((await client.poll_after_end(service, "a")).json()) == (
        "error" if service == "camb" else "failed",
        "No face",
    )


async def test_only_camb_has_a_status_for_timeouts():
    client = SimulatorClient()
    assert (await client.poll_after_end("camb", "a-timeout")).json()["status"] == "TIMEOUT"
    assert (await client.poll_after_end("flixu", "a-timeout")).json()["data"]["status"] == "error"
    assert "timed out" in (await client.poll_after_end("konpro", "a-timeout")).json()["data"]["message"]


@pytest.mark.parametrize("service", PATHS)
async def test_a_missing_payment_is_a_status_at_camb_and_402_elsewhere(service):
    response = await SimulatorClient().poll_after_end(service, "a-pay")
    if service == "camb":
        assert response.json()["status"] == "PAYMENT_REQUIRED"
    else:
        assert response.status_code == 402


async def test_camb_can_report_a_missing_payment_as_an_error():
    response = await SimulatorClient(
        scenarios=[Scenario("a", behaviour="fail", exception_reason="PAYMENT_REQUIRED")]
    ).poll_after_end("camb", "a")
    assert (response.json()["status"], response.json()["exception_reason"]) == ("ERROR", "PAYMENT_REQUIRED")


@pytest.mark.parametrize("service", PATHS)
async def test_a_missing_job_stays_404(service):
    assert (await SimulatorClient().poll_after_end(service, "a-missing")).status_code == 404


def test_nothing_is_shared_between_simulators():
    assert Simulator().poll_counts is not Simulator().poll_counts
