"""Service for the benchmarks, in a process of its own: raw asyncio, a fixed response after a delay.

It costs far less than any client, so that a benchmark measures the client. `python -m tests.benchmarks.origin` runs it.
"""

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

BODY = (
    b'{"error":null,"data":{"video_translate_id":"0123456789abcdef","title":"Spring launch","output_language":"Urdu '
    b'(Pakistan)","status":"running","url":null,"message":null,"callback_id":null,"caption_url":null}}'
)
"""Running job of HeyGen v2."""
RESPONSE = (
    b"HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 20:14:00 GMT\r\ncontent-type: application/json\r\n"
    b"x-request-id: 0123456789abcdef\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


class OriginServer(NamedTuple):
    """URL of the service, and the root certificate to trust."""

    url: str
    roots: Path

    def tls_context(self) -> ssl.SSLContext:
        """Return a client context that trusts the service."""
        return ssl.create_default_context(cafile=str(self.roots))

    @contextmanager
    def trusted_by_default(self) -> Iterator[None]:
        """Make this process trust the service through SSL_CERT_FILE."""
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = str(self.roots)
        try:
            yield
        finally:
            del os.environ["SSL_CERT_FILE"]
            if before is not None:
                os.environ["SSL_CERT_FILE"] = before


class Responder(asyncio.Protocol):
    """Connection that stays open; `respond` is called for each request head."""

    def __init__(self, respond: Callable[[asyncio.Transport], object]) -> None:
        self._respond = respond
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._waiting = (self._waiting + data).split(b"\r\n\r\n")
        for _ in heads:
            self._respond(self._transport)


async def serve(chain: Path, delay: float) -> None:
    """Serve over TLS on a free loopback port, which is printed, until killed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain)
    loop = asyncio.get_running_loop()

    def respond(transport: asyncio.Transport) -> None:
        loop.call_later(delay, transport.write, RESPONSE)

    server = await loop.create_server(lambda: Responder(respond), "127.0.0.1", 0, ssl=context, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def run_origin(delay: float) -> Iterator[OriginServer]:
    """Run the service in a process of its own, over TLS, with `delay` seconds per response."""
    import trustme

    with TemporaryDirectory() as folder:
        chain, roots = Path(folder, "chain.pem"), Path(folder, "roots.pem")
        authority = trustme.CA()
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(chain)
        authority.cert_pem.write_to_path(roots)
        command = [sys.executable, "-m", __name__, str(chain), str(delay)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield OriginServer(f"https://127.0.0.1:{process.stdout.readline().strip()}", roots)
            finally:
                process.terminate()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2])))
