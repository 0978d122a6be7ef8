import hashlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.domain import content_headers
from tui.domain.content_headers import ContentInfo, Digest

SHA, MD5 = hashlib.sha256(b"x").digest(), hashlib.md5(b"x").digest()
SHA64, MD564 = b64encode(SHA).decode(), b64encode(MD5).decode()


def test_a_200_gives_length_and_validator() -> None:
    headers = {"content-length": "10", "etag": '"a"', "content-type": "video/mp4"}
    assert content_headers.parse_content_headers(200, headers) == ContentInfo(
        length=10, total=10, validator='"a"', media_type="video/mp4"
    )


def test_a_206_gives_its_offset_and_the_total_size() -> None:
    found = content_headers.parse_content_headers(206, {"content-range": "bytes 5-9/10", "content-length": "5"})
    assert found == ContentInfo(start=5, length=5, total=10)
    unknown = content_headers.parse_content_headers(206, {"content-range": "bytes 5-9/*"})
    assert unknown == ContentInfo(start=5, length=5, total=None)


@pytest.mark.parametrize("shown", ["", "bytes 9-5/10", "bytes x-9/10", "items 5-9/10", "bytes */10"])
def test_a_206_without_content_range_is_rejected(shown: str) -> None:
    assert content_headers.parse_content_headers(206, {"content-range": shown}) is None


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"etag": 'W/"a"'}, ""),
        ({"etag": 'W/"a"', "last-modified": "Sat, 21 Nov 2026 00:00:00 GMT"}, "Sat, 21 Nov 2026 00:00:00 GMT"),
        ({"last-modified": "now", "date": "now"}, ""),
        ({"etag": '""'}, ""),
        ({"etag": "bare"}, ""),
    ],
)
def test_only_strong_etags_and_old_dates_are_validators(headers: dict[str, str], validator: str) -> None:
    found = content_headers.parse_content_headers(200, headers)
    assert found is not None
    assert found.validator == validator


@pytest.mark.parametrize(
    ("status", "headers", "digest"),
    [
        (200, {"repr-digest": f"sha-256=:{SHA64}:"}, Digest("sha256", SHA)),
        (206, {"repr-digest": f"md5=:{MD564}:, sha-256=:{SHA64}:"}, Digest("sha256", SHA)),
        (200, {"digest": f"SHA-256={SHA64}"}, Digest("sha256", SHA)),
        (200, {"content-digest": f"sha-256=:{SHA64}:"}, Digest("sha256", SHA)),
        (206, {"content-digest": f"sha-256=:{SHA64}:"}, None),
        (200, {"content-md5": MD564}, Digest("md5", MD5)),
        (206, {"content-md5": MD564}, None),
        (206, {"x-goog-hash": f"crc32c=n03x6A==,md5={MD564}"}, Digest("md5", MD5)),
        (200, {"x-amz-checksum-sha256": SHA64}, Digest("sha256", SHA)),
        (200, {"x-amz-checksum-sha256": f"{SHA64}-3"}, None),
        (200, {"content-md5": "nonsense"}, None),
        (200, {"digest": f"sha-256={MD564}"}, None),
    ],
)
def test_a_digest_of_the_whole_file_is_found(status: int, headers: dict[str, str], digest: Digest | None) -> None:
    found = content_headers.parse_content_headers(status, {"content-range": "bytes 5-9/10"} | headers)
    assert found is not None
    assert found.digest == digest


NAMES = ("content-length", "content-range", "etag", "last-modified", "date", "digest", "repr-digest", "content-md5")


@given(st.sampled_from((200, 206)), st.dictionaries(st.sampled_from(NAMES), st.text()))
def test_no_header_raises(status: int, headers: dict[str, str]) -> None:
    content_headers.parse_content_headers(status, headers)
    content_headers.unsatisfied_range_size(headers)


def test_an_encoded_body_has_no_size_or_digest():
    headers = {"content-encoding": "gzip", "content-length": "5", "etag": '"a"', "content-md5": MD564}
    assert content_headers.parse_content_headers(200, headers) == ContentInfo(codings=("gzip",))
    assert content_headers.parse_content_headers(206, headers | {"content-range": "bytes 5-9/10"}) is None
    identity = content_headers.parse_content_headers(200, headers | {"content-encoding": "Identity"})
    assert identity is not None
    assert identity.total == 5


def test_a_file_that_its_store_decompressed_has_no_size_or_digest_to_check():
    headers = {"x-goog-stored-content-encoding": "gzip", "x-goog-hash": f"md5={MD564}", "etag": '"a"'}
    assert content_headers.parse_content_headers(200, headers) == ContentInfo()
    stored_plain = content_headers.parse_content_headers(200, headers | {"x-goog-stored-content-encoding": "identity"})
    assert stored_plain is not None
    assert stored_plain.digest == Digest("md5", MD5)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "identity",
        "none",
        "binary",
        "utf-8",
        "aws-chunked",
        " UTF-8 , identity,",
        "utf8",
        "8bit",
        "null",
        "identity;q=1",
    ],
)
def test_a_coding_without_effect_means_plain_bytes(header: str):
    assert content_headers.parse_codings(header) == ()
    assert content_headers.parse_codings(f"{header},gzip, Deflate") == ("gzip", "deflate")
