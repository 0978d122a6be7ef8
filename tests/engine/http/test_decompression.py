"""Tests of encoded bodies: the decompressor alone, and status responses over real HTTP."""

import gzip
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.http.test_faults import BAD, checked, respond
from tests.support.servers import serve_raw
from tui.domain import content_headers
from tui.domain.models import FaultKind, Phase
from tui.engine.http import decompression
from tui.engine.http.decompression import MAX_CODINGS, StreamDecompressor, UndecodableError

TOO_MUCH = decompression.INFLATION_FLOOR + 1
"""Decompressed bytes."""
REPORT = b'{"error":null,"data":{"status":"success","url":"https://cdn.test/a.mp4"}}'


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def gzip_members(data: bytes) -> bytes:
    return gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :]) + bytes(3)


ENCODERS: Mapping[str, Sequence[Callable[[bytes], bytes]]] = {
    "gzip": (gzip.compress, gzip_members),
    "x-gzip": (gzip.compress,),
    "deflate": (zlib.compress, raw_deflate),
    "identity": (bytes,),
    "aws-chunked": (bytes,),
}


def decode(codings: Sequence[str], chunks: Sequence[bytes], max_chunk: int = 4096) -> bytes:
    """Return the decoded body. Raises UndecodableError, also for one that is cut."""
    decompressor = StreamDecompressor(codings, max_chunk)
    chunks = [chunk for piece in chunks for chunk in decompressor.decompress(piece)]
    assert all(len(chunk) <= max_chunk for chunk in chunks)
    if not decompressor.is_complete:
        raise UndecodableError("a truncated body")
    return b"".join(chunks)


@given(st.data(), st.binary(max_size=20_000), st.lists(st.sampled_from(sorted(ENCODERS)), max_size=MAX_CODINGS))
def test_any_chain_of_encodings_of_any_bytes_ends_in_the_bytes(data: st.DataObject, content: bytes, chain: list[str]):
    body = content
    for coding in chain:
        body = data.draw(st.sampled_from(ENCODERS[coding]))(body)
    size = data.draw(st.integers(1, 9000))
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    assert decode(content_headers.parse_codings(" , ".join(chain)), chunks) == content


@given(st.lists(st.sampled_from(("gzip", "deflate", "br", "x-gzip")), max_size=9), st.lists(st.binary(), max_size=5))
def test_any_bytes_in_any_chain_end_in_bytes_or_a_fault(chain: list[str], chunks: list[bytes]):
    with suppress(UndecodableError):
        decode(chain, chunks)


@pytest.mark.parametrize(
    ("chain", "body", "reason"),
    [
        ("gzip", lambda: gzip.compress(bytes(TOO_MUCH), 1), "inflates to more than 30 times its size"),
        ("gzip, gzip", lambda: gzip.compress(gzip.compress(bytes(TOO_MUCH), 1)), "inflates to more than 30 times"),
        ("gzip, gzip", lambda: gzip.compress(gzip.compress(b"") * 100_000), "more than 1000 tiny parts"),
        ("gzip, gzip, gzip, gzip", lambda: b"", "unsupported Content-Encoding: gzip, gzip, gzip, gzip"),
        ("gzip", lambda: gzip.compress(b"a") + b"no member", "damaged gzip data"),
        ("deflate", lambda: zlib.compress(b"a" * 100)[:-1] + b"x", "damaged deflate data"),
        ("gzip", lambda: gzip.compress(b"a") + gzip.compress(b"b")[:-1], "truncated"),
    ],
)
def test_a_body_that_inflates_too_much_or_is_damaged_is_refused(chain: str, body: Callable[[], bytes], reason: str):
    size = 0

    def read() -> None:
        nonlocal size
        decompressor = StreamDecompressor(content_headers.parse_codings(chain), 65536)
        for chunk in decompressor.decompress(encoded):
            assert len(chunk) <= 65536
            size += len(chunk)
        assert not decompressor.is_complete
        raise UndecodableError("truncated")

    encoded = body()
    with pytest.raises(UndecodableError, match=reason):
        read()
    assert size <= decompression.INFLATION_FLOOR


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip_members(REPORT)),
        ("utf-8", REPORT),
        ("none", REPORT),
        ("binary", REPORT),
        ("identity", REPORT),
        ("aws-chunked, gzip", gzip.compress(REPORT)),
        ("deflate", zlib.compress(REPORT)),
        ("deflate", raw_deflate(REPORT)),
        ("deflate, gzip", gzip.compress(zlib.compress(REPORT))),
    ],
    ids=["two members", "utf-8", "none", "binary", "identity", "list", "zlib", "raw deflate", "chain"],
)
async def test_a_status_response_is_read_in_every_encoding_that_services_send(tmp_path, coding, body):
    with serve_raw(respond("200 OK", body, f"content-encoding: {coding}")) as service:
        engine, _ = await checked(tmp_path, service)
    state = engine.states[BAD]
    assert (state.phase, state.fault) == (Phase.DONE, None)
    assert [link.url for link in state.links] == ["https://cdn.test/a.mp4"]


async def test_a_status_response_that_inflates_too_much_is_too_large(tmp_path):
    body = gzip.compress(gzip.compress(bytes(TOO_MUCH), 1))
    with serve_raw(respond("200 OK", body, "content-encoding: gzip, gzip")) as service:
        engine, _ = await checked(tmp_path, service)
    assert engine.states[BAD].fault.kind is FaultKind.TOO_LARGE
