"""Signed expiries, form by form as in the services' reference. Its worked examples are in test_expiry."""

from urllib.parse import parse_qs, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.signed_links import END, SESSION_LINKS, SIGNED_LINKS, jwt
from tui.domain.links.signed_urls import FORMS, signed_expiry


@pytest.mark.parametrize("url", SIGNED_LINKS.values(), ids=SIGNED_LINKS)
def test_every_signed_form_gives_an_exact_expiry(url: str):
    assert signed_expiry(url) == (END, True)


def test_every_form_of_the_table_has_a_link():
    given = [parse_qs(url.partition("?")[2].lower()).keys() for url in SIGNED_LINKS.values()]
    forms = {form.name: {name.lower() for name in form.needs} for form in FORMS}
    assert {name for name, needs in forms.items() if not any(needs <= each for each in given)} == set()


@pytest.mark.parametrize("url", SESSION_LINKS.values(), ids=SESSION_LINKS)
def test_session_credentials_make_the_expiry_an_upper_bound(url: str):
    assert signed_expiry(url) == (END, False)


@pytest.mark.parametrize(
    "query",
    [
        f"expires={END}",
        f"e={END}",
        f"s=x&e={END}",
        f"Expires={END}&Signature=x",
        f"q-sign-time={END}",
        "q-sign-time=1800000000;soon",
        f"hdnts=exp={END}",
        f"hdnts=exp={END}~acl=*",
        "token=a.b.c",
        f"token={jwt([END])}",
        f"token={jwt({'exp': True})}",
        f"token={jwt({'exp': -1})}",
        f"token={jwt({'exp': 1e300})}",
        "token=a." + "eyJleHAiOjE5MDAwMDAwMDB9"[:-3] + ".c",
        "x-oss-date=2030-03-17&x-oss-expires=3600",
    ],
)
def test_an_incomplete_or_damaged_form_has_no_signed_expiry(query: str):
    assert signed_expiry(f"https://x.example/v.mp4?{query}") is None


@given(
    st.sampled_from(sorted({name for form in FORMS for name in form.needs} | {"hdnts", "x-amz-security-token"})),
    st.text(st.characters(exclude_categories=["Cs"])) | st.from_regex(r"\A[0-9TZ:;~=+. a-z-]{0,40}\Z"),
    st.sampled_from(sorted(SIGNED_LINKS.values())),
)
def test_no_parameter_beside_a_signature_raises_or_extends_it(name: str, value: str, url: str):
    end = signed_expiry(f"{url}{'&' if '?' in url else '?'}{quote(name)}={quote(value)}")
    assert end is None or end.at <= END


@given(st.sampled_from(sorted(url for url in SIGNED_LINKS.values() if "?" in url and "%" not in url)), st.data())
def test_percent_encoding_changes_no_signed_expiry(url: str, data: st.DataObject):
    def encoded(text: str) -> str:
        return "".join(f"%{ord(each):02X}" if data.draw(st.booleans()) else quote(each, safe="") for each in text)

    path, _, query = url.partition("?")
    pairs = ("=".join(map(encoded, pair.split("=", 1))) for pair in query.split("&"))
    assert signed_expiry(f"{path}?{'&'.join(pairs)}") == (END, True)
