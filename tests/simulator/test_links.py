from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.simulator_client import SimulatorClient
from tui.simulator.scenario import LINK_LIFETIME, Scenario

URL = {"heygen": "url", "heygen-v3": "video_url", "konpro": "url"}


async def link(visitor: SimulatorClient, service: str, job: str) -> str:
    return (await visitor.poll(service, job)).json()["data"][URL[service]]


async def ended(visitor: SimulatorClient, service: str, job: str) -> str:
    return (await visitor.poll_after_end(service, job)).json()["data"][URL[service]]


@pytest.mark.parametrize("service", URL)
async def test_a_link_stays_the_same_until_it_dies_and_is_then_a_fresh_one(service):
    visitor = SimulatorClient()
    url = await ended(visitor, service, "a-fine")
    visitor.clock += LINK_LIFETIME - 1
    assert await link(visitor, service, "a-fine") == url
    assert (await visitor.get(url, key=None)).status_code == 200
    visitor.clock += 1
    dead = await visitor.get(url, key=None)
    assert (dead.status_code, dead.headers["content-type"]) == (403, "text/xml")
    assert "<Code>AccessDenied</Code>" in dead.text
    fresh = await link(visitor, service, "a-fine")
    assert fresh != url
    assert (await visitor.get(fresh, key=None)).status_code == 200


async def test_the_link_of_a_short_story_lives_a_minute_and_does_not_say_so():
    visitor = SimulatorClient()
    url = await ended(visitor, "heygen", "a-short")
    assert set(parse_qs(urlsplit(url).query)) == {"response-content-disposition"}
    visitor.clock += 60
    assert (await visitor.get(url, key=None)).status_code == 403


async def test_a_signed_link_of_heygen_dies_when_cloudfronts_expires_says():
    visitor = SimulatorClient(scenarios=[Scenario("a", behaviour="fine", has_signed_links=True, link_lifetime=100)])
    url = await ended(visitor, "heygen", "a")
    query = parse_qs(urlsplit(url).query)
    assert set(query) == {"Expires", "Signature", "Key-Pair-Id"}
    visitor.clock = int(query["Expires"][0]) - 1
    assert (await visitor.get(url, key=None)).status_code == 200
    assert (await visitor.get(url.replace("Expires=1", "Expires=2"), key=None)).status_code == 403
    visitor.clock += 1
    assert (await visitor.get(url, key=None)).status_code == 403


async def test_a_signed_link_of_konpro_dies_when_s3s_date_and_expires_say():
    visitor = SimulatorClient(scenarios=[Scenario("a", behaviour="fine", has_signed_links=True, link_lifetime=100)])
    url = await ended(visitor, "konpro", "a")
    query = parse_qs(urlsplit(url).query)
    born = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert (born.timestamp(), query["X-Amz-Expires"]) == (visitor.clock, ["100"])
    visitor.clock += 100
    assert (await visitor.get(url, key=None)).status_code == 403


@pytest.mark.parametrize("service", URL)
async def test_a_nolink_story_has_its_link_at_the_third_ask_after_the_end(service):
    visitor = SimulatorClient()
    links = [await ended(visitor, service, "a-nolink"), *[await link(visitor, service, "a-nolink") for _ in range(2)]]
    assert [bool(url) for url in links] == [False, False, True]


async def test_a_file_is_the_same_bytes_each_time_and_says_how_many_and_what_it_is_called():
    visitor = SimulatorClient(scenarios=[Scenario("a", behaviour="fine", title="Été", file_size=5000)])
    url = await ended(visitor, "konpro", "a")
    one, two = [await visitor.get(url, key=None) for _ in range(2)]
    assert len(one.content) == 5000 == int(one.headers["content-length"])
    assert (one.content, one.headers["etag"]) == (two.content, two.headers["etag"])
    assert one.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%89t%C3%A9.mp4"
    assert one.headers["content-type"] == "video/mp4"
    head = await visitor.get(url, key=None, method="HEAD")
    assert (head.content, head.headers["content-length"], head.headers["etag"]) == (b"", "5000", one.headers["etag"])


@pytest.mark.parametrize(
    ("asked", "status", "said", "part"),
    [
        ("bytes=0-9", 206, "bytes 0-9/100", slice(0, 10)),
        ("bytes=90-", 206, "bytes 90-99/100", slice(90, 100)),
        ("bytes=-5", 206, "bytes 95-99/100", slice(95, 100)),
        ("bytes=50-900", 206, "bytes 50-99/100", slice(50, 100)),
        ("bytes=-900", 206, "bytes 0-99/100", slice(0, 100)),
        ("bytes=100-", 416, "bytes */100", slice(0, 0)),
        ("bytes=-0", 416, "bytes */100", slice(0, 0)),
        ("bytes=0-1,5-6", 200, None, slice(0, 100)),
        ("lines=1-2", 200, None, slice(0, 100)),
    ],
)
async def test_a_file_can_be_fetched_in_ranges(asked, status, said, part):
    visitor = SimulatorClient(scenarios=[Scenario("a", behaviour="fine", file_size=100)])
    url = await ended(visitor, "konpro", "a")
    whole = (await visitor.get(url, key=None)).content
    reply = await visitor.get(url, key=None, range=asked)
    assert (reply.status_code, reply.headers.get("content-range"), reply.content) == (status, said, whole[part])


async def test_a_download_resumes_on_a_renewed_link_since_the_file_is_the_same():
    visitor = SimulatorClient(scenarios=[Scenario("a", behaviour="fine", file_size=100)])
    etag = (await visitor.get(await ended(visitor, "konpro", "a"), key=None)).headers["etag"]
    visitor.clock += LINK_LIFETIME
    fresh = await link(visitor, "konpro", "a")
    same = await visitor.get(fresh, key=None, range="bytes=50-", **{"if-range": etag})
    other = await visitor.get(fresh, key=None, range="bytes=50-", **{"if-range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)


async def test_captions_say_what_the_story_says():
    visitor = SimulatorClient(scenarios=[Scenario("a", behaviour="fine", text="Hola.\nAdiós.", has_captions=True)])
    v2 = (await visitor.poll_after_end("heygen", "a")).json()["data"]
    v3 = (await visitor.poll("heygen-v3", "a")).json()["data"]
    ass, srt, vtt = [
        (await visitor.get(url, key=None)).text
        for url in (v2["caption_url"], v3["srt_caption_url"], v3["vtt_caption_url"])
    ]
    assert "Dialogue: 0,0:00:03.00,0:00:06.00,Default,Adiós." in ass
    assert srt.endswith("2\n00:00:03,000 --> 00:00:06,000\nAdiós.\n\n")
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:03.000\nHola.\n")


async def test_flixus_document_wants_the_key_and_is_there_when_the_job_is_over():
    visitor = SimulatorClient(scenarios=[Scenario("doc_1", behaviour="fine", text="Hola.")])
    early = await visitor.get("/v1/documents/doc_1/download")
    url = (await visitor.poll_after_end("flixu", "doc_1")).json()["data"]["result_url"]
    assert url == "http://sim.test/v1/documents/doc_1/download"
    assert (await visitor.get(url, key=None)).status_code == 401
    assert early.json()["error"]["code"] == "not_found"
    reply = await visitor.get(url)
    assert (reply.text, reply.headers["x-ratelimit-limit"]) == ("Hola.", "120")
