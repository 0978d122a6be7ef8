import re
from email.utils import parsedate_to_datetime

import httpx
import pytest

from tests.support.simulator_client import PATHS, START_TIME, SimulatorClient
from tui.simulator.scenario import Scenario
from tui.simulator.services.heygen import SUNSET
from tui.simulator.services.operations import MAX_BATCH

JOB = "7544c0b52ada44fda693a15b1181b5b4-fine-ur_ur-PK"
SCENARIO = Scenario(
    JOB, title="My Translated Video", language="Urdu (Pakistan)", queued=10, running=20, has_captions=True
)


def status_of(service: str, response: dict) -> object:
    if service == "operations":
        return response.get("done")
    return response["status"] if service == "camb" else response["data"]["status"]


@pytest.mark.parametrize(
    ("service", "statuses"),
    [
        ("heygen-v2", ["pending", "running", "success"]),
        ("heygen", ["pending", "running", "completed"]),
        ("konpro", ["pending", "running", "success"]),
        ("camb", ["PENDING", "PENDING", "SUCCESS"]),
        ("flixu", ["created", "processing", "completed"]),
        ("operations", [None, None, True]),
    ],
)
async def test_a_scenario_starts_at_its_first_poll_and_uses_the_services_statuses(service, statuses):
    client = SimulatorClient(scenarios=[SCENARIO])
    received = []
    for wait in (0, 10, 20):
        client.clock += wait
        received.append(status_of(service, (await client.poll(service, JOB)).json()))
    assert received == statuses


async def test_heygen_v2_responds_in_the_documented_format_with_a_deprecation_warning():
    client = SimulatorClient(scenarios=[SCENARIO])
    response = await client.poll_after_end("heygen-v2", JOB)
    data = response.json()["data"]
    assert set(response.json()) == {"error", "data", "warning"}
    assert response.json()["error"] is None
    assert list(data) == [
        "video_translate_id", "title", "output_language", "status", "url", "message", "callback_id", "caption_url",
    ]  # fmt: skip
    assert (data["title"], data["output_language"], data["message"]) == ("My Translated Video", "Urdu (Pakistan)", None)
    assert data["url"].split("?")[0].endswith("/original.mp4")
    assert data["caption_url"].split("?")[0].endswith(".ass")
    assert set(response.json()["warning"]) == {"message", "v3_endpoint", "docs_url", "sunset_date"}
    assert (response.headers["deprecation"], response.headers["sunset"]) == ("true", SUNSET)
    assert response.headers["x-request-id"]


async def test_a_retired_heygen_v2_returns_410_and_v3_has_the_same_job():
    client = SimulatorClient(scenarios=[SCENARIO], retired=True)
    assert (await client.poll("heygen-v2", JOB)).status_code == 410
    assert (await client.poll("heygen-v2", JOB, key=None)).status_code == 410
    response = await client.poll_after_end("heygen", JOB)
    data = response.json()["data"]
    assert set(response.json()) == {"data"}
    assert (data["id"], data["status"], data["title"]) == (JOB, "completed", "My Translated Video")
    assert data["video_url"]
    assert data["srt_caption_url"].split("?")[0].endswith(".srt")
    assert data["vtt_caption_url"].split("?")[0].endswith(".vtt")
    assert data["created_at"] == START_TIME
    assert "deprecation" not in response.headers


async def test_a_bulk_response_of_heygen_v3_has_statuses_without_links():
    client = SimulatorClient(
        scenarios=[
            Scenario("a-fine", queued=5, running=5),
            Scenario("b-stuck", queued=0),
            Scenario("c-fail", started_at=0),
        ]
    )
    path = "/v3/video-translations/statuses?video_translation_ids=a-fine,b-stuck,c-fail,d-missing"
    response = (await client.get(path)).json()
    assert [(item["video_id"], item["status"]) for item in response["data"]] == [
        ("a-fine", "queued"),
        ("b-stuck", "processing"),
        ("c-fail", "failed"),
        ("d-missing", "not_found"),
    ]
    assert all(set(item) == {"video_id", "status", "error", "batch_id", "item_index"} for item in response["data"])
    assert (response["has_more"], response["next_token"]) == (False, None)
    assert client.simulator.poll_counts["heygen", "a-fine"] == 1
    client.clock += 10
    assert (await client.get(path)).json()["data"][0]["status"] == "completed"


