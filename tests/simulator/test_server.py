import asyncio
import signal
import ssl
import subprocess
import sys
from email.utils import parsedate_to_datetime

import httpx
import pytest
import trustme

from tests.support import servers
from tests.support.servers import serve_app, serve_raw
from tests.support.simulator_client import START_TIME
from tests.support.waiting import DEADLINE
from tui.simulator.app import Simulator
from tui.simulator.scenario import Scenario
from tui.simulator.server import open_listener

KEY = {"x-api-key": "k"}


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(
        clock=lambda: START_TIME, scenarios=[Scenario("a", started_at=0.0, behaviour="fine", file_size=300_000)]
    )


def test_over_http_the_date_is_simulated_and_links_lead_to_the_simulator(simulator):
    with serve_app(simulator) as base, httpx.Client(headers=KEY) as client:
        response = client.get(f"{base}/v2/video_translate/a")
        assert [parsedate_to_datetime(date).timestamp() for date in response.headers.get_list("date")] == [START_TIME]
        assert "server" not in response.headers
        url = response.json()["data"]["url"]
        assert url.startswith(base)
        assert len(client.get(url).content) == 300_000
        assert client.get(url, headers={"range": "bytes=10-19"}).status_code == 206
        assert client.head(url).headers["content-length"] == "300000"


def test_over_http_a_flaky_scenario_closes_connections_without_a_log_entry(simulator, caplog):
    with serve_app(simulator) as base, httpx.Client(headers=KEY) as client:
        met = []
        for _ in range(8):
            try:
                met.append(client.get(f"{base}/v1/video_translate/b-flaky").status_code)
            except httpx.RemoteProtocolError as error:
                met.append(str(error).split(" (")[0])
    closed, within = (
        "Server disconnected without sending a response.",
        "peer closed connection without sending complete message body",
    )
    assert met == [502, 200, closed, 200, 503, within, 200, 500]
    assert not [record for record in caplog.records if record.name.startswith("uvicorn") and record.levelname != "INFO"]
    assert [entry.status for entry in simulator.request_log] == [502, 200, 0, 200, 503, 200, 200, 500]


def test_the_server_uses_tls_with_a_certificate(simulator, tmp_path):
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with serve_app(simulator, tmp_path / "cert.pem") as base, httpx.Client(verify=trust, headers=KEY) as client:
        assert client.get(f"{base}/v2/video_translate/a").json()["data"]["url"].startswith("https://127.0.0.1:")


def test_the_server_runs_until_sigterm_and_prints_nothing():
    code = """if True:
        from tui.simulator.app import Simulator
        from tui.simulator.server import serve
        serve(Simulator(), port=0, on_started=lambda port: print(port, flush=True))"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        response = httpx.get(f"http://127.0.0.1:{port}/translate/a-flaky", headers=KEY)
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=DEADLINE)
    assert (response.status_code, output) == (502, ("", ""))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_the_server_listens_on_loopback_only(host):
    with pytest.raises(ValueError, match="loopback"):
        open_listener(host, 0)


def test_importing_the_simulator_imports_neither_uvicorn_nor_other_packages_of_tui():
    code = "import sys, tui.simulator.app, tui.simulator.server; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in loaded if name.startswith("tui.") and not name.startswith("tui.simulator")}
    assert not ours | ({"uvicorn", "httpx", "msgspec"} & set(loaded))


def get(behaviour: servers.Behaviour, **settings) -> httpx.Response:
    with serve_raw(behaviour) as base, httpx.Client(**settings) as client:
        return client.get(base)


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (servers.silence, httpx.ReadTimeout),
        (servers.reset_before_response, httpx.ReadError),
        (servers.reset_within_body, httpx.ReadError),
        (servers.short_body, httpx.RemoteProtocolError),
        (servers.endless_headers, httpx.RemoteProtocolError),
        (servers.slow_body(5.0), httpx.ReadTimeout),
    ],
)
def test_a_raw_server_does_what_no_app_can(behaviour, error):
    with pytest.raises(error):
        get(behaviour, timeout=httpx.Timeout(DEADLINE, read=0.3 if error is httpx.ReadTimeout else DEADLINE))


def test_a_dripping_response_is_complete_in_the_end():
    assert get(servers.slow_body(0.001)).json()["data"] == {"status": "running"}


def test_a_gzip_bomb_is_small_before_decompression():
    with serve_raw(servers.gzip_bomb) as base, httpx.Client() as client, client.stream("GET", base) as response:
        assert len(b"".join(response.iter_raw())) < 100_000


def test_an_endless_body_continues_until_the_client_closes():
    with serve_raw(servers.endless_body) as base, httpx.Client() as client, client.stream("GET", base) as response:
        seen = 0
        for chunk in response.iter_raw():
            seen += len(chunk)
            if seen > 1_000_000:
                break
    assert seen > 1_000_000


async def test_both_servers_run_outside_of_the_tests_loop(simulator):
    with serve_app(simulator) as base, serve_raw(servers.silence):
        async with httpx.AsyncClient(headers=KEY) as client:
            responses = await asyncio.gather(*(client.get(f"{base}/v2/video_translate/a") for _ in range(5)))
    assert {response.status_code for response in responses} == {200}
