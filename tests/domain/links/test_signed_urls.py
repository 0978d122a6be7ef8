"""Signed expiries, form by form as in the services' reference. The older forms are in test_expiry."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.domain.links.signed_urls import FORMS, signed_expiry

END = 1_900_000_000
"""2030-03-17T17:46:40Z."""


def jwt(claims: object) -> str:
    parts = [json.dumps(each).encode() for each in ({"alg": "HS256"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2lnbmF0dXJl"])


FORMS_OF_TODAY = {
    "OSS v1": f"https://b.oss-cn-x.example/v.mp4?Expires={END}&OSSAccessKeyId=A&Signature=x",
    "OSS v4": "https://b.oss.example/v.mp4?x-oss-date=20300317T164640Z&x-oss-expires=3600&x-oss-signature=x",
    "OSS v4 with a timestamp": f"https://b.oss.example/v.mp4?x-oss-date=20300317T164640Z&x-oss-expires={END}",
    "COS": f"https://c.cos.example/v.mp4?q-sign-algorithm=sha1&q-sign-time=1800000000;{END}&q-signature=x",
    "COS, encoded": f"https://c.cos.example/v.mp4?q-sign-time=1800000000%3B{END}&q-signature=x",
    "TOS": "https://b.tos.example/v.mp4?X-Tos-Date=20300317T164640Z&X-Tos-Expires=3600&X-Tos-Signature=x",
    "OBS": f"https://b.obs.example/v.mp4?AccessKeyId=A&Expires={END}&Signature=x",
    "OBS, S3's names": f"https://b.obs.example/v.mp4?AWSAccessKeyId=A&Expires={END}&Signature=x",
    "Google Cloud CDN": f"https://cdn.example/v.mp4?Expires={END}&KeyName=k&Signature=x",
    "BunnyCDN": f"https://b.b-cdn.example/v.mp4?token=x&expires={END}",
    "BunnyCDN in the path": f"https://b.b-cdn.example/bcdn_token=x&expires={END}&token_path=%2Fv/v/1.mp4",
    "Akamai": f"https://a.example/v.mp4?hdnts=st=1800000000~exp={END}~acl=/*~hmac=ab",
    "Akamai, another name": f"https://a.example/v.mp4?mytoken=exp={END}~acl=%2f*~hmac=ab",
    "JWT": f"https://cdn.example/v.mp4?token={jwt({'exp': END, 'sub': 'x'})}",
    "JWT, another name": f"https://cdn.example/v.mp4?auth={jwt({'exp': END + 0.0})}",
    "Qiniu": f"https://q.example/v.mp4?e={END}&token=x",
    "imgix": f"https://i.imgix.example/v.mp4?expires={END}&s=x",
}


@pytest.mark.parametrize("url", FORMS_OF_TODAY.values(), ids=FORMS_OF_TODAY)
def test_every_signed_form_gives_an_exact_expiry(url: str):
    assert signed_expiry(url) == (END, True)


@pytest.mark.parametrize(
    "url",
    [
        "https://b.tos.example/v?X-Tos-Date=20300317T164640Z&X-Tos-Expires=3600&X-Tos-Security-Token=t",
        f"https://b.obs.example/v?AccessKeyId=A&Expires={END}&x-obs-security-token=t",
        f"https://b.obs.example/v?AWSAccessKeyId=A&Expires={END}&x-obs-security-token=t",
    ],
)
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
    st.sampled_from(sorted(FORMS_OF_TODAY.values())),
)
def test_no_parameter_beside_a_signature_raises_or_extends_it(name: str, value: str, url: str):
    end = signed_expiry(f"{url}{'&' if '?' in url else '?'}{quote(name)}={quote(value)}")
    assert end is None or end.at <= END


@given(st.sampled_from(sorted(url for url in FORMS_OF_TODAY.values() if "?" in url and "%" not in url)), st.data())
def test_percent_encoding_changes_no_signed_expiry(url: str, data: st.DataObject):
    def encoded(text: str) -> str:
        return "".join(f"%{ord(each):02X}" if data.draw(st.booleans()) else quote(each, safe="") for each in text)

    path, _, query = url.partition("?")
    pairs = ("=".join(map(encoded, pair.split("=", 1))) for pair in query.split("&"))
    assert signed_expiry(f"{path}?{'&'.join(pairs)}") == (END, True)