async def test_heygen_v3_accepts_at_most_100_ids():
    client = SimulatorClient()
    path = "/v3/video-translations/statuses?video_translation_ids="
    assert len((await client.get(path + ",".join(map(str, range(100))))).json()["data"]) == 100
    assert (await client.get(path + ",".join(map(str, range(101))))).status_code == 400
    assert (await client.get(path)).json()["error"]["code"] == "invalid_parameter"


async def test_konpro_responds_as_documented():
    response = (await SimulatorClient(scenarios=[SCENARIO]).poll_after_end("konpro", JOB)).json()
    assert response["error"] is None
    assert list(response["data"]) == ["video_translate_id", "title", "status", "url", "message"]
    assert "?" not in response["data"]["url"]


async def test_camb_has_a_run_id_after_the_end_which_leads_to_the_texts():
    client = SimulatorClient(scenarios=[Scenario("t", text="Hola.\nAdiós.", queued=1, running=9)])
    pending = (await client.poll("camb", "t")).json()
    assert pending == {"status": "PENDING", "run_id": None, "exception_reason": None, "message": None}
    client.clock += 10
    run = (await client.poll("camb", "t")).json()["run_id"]
    assert isinstance(run, int)
    assert (await client.get(f"/translation-result/{run}")).json() == {"texts": ["Hola.", "Adiós."]}


async def test_camb_has_no_result_before_the_end_of_the_run():
    client = SimulatorClient()
    run = (await client.poll_after_end("camb", "t-fine")).json()["run_id"]
    assert (await client.get(f"/dub-result/{run}")).status_code == 404
    assert (await client.get("/translation-result/1")).status_code == 404
    assert (await client.get("/translation-result/x")).json()["detail"][0]["loc"] == ["path", "run_id"]


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
async def test_cambs_other_kinds_have_their_own_results(kind, result, fields):
    client = SimulatorClient()
    await client.get(f"/{kind}/a-fine")
    client.clock += 700
    run = (await client.get(f"/{kind}/a-fine")).json()["run_id"]
    response = await client.get(f"/{result}/{run}?output_type=file_url")
    assert set(response.json()) == fields
    for url in (url for field, url in response.json().items() if field.endswith("_url")):
        assert (await client.get(url, key=None)).status_code == 200


async def test_cambs_speech_is_audio_unless_a_link_is_requested():
    client = SimulatorClient()
    await client.get("/tts/a-fine")
    client.clock += 700
    run = (await client.get("/tts/a-fine")).json()["run_id"]
    assert (await client.get(f"/tts-result/{run}")).headers["content-type"] == "audio/flac"


async def test_flixu_has_a_stage_as_progress_and_a_request_id():
    client = SimulatorClient(scenarios=[Scenario("doc_1", queued=5, running=5)])
    received = []
    for _ in range(3):
        response = (await client.poll("flixu", "doc_1")).json()
        received.append((response["data"]["progress"], response["data"]["result_url"] is not None))
        assert response["meta"]["request_id"]
        client.clock += 5
    assert received == [(0.0, False), (0.5, False), (1.0, True)]


async def test_an_operation_has_no_status_but_done_which_is_absent_until_the_end():
    client = SimulatorClient(scenarios=[Scenario("a-fine", running=9), Scenario("a-fail", running=9)])
    active = (await client.poll("operations", "a-fine")).json()
    assert set(active) == {"name", "metadata"}
    fine = (await client.poll_after_end("operations", "a-fine")).json()
    failed = (await client.poll_after_end("operations", "a-fail")).json()
    assert (fine["done"], set(fine["response"])) == (True, {"uri"})
    assert (failed["done"], failed["error"]["code"], "response" in failed) == (True, 13, False)


@pytest.mark.parametrize("query", ["", "?api-version=2", "?api-version=2024-05-01?ids=a", "?ids=a,b"])
async def test_an_operation_needs_the_version_in_its_query(query):
    client = SimulatorClient()
    for path in ("/operations/a-fine", "/operations/batch"):
        assert (await client.get(path + query)).status_code == 400


