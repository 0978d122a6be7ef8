import re
from email.utils import parsedate_to_datetime

import pytest

from tests.support.simulator_client import PATHS, START_TIME, SimulatorClient
from tui.simulator.scenario import Scenario
from tui.simulator.services.heygen import SUNSET

JOB = "7544c0b52ada44fda693a15b1181b5b4-fine-ur_ur-PK"
STORY = Scenario(JOB, title="My Translated Video", language="Urdu (Pakistan)", queued=10, running=20, has_captions=True)


def word(service: str, reply: dict) -> object:
    return reply["status"] if service == "camb" else reply["data"]["status"]


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ("heygen", ["pending", "running", "success"]),
        ("heygen-v3", ["pending", "running", "completed"]),
        ("konpro", ["pending", "running", "success"]),
        ("camb", ["PENDING", "PENDING", "SUCCESS"]),
        ("flixu", ["created", "processing", "completed"]),
    ],
)
async def test_a_story_starts_at_its_first_ask_and_is_told_in_the_services_words(service, words):
    visitor = SimulatorClient(scenarios=[STORY])
    heard = []
    for wait in (0, 10, 20):
        visitor.clock += wait
        heard.append(word(service, (await visitor.poll(service, JOB)).json()))
    assert heard == words


async def test_heygen_v2_answers_in_the_documented_shape_and_warns_that_it_will_end():
    visitor = SimulatorClient(scenarios=[STORY])
    reply = await visitor.poll_after_end("heygen", JOB)
    data = reply.json()["data"]
    assert set(reply.json()) == {"error", "data", "warning"}
    assert reply.json()["error"] is None
    assert list(data) == [
        "video_translate_id", "title", "output_language", "status", "url", "message", "callback_id", "caption_url",
    ]  # fmt: skip
    assert (data["title"], data["output_language"], data["message"]) == ("My Translated Video", "Urdu (Pakistan)", None)
    assert data["url"].split("?")[0].endswith("/original.mp4")
    assert data["caption_url"].split("?")[0].endswith(".ass")
    assert set(reply.json()["warning"]) == {"message", "v3_endpoint", "docs_url", "sunset_date"}
    assert (reply.headers["deprecation"], reply.headers["sunset"]) == ("true", SUNSET)
    assert reply.headers["x-request-id"]


async def test_a_retired_heygen_v2_is_gone_whatever_the_key_while_v3_tells_the_same_story():
    visitor = SimulatorClient(scenarios=[STORY], retired=True)
    assert (await visitor.poll("heygen", JOB)).status_code == 410
    assert (await visitor.poll("heygen", JOB, key=None)).status_code == 410
    reply = await visitor.poll_after_end("heygen-v3", JOB)
    data = reply.json()["data"]
    assert set(reply.json()) == {"data"}
    assert (data["id"], data["status"], data["title"]) == (JOB, "completed", "My Translated Video")
    assert data["video_url"]
    assert data["srt_caption_url"].split("?")[0].endswith(".srt")
    assert data["vtt_caption_url"].split("?")[0].endswith(".vtt")
    assert data["created_at"] == START_TIME
    assert "deprecation" not in reply.headers


async def test_heygen_v3_tells_many_statuses_at_once_without_links():
    visitor = SimulatorClient(
        scenarios=[
            Scenario("a-fine", queued=5, running=5),
            Scenario("b-stuck", queued=0),
            Scenario("c-fail", started_at=0),
        ]
    )
    path = "/v3/video-translations/statuses?video_translation_ids=a-fine,b-stuck,c-fail,d-missing"
    reply = (await visitor.get(path)).json()
    assert [(item["video_id"], item["status"]) for item in reply["data"]] == [
        ("a-fine", "queued"),
        ("b-stuck", "processing"),
        ("c-fail", "failed"),
        ("d-missing", "not_found"),
    ]
    assert all(set(item) == {"video_id", "status", "error", "batch_id", "item_index"} for item in reply["data"])
    assert (reply["has_more"], reply["next_token"]) == (False, None)
    assert visitor.simulator.poll_counts["heygen", "a-fine"] == 1
    visitor.clock += 10
    assert (await visitor.get(path)).json()["data"][0]["status"] == "completed"


