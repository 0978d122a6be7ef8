from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.simulator_client import SimulatorClient
from tui.simulator.scenario import LINK_LIFETIME, Scenario

URL = {"heygen-v2": "url", "heygen": "video_url", "konpro": "url"}


async def link(client: SimulatorClient, service: str, job: str) -> str:
    return (await client.poll(service, job)).json()["data"][URL[service]]


async def ended(client: SimulatorClient, service: str, job: str) -> str:
    return (await client.poll_after_end(service, job)).json()["data"][URL[service]]


@pytest.mark.parametrize("service", URL)
async def test_a_link_stays_the_same_until_it_expires_and_is_then_replaced(service):
    client = SimulatorClient()
    url = await ended(client, service, "a-fine")
    client.clock += LINK_LIFETIME - 1
    assert await link(client, service, "a-fine") == url
    assert (await client.get(url, key=None)).status_code == 200
    client.clock += 1
    expired = await client.get(url, key=None)
    assert (expired.status_code, expired.headers["content-type"]) == (403, "text/xml")
    assert "<Code>AccessDenied</Code>" in expired.text
    renewed = await link(client, service, "a-fine")
    assert renewed != url
    assert (await client.get(renewed, key=None)).status_code == 200


async def test_the_link_of_a_short_scenario_expires_after_a_minute_without_stating_it():
    client = SimulatorClient()
    url = await ended(client, "heygen-v2", "a-short")
    assert set(parse_qs(urlsplit(url).query)) == {"response-content-disposition"}
    client.clock += 60
    assert (await client.get(url, key=None)).status_code == 403


async def test_a_signed_link_of_heygen_expires_at_cloudfronts_expires():
    client = SimulatorClient(scenarios=[Scenario("a", behaviour="fine", has_signed_links=True, link_lifetime=100)])
    url = await ended(client, "heygen-v2", "a")
    query = parse_qs(urlsplit(url).query)
    assert set(query) == {"Expires", "Signature", "Key-Pair-Id"}
    client.clock = int(query["Expires"][0]) - 1
    assert (await client.get(url, key=None)).status_code == 200
    assert (await client.get(url.replace("Expires=1", "Expires=2"), key=None)).status_code == 403
    client.clock += 1
    assert (await client.get(url, key=None)).status_code == 403


async def test_a_signed_link_of_konpro_expires_at_s3s_date_plus_expires():
    client = SimulatorClient(scenarios=[Scenario("a", behaviour="fine", has_signed_links=True, link_lifetime=100)])
    url = await ended(client, "konpro", "a")
    query = parse_qs(urlsplit(url).query)
    born = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert (born.timestamp(), query["X-Amz-Expires"]) == (client.clock, ["100"])
    client.clock += 100
    assert (await client.get(url, key=None)).status_code == 403


@pytest.mark.parametrize("service", URL)
async def test_a_nolink_scenario_has_its_link_at_the_third_poll_after_the_end(service):
    client = SimulatorClient()
    links = [await ended(client, service, "a-nolink"), *[await link(client, service, "a-nolink") for _ in range(2)]]
    assert [bool(url) for url in links] == [False, False, True]


async def test_a_file_has_the_same_bytes_each_time_with_length_and_name():
    client = SimulatorClient(scenarios=[Scenario("a", behaviour="fine", title="Été", file_size=5000)])
    url = await ended(client, "konpro", "a")
    one, two = [await client.get(url, key=None) for _ in range(2)]
    assert len(one.content) == 5000 == int(one.headers["content-length"])
    assert (one.content, one.headers["etag"]) == (two.content, two.headers["etag"])
    assert one.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%89t%C3%A9.mp4"
    assert one.headers["content-type"] == "video/mp4"
    head = await client.get(url, key=None, method="HEAD")
    assert (head.content, head.headers["content-length"], head.headers["etag"]) == (b"", "5000", one.headers["etag"])


