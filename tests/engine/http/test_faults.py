"""Tests of faults over real HTTP: each belongs to its job and account and to no other."""

import asyncio
import gzip
import socket

import pytest
import trustme

from tests.support import fixtures, servers
from tests.support.fixtures import KEY, RecordingListener, running_engine
from tests.support.servers import serve_app, serve_raw
from tests.support.waiting import DEADLINE, until
from tui.domain.models import FaultKind, Phase, Ref
from tui.engine.api import Health
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.engine.http.client import RequestLimits
from tui.simulator.app import Simulator
from tui.simulator.scenario import Scenario

BAD, GOOD = Ref("konpro", "a-fine"), Ref("heygen", "b-fine")
SHORT = 0.4
"""Deadline in seconds for a response that is never complete."""


def respond(status: str, body: bytes = b"", *headers: str) -> servers.Behaviour:
    """Respond with this status, body and headers."""

    async def write_response(writer: asyncio.StreamWriter) -> None:
        head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
        writer.write("\r\n".join(head).encode() + body)
        await writer.drain()

    return write_response


async def checked(tmp_path, bad: str, deadline: float = DEADLINE) -> tuple[Engine, RecordingListener]:
    """Poll one job at a bad service and one at a good one, once each.

    Sequentially if the deadline is short: on a slow machine a good response may take longer.
    """
    at_once = ((DEADLINE, [BAD, GOOD]),)
    in_turn = ((deadline, [BAD]), (DEADLINE, [GOOD]))
    with serve_app(Simulator(scenarios=[Scenario(GOOD.id, started_at=0.0)])) as good:
        library = fixtures.make_workspace(
            tmp_path, {"konpro": bad, "heygen": good}, {"konpro": (BAD.id,), "heygen": (GOOD.id,)}
        )
        listener = RecordingListener()
        for seconds, refs in at_once if deadline == DEADLINE else in_turn:
            engine = Engine(
                library,
                listener.publish,
                EngineContext.create(limits=RequestLimits(deadline=seconds, max_body=100_000)),
            )
            await engine.open()
            await engine.poll_once(refs)
        library.close()
    return engine, listener


ODD = [
    (servers.silence, FaultKind.TIMEOUT, "no complete response within 0.4 s"),
    (servers.slow_body(0.1), FaultKind.TIMEOUT, "no complete response within 0.4 s"),
    (servers.reset_before_response, FaultKind.OFFLINE, "connection"),
    (servers.reset_within_body, FaultKind.OFFLINE, "connection"),
    (servers.short_body, FaultKind.OFFLINE, "connection closed early"),
    (servers.endless_headers, FaultKind.OFFLINE, "not HTTP"),
    (servers.endless_body, FaultKind.TOO_LARGE, "larger than 97 KiB"),
    (servers.gzip_bomb, FaultKind.TOO_LARGE, "larger than 97 KiB"),
    (respond("200 OK", b"x", "content-encoding: br"), FaultKind.MALFORMED, "unsupported Content-Encoding: br"),
    (respond("200 OK", b"x", "content-encoding: gzip"), FaultKind.MALFORMED, "truncated gzip data"),
    (respond("200 OK", b"<html>"), FaultKind.MALFORMED, "without a status"),
    (respond("401 No", b"{}"), FaultKind.REFUSED, "rejected the API key"),
    (respond("403 No", b"{}"), FaultKind.REFUSED, "forbidden"),
    (respond("400 No", b"{}"), FaultKind.REJECTED, "rejected"),
    (respond("404 No", b"{}"), FaultKind.MISSING, "job not found"),
    (respond("402 No", b"{}"), FaultKind.PAYMENT, "payment"),
    (respond("429 No", b"{}", "retry-after: 7"), FaultKind.LIMITED, "in 7 s"),
    (respond("503 No", b"", "retry-after: 7"), FaultKind.LIMITED, "in 7 s"),
    (respond("500 No", b""), FaultKind.SERVER, "server error"),
    (respond("302 No", b"", "location: https://other.test/x"), FaultKind.REDIRECTED, "redirect"),
    (respond("410 No", b"{}"), FaultKind.MISSING, "returned 410 (gone)"),
]


@pytest.mark.parametrize(("behaviour", "kind", "message"), ODD, ids=[f"{kind}-{text[:12]}" for _, kind, text in ODD])
async def test_a_fault_of_one_service_belongs_to_its_job_alone(tmp_path, behaviour, kind, message):
    with serve_raw(behaviour) as bad:
        engine, listener = await checked(tmp_path, bad, SHORT if kind is FaultKind.TIMEOUT else DEADLINE)
    fault = engine.states[BAD].fault
    assert fault is not None
    assert fault.kind is kind
    assert message in fault.message
    assert engine.states[GOOD].phase is Phase.DONE
    assert engine.states[GOOD].fault is None
    assert listener.accounts["heygen"].health is Health.OK


