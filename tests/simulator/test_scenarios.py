import pytest

from tests.support.simulator_client import PATHS, SimulatorClient
from tui.simulator.app import Simulator
from tui.simulator.scenario import DURATION_RANGES, Scenario, behaviour_in


def test_the_first_word_between_hyphens_tells_the_end():
    assert behaviour_in("7544-fail-ur") == "fail"
    assert behaviour_in("slow") == "slow"
    assert behaviour_in("a-timeout-fail") == "timeout"
    assert behaviour_in("failure-finest") is None


def test_an_end_that_there_is_none_of_is_refused():
    with pytest.raises(ValueError, match="'happy'"):
        Scenario("a", behaviour="happy")


@pytest.mark.parametrize("pace", DURATION_RANGES)
def test_an_id_without_a_word_mostly_succeeds_within_the_span_of_its_pace(pace):
    plots = [Scenario(f"{number:032x}").resolve(pace, 0) for number in range(400)]
    shortest, longest = DURATION_RANGES[pace]
    assert all(shortest <= round(plot.queued + plot.running, 6) <= longest for plot in plots)
    assert 320 < sum(plot.outcome == "success" for plot in plots) < 400
    assert {plot.outcome for plot in plots} == {"success", "failure", "timeout", "payment"}
    assert len({plot.title for plot in plots}) > 5


def test_the_same_seed_makes_the_same_story_and_another_seed_another():
    assert Scenario("a").resolve("video", 1) == Scenario("a").resolve("video", 1)
    assert Scenario("a").resolve("video", 1) != Scenario("a").resolve("video", 2)


def test_a_slow_story_takes_ten_times_as_long():
    times = [Scenario("a", behaviour=end).resolve("video", 0) for end in ("fine", "slow")]
    assert times[1].queued == pytest.approx(10 * times[0].queued)
    assert times[1].running == pytest.approx(10 * times[0].running)


async def test_a_stuck_story_never_ends():
    visitor = SimulatorClient()
    await visitor.poll("konpro", "a-stuck")
    visitor.clock += 10 * 365 * 86400
    assert (await visitor.poll("konpro", "a-stuck")).json()["data"]["status"] == "running"


async def test_a_story_may_have_begun_before_anybody_asked():
    visitor = SimulatorClient(scenarios=[Scenario("a", started_at=0.0)])
    assert (await visitor.poll("konpro", "a")).json()["data"]["status"] in ("success", "failed")


async def test_a_story_of_one_service_is_not_told_at_another():
    visitor = SimulatorClient(scenarios=[Scenario("a", service="konpro", title="Mine")])
    assert (await visitor.poll("konpro", "a")).json()["data"]["title"] == "Mine"
    assert (await visitor.poll("heygen", "a")).json()["data"]["title"] != "Mine"


async def test_the_clock_runs_as_fast_as_it_is_told():
    visitor = SimulatorClient(speed=60, scenarios=[Scenario("a-fine", queued=30, running=30)])
    await visitor.poll("konpro", "a-fine")
    visitor.clock += 1
    assert (await visitor.poll("konpro", "a-fine")).json()["data"]["status"] == "success"


async def test_a_reply_waits_as_long_as_the_latency_says_and_no_clock_but_the_one_given():
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    visitor = SimulatorClient(latency=0.1, sleep=sleep)
    await visitor.poll("konpro", "a-fine")
    assert 0.05 <= slept[0] < 0.15


@pytest.mark.parametrize(
    ("service", "at"),
    [
        ("heygen", lambda reply: (reply["data"]["status"], reply["data"]["message"])),
        ("heygen-v3", lambda reply: (reply["data"]["status"], reply["data"]["failure_message"])),
        ("konpro", lambda reply: (reply["data"]["status"], reply["data"]["message"])),
        ("flixu", lambda reply: (reply["data"]["status"], reply["data"]["error"])),
        ("camb", lambda reply: (reply["status"].lower(), reply["message"])),
    ],
)
async def test_a_failure_tells_why(service, at):
    visitor = SimulatorClient(scenarios=[Scenario("a", behaviour="fail", failure_message="No face")])
    assert at((await visitor.poll_after_end(service, "a")).json()) == (
        "error" if service == "camb" else "failed",
        "No face",
    )


async def test_a_time_out_has_a_word_only_at_camb():
    visitor = SimulatorClient()
    assert (await visitor.poll_after_end("camb", "a-timeout")).json()["status"] == "TIMEOUT"
    assert (await visitor.poll_after_end("flixu", "a-timeout")).json()["data"]["status"] == "error"
    assert "timed out" in (await visitor.poll_after_end("konpro", "a-timeout")).json()["data"]["message"]


@pytest.mark.parametrize("service", PATHS)
async def test_want_of_payment_is_a_word_at_camb_and_402_elsewhere(service):
    reply = await SimulatorClient().poll_after_end(service, "a-pay")
    if service == "camb":
        assert reply.json()["status"] == "PAYMENT_REQUIRED"
    else:
        assert reply.status_code == 402


async def test_camb_may_call_want_of_payment_an_error():
    reply = await SimulatorClient(
        scenarios=[Scenario("a", behaviour="fail", exception_reason="PAYMENT_REQUIRED")]
    ).poll_after_end("camb", "a")
    assert (reply.json()["status"], reply.json()["exception_reason"]) == ("ERROR", "PAYMENT_REQUIRED")


@pytest.mark.parametrize("service", PATHS)
async def test_a_missing_job_is_404_for_ever(service):
    assert (await SimulatorClient().poll_after_end(service, "a-missing")).status_code == 404


def test_nothing_is_shared_between_simulators():
    assert Simulator().poll_counts is not Simulator().poll_counts