@pytest.mark.parametrize(
    ("range_header", "status", "content_range", "part"),
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
async def test_a_file_is_served_in_ranges(range_header, status, content_range, part):
    client = SimulatorClient(scenarios=[Scenario("a", behaviour="fine", file_size=100)])
    url = await ended(client, "konpro", "a")
    whole = (await client.get(url, key=None)).content
    response = await client.get(url, key=None, range=range_header)
    assert (response.status_code, response.headers.get("content-range"), response.content) == (
        status,
        content_range,
        whole[part],
    )


async def test_a_download_resumes_on_a_renewed_link_since_the_file_is_the_same():
    client = SimulatorClient(scenarios=[Scenario("a", behaviour="fine", file_size=100)])
    etag = (await client.get(await ended(client, "konpro", "a"), key=None)).headers["etag"]
    client.clock += LINK_LIFETIME
    renewed = await link(client, "konpro", "a")
    same = await client.get(renewed, key=None, range="bytes=50-", **{"if-range": etag})
    other = await client.get(renewed, key=None, range="bytes=50-", **{"if-range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)


async def test_captions_contain_the_text_of_the_scenario():
    client = SimulatorClient(scenarios=[Scenario("a", behaviour="fine", text="Hola.\nAdiós.", has_captions=True)])
    v2 = (await client.poll_after_end("heygen-v2", "a")).json()["data"]
    v3 = (await client.poll("heygen", "a")).json()["data"]
    ass, srt, vtt = [
        (await client.get(url, key=None)).text
        for url in (v2["caption_url"], v3["srt_caption_url"], v3["vtt_caption_url"])
    ]
    assert "Dialogue: 0,0:00:03.00,0:00:06.00,Default,Adiós." in ass
    assert srt.endswith("2\n00:00:03,000 --> 00:00:06,000\nAdiós.\n\n")
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:03.000\nHola.\n")


async def test_flixus_document_needs_the_key_and_exists_after_the_end():
    client = SimulatorClient(scenarios=[Scenario("doc_1", behaviour="fine", text="Hola.")])
    early = await client.get("/v1/documents/doc_1/download")
    url = (await client.poll_after_end("flixu", "doc_1")).json()["data"]["result_url"]
    assert url == "http://sim.test/v1/documents/doc_1/download"
    assert (await client.get(url, key=None)).status_code == 401
    assert early.json()["error"]["code"] == "not_found"
    response = await client.get(url)
    assert (response.text, response.headers["x-ratelimit-limit"]) == ("Hola.", "120")


@pytest.mark.parametrize(
    ("behaviour", "status", "text"),
    [
        ("expired400", 400, "<Code>ExpiredToken</Code>"),
        ("expired403", 403, "Request has expired"),
        ("expired200", 200, '{"error":"link expired"}'),
        ("loginpage", 200, "Please sign in"),
    ],
)
async def test_the_first_link_of_a_broken_scenario_is_rejected_and_the_next_one_works(behaviour, status, text):
    client = SimulatorClient()
    first = await ended(client, "heygen-v2", f"a-{behaviour}")
    response = await client.get(first, key=None)
    assert response.status_code == status
    assert text in response.text
    client.clock += 1
    second = await link(client, "heygen-v2", f"a-{behaviour}")
    assert second != first
    assert (await client.get(second, key=None)).headers["content-type"] == "video/mp4"
    assert await link(client, "heygen-v2", f"a-{behaviour}") == second


@pytest.mark.parametrize(("behaviour", "status"), [("notready", 404), ("accepted", 202)])
async def test_a_file_that_is_not_ready_comes_twelve_seconds_after_its_first_link(behaviour, status):
    client = SimulatorClient()
    url = await ended(client, "heygen-v2", f"a-{behaviour}")
    assert (await client.get(url, key=None)).status_code == status
    client.clock += 12
    assert (await client.get(url, key=None)).status_code == 200


async def test_a_store_can_refuse_ranges_and_compress_a_file_in_two_members():
    client = SimulatorClient()
    url = await ended(client, "heygen-v2", "a-norange")
    assert (await client.get(url, key=None, range="bytes=5-")).status_code == 403
    assert (await client.get(url, key=None)).status_code == 200
    response = await client.get(await ended(client, "heygen-v2", "a-members"), key=None)
    assert response.headers["content-encoding"] == "aws-chunked,gzip"
