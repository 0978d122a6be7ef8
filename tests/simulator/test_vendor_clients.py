"""Vendors' own clients against the simulator, and babeltop beside them: all read the same."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Program
from tests.support.servers import serve_app
from tests.support.waiting import DEADLINE
from tui.simulator.app import Simulator
from tui.simulator.rate_limits import LIMITS

pytestmark = [pytest.mark.xdist_group("vendors"), pytest.mark.waits]  # installed once, by one worker

CLIENTS = ("deepl==1.32.0", "camb-sdk==1.6.6")
"""Clients of the services that the simulator has. No extra installs them: nothing else needs what they bring."""
REQUIRED = ("requests", "urllib3", "charset_normalizer", "pydantic<2")
"""What they import and we do not have. pip takes three times as long to find out, and 2 s for Pydantic 2's core."""
ROOT = Path(__file__).parents[2]
SECRET = "document-key-0123456789"


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the clients, installed once in a run. Skips the tests where no registry has them."""
    folder = tmp_path_factory.mktemp("clients")
    options = ("-q", "--no-compile", "--disable-pip-version-check", "--no-input", "--retries", "1", "--timeout", "30")
    options = (*options, "--no-deps", "--target", str(folder))
    command = [sys.executable, "-m", "pip", "install", *options, *CLIENTS, *REQUIRED]
    installed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=4 * DEADLINE)
    if installed.returncode != 0:
        pytest.skip(f"no registry has {', '.join(CLIENTS)}: {installed.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.fixture(scope="module")
def service():
    """URL of a fast simulator without limits."""
    with serve_app(Simulator(speed=500_000.0, limits=dict.fromkeys(LIMITS, 10**9))) as url:
        yield url


def run_client(name: str, clients: Path, *args: str) -> Any:
    """Return what a program of `support/vendor_clients` prints."""
    program = ROOT / "tests" / "support" / "vendor_clients" / f"{name}.py"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(clients)}
    done = subprocess.run(
        [sys.executable, str(program), *args],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_deepls_client_and_babeltop_read_the_same_of_documents(tmp_path, service, clients):
    jobs = ["vendor-fine", "vendor-fail", "vendor-pay"]
    found = run_client("deepl_documents", clients, service, *jobs)
    message = found["failed"][1]
    assert message
    assert found.pop("file")
    assert found == {
        "ended": "done",
        "download": "ok",
        "second_download": "DocumentNotReadyException",
        "after_download": "downloaded",
        "failed": ["error", message],
        "unpaid": "QuotaExceededException",
        "wrong_secret": "DeepLException",
        "forbidden_key": "AuthorizationException",
    }
    program = Program(tmp_path / "one", service).with_accounts("deepl-documents")
    secret = f'secrets = {{ document_key = "{SECRET}" }}\n'
    program.with_jobs(*(f"deepl-documents:{job}" for job in jobs), more=secret)
    fine, failed, unpaid = program("check", "--json").json
    assert (fine["phase"], fine["status"], [link["used"] for link in fine["links"]]) == ("done", "downloaded", [True])
    assert (failed["phase"], failed["status"], failed["message"]) == ("failed", "error", message)
    assert (unpaid["phase"], unpaid["fault"]["http_status"]) == ("blocked", 456)


def test_cambs_client_and_babeltop_read_the_same_of_each_kind_of_task(tmp_path, service, clients):
    found = run_client("camb_tasks", clients, service, "vendor-fine", "vendor-fail")
    reason = found["failed"][1]
    assert found == {
        "translate": ["SUCCESS", ["texts"]],
        "dub": ["SUCCESS", ["audio_url", "transcript", "video_url"]],
        "transcribe": ["SUCCESS", ["transcript"]],
        "story": ["SUCCESS", ["audio_url", "transcript"]],
        "audio-separation": ["SUCCESS", ["background_audio_url", "foreground_audio_url"]],
        "failed": ["ERROR", reason],
        "wrong_key": 401,
    }
    kinds = {"translate": 0, "dub": 2, "transcribe": 0, "story": 1, "audio-separation": 2}
    for kind, link_count in kinds.items():
        program = Program(tmp_path / kind, service).with_accounts("camb")
        line = f'kind = "{kind}"\n' if kind != "translate" else ""
        (job,) = program.with_jobs("camb:vendor-fine", more=line)("check", "--json").json
        assert (job["phase"], len(job["links"])) == ("done", link_count), kind
        assert bool(job["result"]) == (kind != "audio-separation"), kind
    program = Program(tmp_path / "failed", service).with_accounts("camb").with_jobs("camb:vendor-fail")
    (job,) = program("check", "--json").json
    assert (job["phase"], job["message"]) == ("failed", reason)