async def test_many_operations_are_polled_with_a_query_after_the_version():
    client = SimulatorClient(scenarios=[Scenario("a-fine", started_at=0), Scenario("b-stuck")])
    path = "/operations/batch?api-version=2024-05-01&ids="
    assert (await client.get(f"{path}a-fine,b-stuck,c-missing")).json() == {
        "operations": [{"name": "a-fine", "done": True}, {"name": "b-stuck", "done": False}]
    }
    assert client.simulator.poll_counts["operations", "a-fine"] == 1
    assert (await client.get(path)).status_code == 400
    assert (await client.get(path + ",".join(map(str, range(MAX_BATCH + 1))))).status_code == 400


@pytest.mark.parametrize(
    ("service", "status", "body"),
    [
        ("heygen-v2", 401, {"code": 400112, "message": "Unauthorized"}),
        ("heygen", 401, {"error": {"code": "unauthorized", "message": "Unauthorized"}}),
        ("camb", 401, {"error": "Invalid API key", "status": 401}),
    ],
)
async def test_an_invalid_key_gets_401_in_each_services_format(service, status, body):
    response = await SimulatorClient().poll(service, "a-fine", key="wrong")
    assert (response.status_code, response.json()) == (status, body)


@pytest.mark.parametrize("service", PATHS)
async def test_no_key_and_wrong_are_401_forbidden_is_403_and_other_keys_are_valid(service):
    client = SimulatorClient()
    keys = [None, "wrong", "forbidden", "anything"]
    assert [(await client.poll(service, "a-fine", key)).status_code for key in keys] == [401, 401, 403, 200]


@pytest.mark.parametrize("service", PATHS)
async def test_a_key_is_read_only_from_its_services_header(service):
    client, path = SimulatorClient(), PATHS[service].format("a-fine")
    plain = (await client.send(path, {"x-api-key": "k"})).status_code
    bearer = (await client.send(path, {"authorization": "Bearer k"})).status_code
    assert (plain, bearer) == {"flixu": (401, 200), "operations": (401, 200), "heygen": (200, 200)}.get(
        service, (200, 401)
    )


async def test_errors_have_request_ids_as_at_the_service():
    client = SimulatorClient()
    konpro = (await client.poll("konpro", "a-missing")).json()
    flixu = (await client.poll("flixu", "a-missing")).json()["error"]
    heygen = await client.poll("heygen", "a-missing")
    assert set(konpro["error"]) == {"code", "message", "details"}
    assert konpro["request_id"].startswith("req-")
    assert (flixu["code"], flixu["type"]) == ("not_found", "not_found_error")
    assert re.fullmatch(r"[0-9a-f-]{36}", flixu["request_id"])
    assert heygen.headers["x-request-id"]


async def test_every_response_has_the_date_of_the_simulated_clock():
    client = SimulatorClient(speed=60)
    client.clock += 10
    for path in ("/v2/video_translate/a-fine", "/nowhere", "/cdn/x/y/z"):
        date = (await client.get(path)).headers["date"]
        assert parsedate_to_datetime(date).timestamp() == START_TIME + 600


async def test_an_id_may_contain_any_character_of_a_path():
    response = await SimulatorClient().get("/v1/video_translate/a%2Fb%20%C3%A9-fine")
    assert response.json()["data"]["video_translate_id"] == "a/b é-fine"


async def test_unknown_paths_are_404_and_other_methods_405():
    client = SimulatorClient()
    for path in ("/", "/v2", "/v2/video_translate/", "/v1/documents/doc_1/download/x", "/translate/a/b"):
        assert (await client.get(path)).status_code == 404
    refused = await client.get("/translate/a", method="POST")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


async def test_head_responds_as_get_without_the_body():
    client = SimulatorClient()
    got, head = [await client.get("/translate/a-fine", method=method) for method in ("GET", "HEAD")]
    assert (head.content, head.headers["content-length"]) == (b"", got.headers["content-length"])


async def test_requests_are_logged():
    client = SimulatorClient()
    await client.poll("camb", "a-fine")
    await client.poll("camb", "a-fine", key="wrong")
    await client.get("/nowhere")
    assert client.simulator.poll_counts == {("camb", "a-fine"): 1}
    assert [(entry.service, entry.path, entry.key, entry.status) for entry in client.simulator.request_log] == [
        ("camb", "/translate/a-fine", "k", 200),
        ("camb", "/translate/a-fine", "wrong", 401),
        ("", "/nowhere", None, 404),
    ]
    assert client.simulator.response_counts["camb", 401] == 1


VOICE = "/v1/jobs/voice/translate/{}?include=signed_url"
DEEPL = {"authorization": "DeepL-Auth-Key k"}


