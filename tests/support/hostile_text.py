"""Hostile texts, and a service that returns one in every field."""

import json
from functools import cache
from typing import Any

HOSTILE_TEXTS: dict[str, str] = {
    "title-osc": "\x1b]0;PWNED\x07",
    "clipboard-osc": "\x1b]52;c;UFdORUQ=\x07",
    "notify-osc": "\x1b]777;notify;PWNED;PWNED\x1b\\",
    "link-osc": "\x1b]8;;file:///etc/passwd\x1b\\PWNED\x1b]8;;\x1b\\",
    "an-osc-without-end": "\x1b]0;PWNED",
    "csi": "\x1b[2J\x1b[1;1H\x1b[31mPWNED\x1b[?1049l",
    "c1": "\x9d0;PWNED\x07\x9b2J\x90q\x9c",
    "dcs": "\x1bP$qPWNED\x1b\\",
    "markup": "[/x][@click=app.exit]PWNED[/][bold",
    "link-markup": "[link=file:///etc/passwd]PWNED[/link]",
    "emoji-markup": ":skull: $error {braces} %s %(x)s",
    "bidi": "\u202eDENWP\u202c \u2066PWNED\u2069 \u200f",
    "zero-width": "P\u200bW\u2060N\ufeffE\u180eD" * 50,
    "tags": "flag \U0001f3f4\U000e0067\U000e0062\U000e007f",
    "combining": "e" + "\u0301" * 5000,
    "lines": "a\nb\r\nc\x85d\u2028e\u2029f\vg\fh\ti",
    "nulls": "\0\x08\x7f\x1a\x04P\x0eW",
    "surrogate": "\ud800 \udfff",
    "a-megabyte": "A" * 900_000,
    "wide": "漢" * 15_000,
    "families": "👨‍👩‍👧‍👦" * 1000,
    "formula": '=cmd|"/C calc"!A1',
    "path": "../../../etc/passwd",
    "option": "--help",
    "shell": "$(touch PWNED); `touch PWNED`; ' \" \\",
}
"""Texts by name. Those for file system, shell and spreadsheet must be kept as they are and have no effect."""

LONG = 6000
"""Characters of a text from which on a response has it in one field: a body has at most 1 MiB."""

FORBIDDEN_BYTES = (
    b"\x1b]0;",
    b"\x1b]52;",
    b"\x1b]8;;file:",
    b"\x1bP$q",
    b"\x1b]777;notify;PWNED",
    *(each.encode() for each in "\u202e\u2066\u200f\u200b\u2060\u180e\x85\x9d\x9b\x90\U000e0067\u2028"),
)
"""Bytes that must never reach a terminal."""

PROVIDER_FILE = """name = "evil"
title = "Evil \\u001B]0;PWNED\\u0007 \\u202e[/x]"
base_url = "{url}"
key = {{ header = "x-api-key", env = "EVIL_KEY" }}
cadence = "text"
[status]
path = "/jobs/{{id}}"
value = ["/word"]
title = ["/title"]
language = ["/language"]
progress = ["/progress"]
message = ["/message"]
result_id = ["/run"]
[error]
message = ["/message"]
request_id = ["header:x-request-id", "/request"]
[statuses]
pending = "running"
good = "done"
bad = "failed"
[[links]]
kind = "video"
url = ["/url"]
[result]
path = "/results/{{result_id}}"
text = ["/text"]
"""
"""Third-party provider file that reads every field."""


async def service(scope: Any, receive: Any, send: Any) -> None:
    """Return the text that the id starts with; the id's end selects ran, done, failed, odd (as the status) or 500."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    status, headers, body = response(scope["path"])
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@cache
def response(path: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return the status, headers and body of the response at a path."""
    name, _, outcome = path.rpartition("/")[2].rpartition(".")
    text = HOSTILE_TEXTS.get(name, "fine")
    keys = ("text", "more") if path.startswith("/results") else ("title", "language", "message", "request")
    fields = dict.fromkeys(keys[:1] if len(text) > LONG else keys, text)
    status_text = {"ran": "pending", "done": "good", "failed": "bad"}.get(outcome, text)
    report = {
        **fields,
        "word": status_text[:LONG],
        "progress": text[:LONG],
        "run": f"{name}.done",
        "url": f"https://cdn.test/{text[:2000]}",
    }
    status = 500 if outcome == "500" else 200
    header = text[:3000].encode("utf-8", "replace").translate(None, bytes(range(32)) + b"\x7f").strip()
    return status, [(b"x-request-id", header)], json.dumps(report).encode()