async def test_heygen_v3_takes_a_hundred_ids_and_no_more():
    visitor = SimulatorClient()
    path = "/v3/video-translations/statuses?video_translation_ids="
    assert len((await visitor.get(path + ",".join(map(str, range(100))))).json()["data"]) == 100
    assert (await visitor.get(path + ",".join(map(str, range(101))))).status_code == 400
    assert (await visitor.get(path)).json()["error"]["code"] == "invalid_parameter"


async def test_konpro_answers_as_documented():
    reply = (await SimulatorClient(scenarios=[STORY]).poll_after_end("konpro", JOB)).json()
    assert reply["error"] is None
    assert list(reply["data"]) == ["video_translate_id", "title", "status", "url", "message"]
    assert "?" not in reply["data"]["url"]


async def test_camb_tells_a_run_when_it_is_over_and_the_run_leads_to_the_texts():
    visitor = SimulatorClient(scenarios=[Scenario("t", text="Hola.\nAdiós.", queued=1, running=9)])
    pending = (await visitor.poll("camb", "t")).json()
    assert pending == {"status": "PENDING", "run_id": None, "exception_reason": None, "message": None}
    visitor.clock += 10
    run = (await visitor.poll("camb", "t")).json()["run_id"]
    assert isinstance(run, int)
    assert (await visitor.get(f"/translation-result/{run}")).json() == {"texts": ["Hola.", "Adiós."]}


async def test_camb_keeps_a_result_back_until_the_run_is_over():
    visitor = SimulatorClient()
    run = (await visitor.poll_after_end("camb", "t-fine")).json()["run_id"]
    assert (await visitor.get(f"/dub-result/{run}")).status_code == 404
    assert (await visitor.get("/translation-result/1")).status_code == 404
    assert (await visitor.get("/translation-result/x")).json()["detail"][0]["loc"] == ["path", "run_id"]


@pytest.mark.parametrize(
    ("kind", "result", "fields"),
    [
        ("dub", "dub-result", {"audio_url", "video_url", "transcript"}),
        ("tts", "tts-result", {"output_url"}),
        ("translated-tts", "tts-result", {"output_url"}),
        ("transcribe", "transcription-result", {"transcript"}),
        ("sub", "sub-result", {"transcript"}),
        ("story", "story-result", {"audio_url", "transcript"}),
        ("audio-separation", "audio-separation-result", {"foreground_audio_url", "background_audio_url"}),
    ],
)
async def test_cambs_other_kinds_have_results_of_their_own(kind, result, fields):
    visitor = SimulatorClient()
    await visitor.get(f"/{kind}/a-fine")
    visitor.clock += 700
    run = (await visitor.get(f"/{kind}/a-fine")).json()["run_id"]
    reply = await visitor.get(f"/{result}/{run}?output_type=file_url")
    assert set(reply.json()) == fields
    for url in (url for field, url in reply.json().items() if field.endswith("_url")):
        assert (await visitor.get(url, key=None)).status_code == 200


async def test_cambs_speech_comes_as_sound_unless_a_link_is_asked_for():
    visitor = SimulatorClient()
    await visitor.get("/tts/a-fine")
    visitor.clock += 700
    run = (await visitor.get("/tts/a-fine")).json()["run_id"]
    assert (await visitor.get(f"/tts-result/{run}")).headers["content-type"] == "audio/flac"


async def test_flixu_tells_a_stage_as_progress_and_numbers_its_replies():
    visitor = SimulatorClient(scenarios=[Scenario("doc_1", queued=5, running=5)])
    told = []
    for _ in range(3):
        reply = (await visitor.poll("flixu", "doc_1")).json()
        told.append((reply["data"]["progress"], reply["data"]["result_url"] is not None))
        assert reply["meta"]["request_id"]
        visitor.clock += 5
    assert told == [(0.0, False), (0.5, False), (1.0, True)]