async def test_the_languages_of_a_voice_job_end_one_after_another_and_the_last_may_fail():
    scenario = Scenario("v-partial", queued=10, running=30, languages=("de", "fr", "es"))
    client = SimulatorClient(scenarios=[scenario])
    received = []
    for wait in (0, 11, 10, 30):
        client.clock += wait
        body = (await client.get(VOICE.format("v-partial"), **DEEPL)).json()
        assert body["targets"] == [{"language": code} for code in ("de", "fr", "es")]
        received.append([result["status"] for result in body["results"]])
    assert received == [
        ["pending", "pending", "pending"],
        ["processing", "pending", "pending"],
        ["complete", "processing", "pending"],
        ["complete", "complete", "failed"],
    ]
    assert body["results"][2]["error"]["message"]
    assert "signed_download_url" not in (await client.get(VOICE.format("v-partial").split("?")[0], **DEEPL)).text
    assert (await client.get(VOICE.format("v-partial"))).status_code == 401, "another form of the key"


async def test_the_file_of_a_voice_job_is_sent_once():
    client = SimulatorClient(scenarios=[Scenario("v", queued=0, running=0, languages=("de", "fr"), behaviour="fine")])
    url = (await client.get(VOICE.format("v"), **DEEPL)).json()["results"][0]["signed_download_url"]
    first, second = await client.get(url, key=None), await client.get(url, key=None)
    assert (first.status_code, second.status_code) == (200, 404)
    results = (await client.get(VOICE.format("v"), **DEEPL)).json()["results"]
    assert [result["status"] for result in results] == ["downloaded", "complete"]


async def test_a_used_up_quota_of_deepl_is_456_with_a_trace_id():
    client = SimulatorClient(scenarios=[Scenario("v-pay", queued=0, running=0)])
    response = await client.get(VOICE.format("v-pay"), **DEEPL)
    assert (response.status_code, response.json()) == (456, {"message": "Quota exceeded"})
    assert response.headers["x-trace-id"]


async def test_the_list_of_heygen_v3_has_the_newest_jobs_first_with_a_cursor():
    begins = {f"{number}-fine": START_TIME - 1000 + number for number in range(5)}
    later = Scenario("later-fine", "heygen", started_at=START_TIME + 60)
    scenarios = [Scenario(job, "heygen", started_at=at, queued=0, running=10) for job, at in begins.items()]
    client = SimulatorClient(scenarios=[*scenarios, later, Scenario("x-missing", "heygen", started_at=START_TIME - 1)])
    first = (await client.get("/v3/video-translations?limit=3")).json()
    assert [job["id"] for job in first["data"]] == ["4-fine", "3-fine", "2-fine"]
    assert first["has_more"] is True
    rest = (await client.get(f"/v3/video-translations?limit=3&token={first['next_token']}")).json()
    assert ([job["id"] for job in rest["data"]], rest["has_more"]) == (["1-fine", "0-fine"], False)
    assert rest["data"][0] == (await client.poll("heygen", "1-fine")).json()["data"]
    client.clock += 100
    assert (await client.get("/v3/video-translations")).json()["data"][0]["id"] == "later-fine"
    assert (await client.get("/v3/video-translations?limit=101")).status_code == 400


async def post(client: SimulatorClient, path: str, document_key: str) -> httpx.Response:
    transport = httpx.ASGITransport(client.simulator)
    async with httpx.AsyncClient(transport=transport, base_url="http://sim.test") as http:
        return await http.post(path, headers=DEEPL, data={"document_key": document_key})


async def test_a_document_of_deepl_takes_its_second_secret_and_is_sent_once():
    client = SimulatorClient(scenarios=[Scenario("d", queued=10, running=10, behaviour="fine")])
    received = []
    for wait in (0, 11, 10):
        client.clock += wait
        received.append((await post(client, "/v2/document/d", "k")).json()["status"])
    assert received == ["queued", "translating", "done"]
    assert (await post(client, "/v2/document/d", "wrong")).status_code == 404
    assert (await client.get("/v2/document/d", **DEEPL)).status_code == 405
    first, second = await post(client, "/v2/document/d/result", "k"), await post(client, "/v2/document/d/result", "k")
    assert (first.status_code, second.status_code) == (200, 503)
    assert second.json() == {"message": "Document already downloaded"}
