import base64
from datetime import UTC, date, datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.signed_links import cloudfront
from tui.domain.links import expiry, signed_urls
from tui.domain.links.expiry_source import ExpirySource, expiry_source
from tui.domain.models import Link, LinkKind, ReportedLink

WORKED_POLICY = (
    "eyJTdGF0ZW1lbnQiOlt7IlJlc291cmNlIjoiaHR0cHM6Ly9kMTExMTExYWJjZGVmOC5jbG91ZGZyb250Lm5ldC92LyoiLCJDb25kaXRpb24iOnsi"
    "RGF0ZUxlc3NUaGFuIjp7IkFXUzpFcG9jaFRpbWUiOjE3NjcyOTA0MDB9fX1dfQ__"
)
SIGV4 = "https://b.s3.amazonaws.com/v.mp4?X-Amz-Date=20130721T201207Z&X-Amz-Expires=86400&X-Amz-Signature=aa"
UNSIGNED = "https://resource2.heygen.ai/video_translate/1/original.mp4?response-content-disposition=attachment"
WEEK = 7 * 86400.0


def instant(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def azure(se: str) -> str:
    return f"https://a.blob.core.windows.net/c/v.mp4?sv=2022-11-02&sr=b&sig=x%2F&se={se}"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (SIGV4, instant("2013-07-22T20:12:07")),
        (f"https://d1.cloudfront.net/v.mp4?Policy={WORKED_POLICY}&Signature=s&Key-Pair-Id=K1", 1767290400),
    ],
)
def test_the_worked_examples_of_the_reference_give_their_expiry(url: str, expected: float):
    assert signed_urls.signed_expiry(url) == (expected, True)


@pytest.mark.parametrize(
    ("se", "expected"),
    [
        ("2026-01-01", "2026-01-01T00:00:00"),
        ("2026-01-01T18:00Z", "2026-01-01T18:00:00"),
        ("2026-01-01T18:00:00.1234567Z", "2026-01-01T18:00:00.123456"),
        ("2026-01-01T20:00:00%2B02:00", "2026-01-01T18:00:00"),
        ("2026-01-01T20:00:00+02:00", "2026-01-01T18:00:00"),
        ("2026-01-01T13:00:00-05:00", "2026-01-01T18:00:00"),
    ],
)
def test_azure_expiries_have_six_forms(se: str, expected: str):
    assert signed_urls.signed_expiry(azure(se)) == (instant(expected), True)


def test_sigv4_is_read_whatever_the_case_of_its_names():
    assert signed_urls.signed_expiry(SIGV4.replace("X-Amz", "x-amz")) == signed_urls.signed_expiry(SIGV4)


def test_session_credentials_make_the_expiry_an_upper_bound():
    assert signed_urls.signed_expiry(SIGV4 + "&X-Amz-Security-Token=t") == (instant("2013-07-22T20:12:07"), False)


def test_the_first_of_two_signatures_to_end_counts():
    assert signed_urls.signed_expiry(SIGV4 + "&AWSAccessKeyId=A&Expires=1000") == (1000, True)


@pytest.mark.parametrize(
    "url",
    [
        "",
        UNSIGNED,
        "https://x/v.mp4?Expires=1767290400",
        "https://x/v.mp4#?AWSAccessKeyId=A&Expires=1767290400",
        "https://x/v.mp4?awsaccesskeyid=A&expires=1767290400",
        "https://x/v.mp4?AWSAccessKeyId=A&Expires=soon",
        "https://x/v.mp4?AWSAccessKeyId=A&Expires=-5",
        "https://x/v.mp4?AWSAccessKeyId=A&Expires=" + "9" * 5000,
        "https://x/v.mp4?AWSAccessKeyId=A&Expires=٣٣",
        "https://x/v.mp4?X-Amz-Expires=86400",
        "https://x/v.mp4?X-Amz-Date=20131321T201207Z&X-Amz-Expires=86400",
        "https://x/v.mp4?X-Amz-Date=2013-07-21&X-Amz-Expires=86400",
        "https://x/v.mp4?X-Amz-Date=99980721T201207Z&X-Amz-Expires=99999999999",
        f"https://x/v.mp4?Policy={WORKED_POLICY}",
        f"https://x/v.mp4?Policy={WORKED_POLICY[:-9]}&Key-Pair-Id=K1",
        "https://x/v.mp4?Policy=%ff%00&Key-Pair-Id=K1",
        cloudfront([]),
        cloudfront({"Statement": []}),
        cloudfront({"Statement": [{"Condition": {"DateLessThan": {"AWS:EpochTime": "soon"}}}]}),
        cloudfront({"Statement": [{"Condition": {"DateLessThan": {"AWS:EpochTime": 10**400}}}]}),
        f"https://x/?Key-Pair-Id=K1&Policy={base64.b64encode(b'[' * 100_000).decode().replace('=', '_')}",
        azure("tomorrow"),
        azure("0001-01-01T00:00:00+14:00"),
        azure("2026-01-01T00:00:00Z").replace("sv=", "xx="),
    ],
)
def test_an_unsigned_or_damaged_url_has_no_signed_expiry(url: str):
    assert signed_urls.signed_expiry(url) is None