async def test_a_stopped_service_is_offline(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    engine, listener = await checked(tmp_path, f"http://127.0.0.1:{port}")
    assert engine.states[BAD].fault.kind is FaultKind.OFFLINE
    assert "cannot be reached" in engine.states[BAD].fault.message
    assert listener.accounts["konpro"].health is Health.OFFLINE


async def test_an_untrusted_certificate_is_a_tls_fault(tmp_path):
    chain = tmp_path / "chain.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(chain)
    simulator = Simulator()
    with serve_app(simulator, certificate=chain) as bad:
        engine, _ = await checked(tmp_path, bad)
    assert engine.states[BAD].fault.kind is FaultKind.TLS
    assert "certificate" in engine.states[BAD].fault.message
    assert not simulator.request_log


async def test_a_certificate_of_the_operators_authority_is_trusted(tmp_path, monkeypatch):
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "chain.pem")
    authority.cert_pem.write_to_path(tmp_path / "roots.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    with serve_app(Simulator(scenarios=[Scenario(BAD.id, started_at=0.0)]), certificate=tmp_path / "chain.pem") as good:
        engine, _ = await checked(tmp_path, good)
    assert engine.states[BAD].phase is Phase.DONE


async def test_unreadable_root_certificates_are_a_tls_fault_of_every_account(tmp_path, monkeypatch):
    (tmp_path / "roots.pem").write_text("nonsense")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    with serve_raw(servers.silence) as bad:
        engine, _ = await checked(tmp_path, bad)
    assert {state.fault.kind for state in engine.states.values()} == {FaultKind.TLS}


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://x", "http://[::1"])
async def test_an_unusable_proxy_is_a_fault_until_it_is_removed(tmp_path, monkeypatch, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with serve_app(Simulator(scenarios=[Scenario(GOOD.id, started_at=0.0)])) as good:
        library = fixtures.make_workspace(tmp_path, good, {"heygen": (GOOD.id,)}, accounts=("heygen",))
        listener = RecordingListener()
        async with running_engine(Engine(library, listener.publish)) as engine:
            await engine.perform(fixtures.refresh(GOOD))
            await until(lambda: engine.states[GOOD].fault)
            assert engine.states[GOOD].fault.kind is FaultKind.OFFLINE
            assert "HTTPS_PROXY" in engine.states[GOOD].fault.message
            assert listener.accounts["heygen"].health is Health.OFFLINE
            monkeypatch.delenv("HTTPS_PROXY")
            await engine.perform(fixtures.refresh(GOOD))
            await until(lambda: engine.states[GOOD].phase is Phase.DONE)
        library.close()


async def test_a_redirect_is_not_followed_so_the_key_reaches_no_other_host(tmp_path):
    other = Simulator()
    with (
        serve_app(other) as elsewhere,
        serve_raw(respond("307 No", b"", f"location: {elsewhere}/v1/video_translate/a")) as bad,
    ):
        engine, _ = await checked(tmp_path, bad)
    assert engine.states[BAD].fault.kind is FaultKind.REDIRECTED
    assert not other.request_log


ECHO = b'{"data": {"status": "running", "message": "you sent %s"}}' % KEY.encode()


@pytest.mark.parametrize(
    "behaviour",
    [
        respond("200 OK", ECHO),
        respond("200 OK", gzip.compress(ECHO), "content-encoding: gzip"),
        respond("500 No", b'{"error": {"message": "bad key %s"}}' % KEY.encode()),
        respond("302 No", b"", f"location: https://other.test/{KEY}"),
        respond("400 No", b"{}", f"x-request-id: {KEY}"),
    ],
)
async def test_the_key_is_masked_in_everything_kept_of_a_response_that_echoes_it(tmp_path, behaviour):
    with serve_raw(behaviour) as bad:
        engine, listener = await checked(tmp_path, bad)
    assert KEY not in repr(engine.states) + repr(listener.states) + repr(listener.accounts)
    assert "***" in repr(engine.states[BAD]) + repr((await engine.job_history(BAD)).body)
    assert not [path for path in (tmp_path / "state").iterdir() if KEY.encode() in path.read_bytes()]


async def test_a_key_with_a_non_ascii_letter_is_sent_unchanged(tmp_path):
    simulator = Simulator(scenarios=[Scenario(GOOD.id, started_at=0.0)])
    with serve_app(simulator) as good:
        library = fixtures.make_workspace(tmp_path, good, {"heygen": (GOOD.id,)}, keys={"heygen": "schlüssel-é"})
        engine = Engine(library, RecordingListener().publish)
        await engine.open()
        await engine.poll_once([GOOD])
        library.close()
    assert [request.key for request in simulator.request_log] == ["schlüssel-é"]
    assert engine.states[GOOD].phase is Phase.DONE
