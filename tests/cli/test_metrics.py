"""`watch --metrics`, scraped over HTTP."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.cli.conftest import KEY, Program
from tests.support.waiting import DEADLINE, wait_until
from tui.cli.main import run
from tui.cli.metrics.server import serve_metrics

pytestmark = pytest.mark.waits
README = Path(__file__).parents[2] / "README.md"
TOKEN = "t-2718281828459045"
CLIENT = httpx.Client(verify=False)  # a client of its own for each request would load all certificates


@contextmanager
def watching(program: Program, *args: str) -> Iterator[str]:
    """Run `watch --metrics` on a free port, and yield the URL that it prints."""
    process = program.start("watch", "--metrics", "127.0.0.1:0", *args)
    assert process.stderr is not None
    line = process.stderr.readline()
    url = re.search(r"metrics at (http://\S+)", line)
    assert url, line
    try:
        yield url[1]
    finally:
        process.terminate()
        ended = program.end(process)
    assert ended.code == 0


def scrape(url: str, **headers: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the samples by name and label values."""
    text = CLIENT.get(url, headers={"Accept": "application/openmetrics-text", **headers}).raise_for_status().text
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_a_scrape_has_what_list_shows_and_what_was_requested(configured: Program):
    configured.with_jobs("heygen:video_one", "heygen:video_two", "flixu:doc_three")
    with watching(configured) as url:
        wait_until(lambda: scrape(url)["babeltop_jobs"]["heygen", "done"] == 2)
        wait_until(lambda: scrape(url)["babeltop_jobs"]["flixu", "done"] == 1)
        wait_until(lambda: ("heygen",) in scrape(url).get("babeltop_next_link_expiry_seconds", {}))
        wait_until(
            lambda: '"expires_at":"' in configured("list", "--json").out.replace(" ", "")
        )  # the journal is later
        found = scrape(url)
        states = configured("list", "--json").json
        assert sum(found["babeltop_jobs"].values()) == len(states) == 3
        requests = {key: value for key, value in found["babeltop_requests_total"].items() if value}
        assert requests.keys() == {("heygen", "report"), ("flixu", "report")}
        assert found["babeltop_request_duration_seconds_count"]["heygen",] == requests["heygen", "report"] >= 2
        assert found["babeltop_polling"] == {(): 1}
        assert found["babeltop_account_healthy"]["heygen",] == 1
        links = (link for each in states if each["account"] == "heygen" for link in each["links"])
        assert any(link["expires_at"] for link in links)
        assert found["babeltop_next_link_expiry_seconds"]["heygen",] > 0
        assert KEY not in CLIENT.get(url).text


def test_a_fault_is_counted_by_its_kind(babeltop: Program):
    babeltop.with_accounts("heygen", flixu="http://127.0.0.1:9").with_jobs("flixu:doc_three")
    with watching(babeltop) as url:
        wait_until(lambda: scrape(url)["babeltop_requests_total"].get(("flixu", "offline"), 0) >= 2)
        assert scrape(url)["babeltop_account_healthy"]["flixu",] == 0


def test_metrics_require_the_token_or_this_machine(configured: Program):
    with watching(configured) as url:
        assert CLIENT.get(url, headers={"Host": "rebound.example"}).status_code == 403
        assert CLIENT.get(url.removesuffix("metrics")).status_code == 404
        assert CLIENT.post(url).status_code == 405
    configured.env["BABELTOP_METRICS_TOKEN"] = TOKEN
    with watching(configured) as url:
        assert CLIENT.get(url).status_code == 401
        assert CLIENT.get(url, headers={"Authorization": f"Bearer {TOKEN[:-1]}"}).status_code == 401
        assert scrape(url, Authorization=f"Bearer {TOKEN}")["babeltop_polling"] == {(): 1}


async def test_the_server_ends_while_clients_keep_their_connections(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tui.cli.metrics.server.STOP_TIMEOUT", 2 * DEADLINE)
    async with httpx.AsyncClient(verify=False) as scraper, asyncio.timeout(DEADLINE):
        async with serve_metrics("127.0.0.1", 0, None, lambda *_: (b"", "text/plain")) as url:
            response, silent = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
            silent.write(b"GET /metrics HTTP/1.1\r\n")
            assert (await scraper.get(url)).status_code == 200
        assert await response.read() == b""
        silent.close()


def test_an_address_that_cannot_be_used_is_named(configured: Program):
    done = configured("watch", "--metrics", "0.0.0.0:9101")
    assert done.code == 2
    assert "0.0.0.0 exposes the metrics to the network: a token is required" in done.err
    short = configured.folder / "token"
    short.write_text("short")
    short.chmod(0o600)
    done = configured("watch", "--metrics", "192.0.2.1:9101", "--metrics-token-file", str(short))
    assert done.code == 2
    assert "at least 16 characters" in done.err
    configured.env["BABELTOP_METRICS_TOKEN"] = TOKEN
    done = configured("watch", "--metrics", "192.0.2.1:9101")
    assert done.code == 2
    assert "--metrics 192.0.2.1:9101: " in done.err


@pytest.mark.parametrize("address", ["", "nine", "host:", "host:99999", "host:9101x"])
def test_a_malformed_address_is_refused(address: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        run(["watch", "--metrics", address])
    assert "use HOST:PORT" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (apt-get install prometheus)")
def test_promtool_accepts_the_metrics_and_the_examples_of_the_readme(configured: Program, tmp_path: Path):
    configured.with_jobs("heygen:video_one")
    with watching(configured) as url:
        text = CLIENT.get(url, headers={"Accept": "text/plain"}).content
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, b"")
    blocks = re.findall(r"```yaml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    config = next(each for each in blocks if each.startswith("scrape_configs"))
    rules = next(each for each in blocks if each.startswith("groups"))
    (tmp_path / "rules.yml").write_text(rules)
    (tmp_path / "prometheus.yml").write_text(f"{config}rule_files: [rules.yml]\n")
    subprocess.run(["promtool", "check", "config", tmp_path / "prometheus.yml"], capture_output=True, check=True)