@given(st.text(st.characters(exclude_categories=())))
def test_no_string_raises(text: str):
    assert signed_urls.signed_expiry(text) is None or "?" in text


@given(
    st.sampled_from(["Policy", "Expires", "se", "X-Amz-Date", "X-Amz-Expires", "X-Goog-Date", "x-goog-expires"]),
    st.text(st.characters(exclude_categories=())) | st.from_regex(r"\A[0-9TZ:+. -]{0,30}\Z") | st.binary().map(str),
)
def test_no_parameter_value_raises(name: str, value: str):
    end = signed_urls.signed_expiry(f"https://x/?Key-Pair-Id=K&sig=s&sv=1&{name}={value}&X-Amz-Date=20130721T201207Z")
    assert end is None or 0 <= end[0] < signed_urls.MAX_EXPIRY


@given(st.dates(date(1971, 1, 1), date(9998, 1, 1)), st.integers(0, 604800))
def test_sigv4_is_its_date_and_its_seconds(day, seconds: int):
    url = f"https://x/?x-amz-date={day:%Y%m%d}T000000Z&X-AMZ-EXPIRES={seconds}"
    assert signed_urls.signed_expiry(url) == (instant(day.isoformat()) + seconds, True)


def video(url: str = UNSIGNED, life: float | None = WEEK) -> ReportedLink:
    return ReportedLink(LinkKind.VIDEO, url, life)


def test_an_unsigned_link_is_estimated_from_first_seen():
    (link,) = expiry.merge_links((), (video(),), at=1000)
    assert link == Link(LinkKind.VIDEO, UNSIGNED, 1000, 1000 + WEEK, expiry_is_exact=False)


def test_an_unchanged_url_keeps_its_expiry_and_a_new_one_does_not():
    first = expiry.merge_links((), (video("https://x/a"),), at=1000)
    again = expiry.merge_links(first, (video("https://x/a"),), at=5000)
    renewed = expiry.merge_links(again, (video("https://x/b"),), at=5000)
    assert again == first
    assert [(link.url, link.first_seen) for link in renewed] == [("https://x/b", 5000)]


def test_the_same_url_of_another_kind_is_another_link():
    first = expiry.merge_links((), (video(),), at=1000)
    both = expiry.merge_links(first, (video(), ReportedLink(LinkKind.AUDIO, UNSIGNED, WEEK)), at=5000)
    assert [(link.kind, link.first_seen) for link in both] == [(LinkKind.VIDEO, 1000), (LinkKind.AUDIO, 5000)]


def test_a_signed_expiry_overrides_the_documented_lifetime():
    (link,) = expiry.merge_links((), (video(SIGV4),), at=1000)
    assert (link.expires_at, link.expiry_is_exact) == (instant("2013-07-22T20:12:07"), True)


def test_a_link_without_signature_and_documentation_has_no_expiry():
    (link,) = expiry.merge_links(
        (), (ReportedLink(LinkKind.DOCUMENT, "https://api.flixu.ai/f", needs_key=True),), at=1000
    )
    assert (link.expires_at, link.expiry_is_exact, link.needs_key) == (None, False, True)
    assert expiry.remaining(link, 1e12) is None
    assert not expiry.is_expired(link, 1e12)
    assert not expiry.is_expiring(link, 1e12, WEEK)


def test_a_report_without_links_keeps_the_valid_ones():
    links = expiry.merge_links((), (video(),), at=1000)
    assert expiry.merge_links(links, (), at=1000 + WEEK - 1) == links
    assert expiry.merge_links(links, (), at=1000 + WEEK) == ()


def test_a_link_is_replaced_by_links_of_its_kind_only():
    links = expiry.merge_links((), (video("https://x/a"), ReportedLink(LinkKind.AUDIO, "https://x/b", WEEK)), at=1000)
    now = expiry.merge_links(links, (video("https://x/c"),), at=2000)
    assert [link.url for link in now] == ["https://x/c", "https://x/b"]