@pytest.mark.parametrize(
    ("service", "status", "body"),
    [
        ("heygen", 401, {"code": 400112, "message": "Unauthorized"}),
        ("heygen-v3", 401, {"error": {"code": "unauthorized", "message": "Unauthorized"}}),
        ("camb", 401, {"error": "Invalid API key", "status": 401}),
    ],
)
async def test_a_wrong_key_gets_401_in_each_services_own_words(service, status, body):
    reply = await SimulatorClient().poll(service, "a-fine", key="wrong")
    assert (reply.status_code, reply.json()) == (status, body)


@pytest.mark.parametrize("service", PATHS)
async def test_keys_decide_no_key_and_wrong_are_401_forbidden_is_403_any_other_is_good(service):
    visitor = SimulatorClient()
    keys = [None, "wrong", "forbidden", "anything"]
    assert [(await visitor.poll(service, "a-fine", key)).status_code for key in keys] == [401, 401, 403, 200]


@pytest.mark.parametrize("service", PATHS)
async def test_a_key_counts_only_in_its_services_own_header(service):
    visitor, path = SimulatorClient(), PATHS[service].format("a-fine")
    plain = (await visitor.send(path, {"x-api-key": "k"})).status_code
    bearer = (await visitor.send(path, {"authorization": "Bearer k"})).status_code
    assert (plain, bearer) == {"flixu": (401, 200), "heygen-v3": (200, 200)}.get(service, (200, 401))


async def test_errors_carry_request_ids_where_the_service_does():
    visitor = SimulatorClient()
    konpro = (await visitor.poll("konpro", "a-missing")).json()
    flixu = (await visitor.poll("flixu", "a-missing")).json()["error"]
    heygen = await visitor.poll("heygen-v3", "a-missing")
    assert set(konpro["error"]) == {"code", "message", "details"}
    assert konpro["request_id"].startswith("req-")
    assert (flixu["code"], flixu["type"]) == ("not_found", "not_found_error")
    assert re.fullmatch(r"[0-9a-f-]{36}", flixu["request_id"])
    assert heygen.headers["x-request-id"]


async def test_every_reply_is_dated_by_the_simulated_clock():
    visitor = SimulatorClient(speed=60)
    visitor.clock += 10
    for path in ("/v2/video_translate/a-fine", "/nowhere", "/cdn/x/y/z"):
        date = (await visitor.get(path)).headers["date"]
        assert parsedate_to_datetime(date).timestamp() == START_TIME + 600


async def test_an_id_may_hold_anything_that_a_path_can_carry():
    reply = await SimulatorClient().get("/v1/video_translate/a%2Fb%20%C3%A9-fine")
    assert reply.json()["data"]["video_translate_id"] == "a/b é-fine"


async def test_unknown_paths_are_404_and_other_methods_405():
    visitor = SimulatorClient()
    for path in ("/", "/v2", "/v2/video_translate/", "/v1/documents/doc_1/download/x", "/translate/a/b"):
        assert (await visitor.get(path)).status_code == 404
    refused = await visitor.get("/translate/a", method="POST")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


async def test_head_answers_as_get_without_the_body():
    visitor = SimulatorClient()
    got, head = [await visitor.get("/translate/a-fine", method=method) for method in ("GET", "HEAD")]
    assert (head.content, head.headers["content-length"]) == (b"", got.headers["content-length"])


async def test_what_was_asked_can_be_read():
    visitor = SimulatorClient()
    await visitor.poll("camb", "a-fine")
    await visitor.poll("camb", "a-fine", key="wrong")
    await visitor.get("/nowhere")
    assert visitor.simulator.poll_counts == {("camb", "a-fine"): 1}
    assert [(ask.service, ask.path, ask.key, ask.status) for ask in visitor.simulator.request_log] == [
        ("camb", "/translate/a-fine", "k", 200),
        ("camb", "/translate/a-fine", "wrong", 401),
        ("", "/nowhere", None, 404),
    ]
    assert visitor.simulator.response_counts["camb", 401] == 1
