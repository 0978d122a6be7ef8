"""Encodings of responses and files as stores really send them, from raw HTTP to the JSON of one `download`."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Program
from tests.support.misbehaving_servers import CLOSE, respond_with_body
from tests.support.provider_files import provider_file, write_provider_file
from tests.support.servers import serve_responder

PROVIDER = provider_file(
    "encoded",
    """
[status]
path = "/jobs/{id}"
value = ["/status"]
[statuses]
done = "done"
[[links]]
kind = "captions"
url = ["/url"]
""",
)
CAPTIONS = b"WEBVTT\n\n00:01.000 --> 00:02.000\nHola\n\n" * 100


def members(data: bytes) -> bytes:
    """Return two gzip members, the second from the middle of the data on."""
    middle = len(data) // 2
    return gzip.compress(data[:middle]) + gzip.compress(data[middle:])


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


ENCODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "members": ("gzip", members),
    "no-op": ("utf-8", bytes),
    "list": ("aws-chunked, gzip", gzip.compress),
    "raw-deflate": ("deflate", raw_deflate),
    "chain": ("deflate, gzip", lambda data: gzip.compress(raw_deflate(data))),
}
"""By job: the header, and the encoding of the job's status response and of its file."""


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """JSON of the download by job."""

    async def respond(head: bytes, writer: asyncio.StreamWriter) -> None:
        folder, job = head.decode().split(" ")[1].split("/")[1:3]
        coding, encode = ENCODINGS[job]
        status = json.dumps({"status": "done", "url": f"{base}/files/{job}"})
        body = encode(CAPTIONS if folder == "files" else status.encode())
        await respond_with_body(body, f"content-encoding: {coding}".encode(), CLOSE)(writer)

    with serve_responder(respond) as base:
        program = Program(tmp_path_factory.mktemp("encodings"), base)
        write_provider_file(program.config, "encoded", PROVIDER)
        program.with_accounts("encoded").with_jobs(*(f"encoded:{job}" for job in ENCODINGS))
        completed = program.call("download", *ENCODINGS, "--json")
        return {job["id"]: job for job in completed.json}


@pytest.mark.parametrize("job", ENCODINGS)
def test_status_response_and_file_are_decoded_whole(downloaded: dict[str, Any], job: str) -> None:
    assert downloaded[job]["error"] is None
    [saved] = downloaded[job]["saved"]
    assert Path(saved["path"]).read_bytes() == CAPTIONS