def test_a_url_reported_twice_is_one_link_at_its_first_position():
    links = expiry.merge_links((), (video("https://x/a"), video("https://x/b"), video("https://x/a")), at=1000)
    assert [link.url for link in links] == ["https://x/a", "https://x/b"]


@given(st.lists(st.tuples(st.sampled_from(LinkKind), st.sampled_from(["a", "b", "c"]))), st.floats(0, 1e6))
def test_the_same_report_again_changes_nothing(shown: list[tuple[LinkKind, str]], later: float):
    sightings = [ReportedLink(kind, f"https://x/{url}", 2e6) for kind, url in shown]
    links = expiry.merge_links((), sightings, at=0)
    assert expiry.merge_links(links, sightings, at=later) == links
    assert expiry.merge_links(links, (), at=later) == links


def test_a_link_is_expiring_and_then_expired():
    link = Link(LinkKind.VIDEO, "https://x/a", 0, 1000, expiry_is_exact=True)
    assert [expiry.remaining(link, now) for now in (0, 1000, 1500)] == [1000, 0, -500]
    assert [expiry.is_expiring(link, now, 100) for now in (899, 900, 999, 1000)] == [False, True, True, False]
    assert [expiry.is_expired(link, now) for now in (899, 900, 999, 1000)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("url", "at", "expires_at", "source"),
    [
        (SIGV4, instant("2013-07-21T21:00:00"), instant("2013-07-22T20:12:07"), ExpirySource.SIGNED),
        (SIGV4, instant("2013-07-22T20:12:08"), instant("2013-07-29T20:12:08"), ExpirySource.PASSED),
        (SIGV4.replace("86400", "soon"), 1000, 1000 + WEEK, ExpirySource.UNREADABLE),
        (f"{SIGV4}&X-Amz-Security-Token=t", 1000, instant("2013-07-22T20:12:07"), ExpirySource.SESSION),
        (f"{SIGV4}&X-Amz-Security-Token=t", 2e9, 2e9 + WEEK, ExpirySource.PASSED),
        ("https://x/v.mp4?Policy=%ff%00&Key-Pair-Id=K1", 1000, 1000 + WEEK, ExpirySource.UNREADABLE),
        (azure("tomorrow"), 1000, 1000 + WEEK, ExpirySource.UNREADABLE),
        (UNSIGNED, 1000, 1000 + WEEK, ExpirySource.ESTIMATED),
    ],
)
def test_an_expired_or_tampered_query_falls_back_to_the_estimate_with_the_reason(
    url: str, at: float, expires_at: float, source: ExpirySource
):
    (link,) = expiry.merge_links((), (video(url),), at=at)
    assert (link.expires_at, link.expiry_is_exact) == (expires_at, source is ExpirySource.SIGNED)
    assert expiry_source(link) is source
    assert expiry_source(expiry.mark_dead((link,), url, at)[0]) is ExpirySource.OBSERVED


def test_an_expired_query_without_a_documented_lifetime_stays_expired():
    (link,) = expiry.merge_links((), (video(SIGV4, None),), at=2e9)
    assert expiry.is_expired(link, 2e9)


FORMS = (
    SIGV4,
    azure("2026-01-01T18:00:00Z"),
    "https://x/v?token=t&expires=1767290400",
    "https://x/v?e=1767290400&token=t",
)
"""URLs of several signed forms."""


@given(st.sampled_from(FORMS), st.data(), st.floats(0, 3e9), st.none() | st.floats(60, 1e7))
def test_no_percent_encoded_signed_url_raises_or_shortens_a_longer_stated_life(
    url: str, data: st.DataObject, at: float, lifetime: float | None
):
    stated = signed_urls.signed_expiry(url)
    assert stated is not None
    path, _, query = url.partition("?")
    again = st.sampled_from(
        (lambda text: text, quote, lambda text: f"%{ord(text):02X}", lambda text: f"%25{ord(text):02X}")
    )
    encoded = "".join(each if each in "&=" else data.draw(again)(each) for each in query)
    (link,) = expiry.merge_links((), (video(f"{path}?{encoded}", lifetime),), at=at)
    assert expiry_source(link) in ExpirySource
    if link.expires_at is not None:
        assert link.expires_at >= min(stated.at, at + (lifetime or 0.0))
    if link.expiry_is_exact:
        assert link.expires_at == stated.at
