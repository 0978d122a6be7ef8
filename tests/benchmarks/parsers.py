"""Time of every parser that a service can reach, for n and 10 n hostile bytes: the exponent of their growth.

10 n is what the headers of a response may have, and a sixteenth of the largest body. A parser with exponent 1 takes
linear time; with 2, a service could block the loop that all accounts share.
"""

import gc
import json
import math
import re
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from tui.cli.web import messages
from tui.domain import content_check, content_headers, job_ids
from tui.domain.links import signed_urls
from tui.domain.models import LinkKind
from tui.engine.downloads.http import host
from tui.engine.http import client, decompression, header_limit
from tui.presentation import filenames, languages, masking, sanitize
from tui.providers import json_body, loader, response_parser, wait_hints
from tui.providers.model import Provider
from tui.providers.response import HttpResponse, parse_account_headers, retry_after
from tui.storage.config.secrets import Secret

IS_TIMED = False
HOLD = 1.2
"""Exponent: linear, with caches that fit less and less."""
MIN_SECONDS, ROUNDS = 0.002, 8
"""CPU of one measurement, which repeats a fast parser; the fastest of the rounds counts."""
AT = 1_800_000_000.0
KEY = "sk/live+Abc=9876'ZyX%41"
UNITS = (
    *("a", "9", " ", "\t", "\n", ",", ";", "=", ".", "-", "_", "/", "\\", "%", "&", "#", "'", '"', "<", ">", "[", "("),
    *("%25", "%41", "&amp;", "&#37;", "\\u0025", "\\\\", "\\ud800", "\x1b[", "\x1b]", "\x9d", "\u202e", "\u200d", "é"),
    *("a=b;", 'a="', "a, ", "=?utf-8?b?", "?= ", "http://a.b/", "http://", "?a=1&", "a.", "1e", "<title>", "<!--"),
    *(" ,;a=1", "Sat, 01 ", "2027-01-01T", "sha-256=", ";q=0", "limit=1;", "'\\''", "'\"'\"'", KEY[:-1], KEY),
)  # fmt: skip
"""Parts that a hostile text repeats."""
PREFIXES = ("", 'attachment; filename="', "https://a.example/?Expires=")
"""Starts of a hostile text, which lead a parser to the rest."""
JSON_UNITS = (
    ("[", "]"), ('{"a":', "}"), ("[],", ""), ('{"status":"a"},', ""), ('"a":1,', ""), ('"\\ud800",', ""), ("1", ""),
    ("1e", ""), ("0.", ""), ("NaN,", ""), ('"', ""), ("\\", ""), (" ", ""), ('"https://a.b/?Expires=1",', ""),
)  # fmt: skip
"""Parts of a hostile JSON, before and after its middle."""

Parse = Callable[[Any], object]


