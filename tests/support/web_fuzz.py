"""Random requests and messages of browsers, from noise to almost valid ones."""

import base64
import json
from random import Random

METHODS = (
    b"GET",
    b"POST",
    b"HEAD",
    b"OPTIONS",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"TRACE",
    b"PRI",
    b"get",
    b"G\x00T",
    b"\xff",
    b"",
)
PATHS = (
    b"/",
    b"/ws",
    b"/static/js/textual.js",
    b"/static/",
    b"/static/../../etc/passwd",
    b"/static/%2e%2e/%2e%2e/etc/passwd",
    b"/static//etc/passwd",
    b"/static/\x00",
    b"/static/%00",
    b"/download/x",
    b"/nothing",
    b"*",
    b"//",
    b"/%",
    b"/%zz",
    b"/?token=wrong",
    b"/?token=" + b"x" * 3000,
    b"/?token=a&token=b",
    b"/?token=%ff%00",
    b"http://evil.example/",
    b"http://[/",
    b"evil.example:80",
    b"/ws?width=999999999999999999999&height=-1",
    b"/?" + b"a" * 9000,
    b"/\xff\xfe",
    b"/;a=b",
    b"?",
    b"#",
    b"",
)
VERSIONS = (b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b"http/1.1", b"")
HOSTS = (
    b"127.0.0.1",
    b"127.0.0.1",
    b"localhost:8000",
    b"[::1]:1",
    b"evil.example",
    b"[",
    b"]",
    b"a b",
    b"",
    b"a:99999999",
    b"\xff",
    b"a" * 300,
    b"a@b",
)
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HEADERS = (
    b"Origin: null",
    b"Origin: http://[",
    b"Origin: https://evil.example",
    b"Origin: http://127.0.0.1",
    b"Origin: \xff",
    b"Cookie: =;;=",
    b'Cookie: babeltop="\\',
    b"Cookie: a=" + b"b" * 4000,
    b"Cookie: $Version=1; \xff=\xff",
    b"Cookie: babeltop_1=x; expires=y",
    b"Authorization: Bearer wrong",
    b"Authorization: Bearer",
    b"Authorization: Basic " + base64.b64encode(b"a:b"),
    b"Authorization: \xff",
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Content-Length: 1e3",
    b"Content-Length: 99999999999999999999",
    b"Content-Length: 9000",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: x",
    b"Content-Encoding: gzip",
    b"Content-Encoding: br",
    b"Content-Type: application/x-www-form-urlencoded",
    b"Content-Type: application/x-www-form-urlencoded; charset=utf-7",
    b"Content-Type: multipart/form-data",
    b"Content-Type: multipart/form-data; boundary=x",
    b"Content-Type: multipart/form-data; boundary=" + b"x" * 99,
    b"Content-Type: ;;;",
    b"Content-Type: text/plain; charset=\xff",
    b"Upgrade: websocket",
    b"Upgrade: h2c",
    b"Upgrade: TLS/1.0",
    b"Connection: Upgrade",
    b"Connection: close",
    b"Connection: keep-alive, x",
    b"Sec-WebSocket-Key: " + KEY,
    b"Sec-WebSocket-Key: x",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Version: x",
    b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
    b"Sec-WebSocket-Extensions: ,,",
    b"Sec-WebSocket-Protocol: \xff",
    b"Expect: 100-continue",
    b"Expect: x",
    b"Range: bytes=0-1,2-x",
    b"Range: bytes=-",
    b'If-None-Match: "',
    b"If-Modified-Since: never",
    b"If-Range: x",
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-For: \x1b[31m",
    b"Sec-Fetch-Site: cross-site",
    b"Accept-Encoding: gzip, br, *;q=x",
    b"A" * 9000 + b": x",
    b": x",
    b"No colon",
    b" folded: line",
    b"X: \x00",
    b"X: \x1b]0;title\x07",
    b"Accept: text/html",
    b"Host: other",
)
BODIES = (
    b"",
    b"",
    b"token=wrong",
    b"token=",
    b"token=\xff%zz&&&=",
    b"&" * 5000,
    b"--x\r\nContent-Disposition: form-data; name=token\r\n\r\nx\r\n--x--\r\n",
    b"--x\r\n\r\n",
    b"5\r\nabcde\r\n0\r\n\r\n",
    b"zz\r\n",
    b"ffffffffffffffff\r\n",
    b"\x1f\x8b\x08\x00",
    b"\x81\xfe\xff\xff",
    b"x" * 9000,
)
KEYS = (
    "j",
    "k",
    "\r",
    "\x1b",
    "\t",
    " ",
    "/",
    "?",
    ":",
    "a",
    "d",
    "x",
    "o",
    "D",
    "\x1b[A",
    "\x1b[<0;5;5M",
    "\x1b[200~",
    "\x1b[201~",
    "\x03",
    "ü",
    "\0",
)


def random_request(random: Random, token: str) -> bytes:
    """Return the bytes of one connection. Some requests have the token, so that they get beyond access control."""
    if random.random() < 0.1:
        return random.randbytes(random.randrange(200))
    lines = [b" ".join((random.choice(METHODS), random.choice(PATHS), random.choice(VERSIONS)))]
    lines += [b"Host: " + random.choice(HOSTS)] * (random.random() < 0.9)
    lines += [b"Authorization: Bearer " + token.encode()] * (random.random() < 0.3)
    lines += random.sample(HEADERS, random.randrange(6))
    data = bytearray(b"\r\n".join(lines) + b"\r\n\r\n" + random.choice(BODIES))
    if random.random() < 0.2:
        for _ in range(random.randrange(1, 5)):
            data[random.randrange(len(data))] = random.randrange(256)
    if random.random() < 0.1:
        del data[random.randrange(len(data)) :]
    return bytes(data) * (2 if random.random() < 0.05 else 1)


def random_message(random: Random) -> str | bytes:
    """Return one message to a dashboard: text, or bytes."""
    kind = random.randrange(6)
    if kind == 0:
        return random.randbytes(random.randrange(300))
    if kind == 1:
        return "".join(
            chr(random.choice((random.randrange(128), random.randrange(0xD7FF)))) for _ in range(random.randrange(60))
        )
    if kind == 2:
        sizes = (0, -1, 1, 80, 24, 6000, 10**30, 1.5, True, None, "80", [], {})
        return json.dumps(["resize", {"width": random.choice(sizes), "height": random.choice(sizes)}])
    if kind == 3:
        values = (
            None,
            1,
            "x",
            "quit",
            "stdin",
            "resize",
            "ping",
            "focus",
            "blur",
            [],
            {},
            ["stdin"],
            "\ud800",
            {"type": "quit"},
        )
        return json.dumps([random.choice(values) for _ in range(random.randrange(4))])
    if kind == 4:
        return json.dumps(["stdin", random.randbytes(random.randrange(40)).decode("latin-1")])
    return json.dumps(["stdin", "".join(random.choices(KEYS, k=random.randrange(8)))])