def hostile_texts(size: int) -> Iterator[str]:
    """Yield texts of this size."""
    for unit in UNITS:
        for prefix in PREFIXES:
            yield (prefix + unit * (size // len(unit)))[:size]


def hostile_bytes(size: int) -> Iterator[bytes]:
    """Yield bodies of this size that are no JSON."""
    for text in hostile_texts(size):
        yield text.encode("utf-8", "surrogatepass")[:size]


def hostile_json(size: int) -> Iterator[bytes]:
    """Yield bodies of this size, most of them JSON."""
    for before, after in JSON_UNITS:
        number = size // len(before + after)
        nested = before * number + "1" + after * number
        items = (before * number).rstrip(",")
        quoted = json.dumps(before * (size // len(json.dumps(before))))
        members = ",".join(f'"{index}":{quoted[:50]!r}' for index in range(0, size, 60))
        wrapped = f'{{"data":{{"status":{quoted},"items":[{items}],"error":{quoted},"url":[{items}]}}}}'
        for text in (
            nested,
            f"[{items}]",
            f"[{items},NaN]",
            quoted,
            f"{{{members}}}",
            wrapped,
            wrapped[:-1],
            f"NaN{wrapped}",
        ):
            yield text.encode("latin-1", "replace")[:size]


def compressed(size: int) -> Iterator[tuple[str, bytes]]:
    """Yield codings and compressed bodies of this size."""
    empty = zlib.compress(b"", wbits=31)
    yield "gzip", (empty * (size // len(empty) + 1))[:size]
    yield "gzip", zlib.compress(bytes(900 * size), wbits=31)[:size]
    yield "gzip, gzip", zlib.compress(zlib.compress(bytes(900 * size), wbits=31), wbits=31)
    yield "deflate", b"\0" * size
    yield "gzip", zlib.compress(b"", wbits=31) + bytes(size)


def decompress(given: tuple[str, bytes]) -> None:
    codings, body = given
    try:
        for _ in decompression.StreamDecompressor(content_headers.parse_codings(codings), 65536).decompress(body):
            pass
    except decompression.UndecodableError:
        pass


def header_lists(size: int) -> Iterator[list[tuple[bytes, bytes]]]:
    """Yield headers of this size, as one value or in many lines."""
    for value in hostile_bytes(size):
        yield [(b"x-request-id", value)]
    for unit in (b"", b"a", KEY.encode(), b"\xff", b"%41"):
        yield [(b"a", unit)] * (size // (5 + len(unit)))
        yield [(b"%d" % number, unit) for number in range(size // (9 + len(unit)))]


def with_headers(parse: Callable[[HttpResponse], object], *names: str) -> Parse:
    """Return a parser of one text, which is in all these headers."""
    return lambda text: parse(HttpResponse(429, dict.fromkeys(names, text), b"", AT))


def with_every_provider(parse: Callable[[Provider, HttpResponse], object], status: int) -> Parse:
    """Return a parser of a body, which is a response to every provider."""
    providers = tuple(loader.provider_registry().values())

    def parse_all(body: bytes) -> None:
        response = HttpResponse(status, {"content-type": "application/json"}, body, AT)
        for provider in providers:
            parse(provider, response)

    return parse_all


def parse_statuses(provider: Provider, response: HttpResponse) -> None:
    for kind in provider.endpoints:
        response_parser.parse_status(provider, kind, response)
        response_parser.parse_result(provider, kind, response)
    response_parser.parse_bulk(provider, response)


def with_id_patterns() -> Parse:
    """Return the parser of pasted ids, with the patterns of every provider file."""
    providers = loader.provider_registry().items()
    patterns = {name: [re.compile(each) for each in provider.id_patterns] for name, provider in providers}
    return lambda text: job_ids.parse_pasted(text.splitlines(), patterns, ())


def check_content(head: bytes) -> None:
    for kind in LinkKind:
        content_check.contradiction(kind, ("srt",), "text/xml", head)


def sizes(limit: int) -> tuple[int, int]:
    return limit // 10, limit


BODY, HEADER = sizes(client.MAX_BODY // 16), sizes(header_limit.MAX_HEADER_BYTES)
PARSERS: dict[str, tuple[Parse, Callable[[int], Iterator[Any]], tuple[int, int]]] = {
    "JSON body": (json_body.is_json, hostile_json, BODY),
    "status, result and bulk of every provider": (with_every_provider(parse_statuses, 200), hostile_json, BODY),
    "status, result and bulk, not JSON": (with_every_provider(parse_statuses, 200), hostile_bytes, BODY),
    "text of an error": (with_every_provider(parse_statuses, 500), hostile_json, BODY),
    "masking of a body": (lambda body: masking.mask(body, KEY), hostile_bytes, BODY),
    "masking of a text": (lambda text: masking.mask_text(text, KEY), hostile_texts, HEADER),
    "header lines": (lambda raw: client.parse_headers(raw, (Secret(KEY),)), header_lists, HEADER),
    "decompression": (decompress, compressed, BODY),
    "Retry-After": (with_headers(retry_after, "retry-after", "retry-after-ms"), hostile_texts, HEADER),
    "rate-limit headers and dates": (
        with_headers(
            lambda response: (parse_account_headers(response), wait_hints.unreadable(response.headers)),
            *("date", "age", "sunset", "deprecation", "ratelimit", "ratelimit-reset", "ratelimit-policy"),
            *("x-ratelimit-reset", "x-ratelimit-limit", "x-ratelimit-remaining", "x-rate-limit-reset"),
        ),
        hostile_texts,
        HEADER,
    ),
    "headers of files": (
        with_headers(
            lambda response: (
                content_headers.parse_content_headers(200, response.headers),
                content_headers.parse_content_headers(206, response.headers | {"content-range": "bytes 0-1/2"}),
                content_headers.parse_content_headers(206, response.headers),
                content_headers.unsatisfied_range_size(response.headers),
            ),
            *("content-length", "content-range", "content-encoding", "etag", "last-modified", "digest", "repr-digest"),
            *("x-goog-hash", "x-amz-checksum-sha256", "content-md5", "content-type"),
        ),
        hostile_texts,
        HEADER,
    ),
    "Content-Disposition": (filenames.disposition_filename, hostile_texts, HEADER),
    "file name of titles": (lambda text: filenames.filename((text, text), text, "mp4"), hostile_texts, BODY),
    "extension": (lambda text: filenames.extension("video", f"https://a/{text}", text, text), hostile_texts, HEADER),
    "start of a file": (check_content, hostile_bytes, BODY),
    "signed URL": (
        lambda url: (signed_urls.signed_expiry(url), signed_urls.has_unreadable_expiry(url)), hostile_texts, BODY
    ),
    "host of a URL": (host, hostile_texts, BODY),
    "cleaned text": (sanitize.clean, hostile_texts, BODY),
    "cleaned lines": (lambda text: sanitize.clean(text, 1000, keep_lines=True), hostile_texts, BODY),
    "URLs in a text": (lambda text: (sanitize.mask_urls(text), sanitize.mask_url(text)), hostile_texts, BODY),
    "pasted ids": (with_id_patterns(), hostile_texts, BODY),
    "language": (languages.language_code, hostile_texts, BODY),
    "message of a browser": (
        lambda text: (messages.packet_of_message(text), messages.pong_of_message(text)), hostile_texts, BODY
    ),
}  # fmt: skip
"""Parser, its hostile input, and the two sizes of it."""


def seconds(parse: Parse, given: object) -> float:
    """Return the CPU time of one call, without garbage collections: their time depends on the whole program's heap."""
    times = 1
    gc.disable()
    while True:
        began = time.process_time()
        for _ in range(times):
            parse(given)
        if (taken := time.process_time() - began) >= MIN_SECONDS or times > 10**6:
            gc.enable()
            return taken / times
        times = max(4 * times, int(times * 1.2 * MIN_SECONDS / max(taken, 1e-6)))


def worst(name: str) -> tuple[float, float, float]:
    """Return the largest exponent of a parser, with its seconds for n and 10 n."""
    parse, generate, (small, large) = PARSERS[name]
    found = []
    for few, many in zip(generate(small), generate(large), strict=True):
        short, long = seconds(parse, few), seconds(parse, many)
        for _ in range(ROUNDS - 1):  # only what is suspicious is measured again
            if math.log10(long / short) <= HOLD:
                break
            short, long = min(short, seconds(parse, few)), min(long, seconds(parse, many))
        found.append((math.log10(long / short), short, long))
    return max(found)


def measure() -> dict[str, dict[str, object]]:
    rows = {}
    for name in PARSERS:
        exponent, short, long = worst(name)
        rows[f"parsers: {name}"] = {
            "ours": long * 1e3,
            "peer": short * 1e3,
            "ratio": exponent,
            "hold": HOLD,
            "better": "lower",
            "unit": "ms for 10 n and n bytes; exponent",
        }
    return rows
