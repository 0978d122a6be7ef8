"""Expiry signed into a URL: one row per form, as in the table "Link expiry" of the services' reference.

Leaves to others: estimates, clock skew, and what becomes of a link (`domain.links.expiry`). Nothing here raises,
whatever the URL holds.
"""

import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec

MAX_EXPIRY = 253_370_764_800.0
"""Start of the year 9999: an instant after it, or before 1970, is damage and no expiry."""
EPOCH_FROM = 1e9
"""Seconds: a length above this is an instant by mistake (Alibaba's error pages call x-oss-expires a timestamp)."""

_COMPACT = re.compile(r"[0-9]{8}T[0-9]{6}Z")
"""Compact ISO 8601 in UTC: the date of signing of the SigV4 family."""
_CLOUDFRONT_BASE64 = str.maketrans("-_~", "+=/")
"""CloudFront's replacements for characters with a meaning in a URL (Developer Guide, custom policy)."""
_BUNNY_PATH = re.compile(r"/bcdn_token=[^/?#]*")
"""BunnyCDN's parameters as a path segment: /bcdn_token=…&expires=…&token_path=…/ (documentation, token in path)."""
_JWT = re.compile(r"[\w-]+\.([\w-]+)\.[\w-]+", re.ASCII)

Parameters = Mapping[str, str]
"""A query's parameters, each by its first value; names that begin with x- in lower case."""


class SignedExpiry(NamedTuple):
    """When a URL's own signature ends."""

    at: float
    """Instant by the service's clock."""
    is_exact: bool
    """False: at most, because the credentials of its session may end sooner."""


class Form(NamedTuple):
    """One way to sign an expiry into a URL."""

    name: str
    needs: tuple[str, ...]
    """Parameters that must all be there: a short name means an expiry only beside its companion."""
    read: Callable[[Parameters], float | None]
    """Returns the instant; None: damaged."""
    session: str = ""
    """Parameter that makes the expiry an upper bound."""


def signed_expiry(url: str) -> SignedExpiry | None:
    """Return the end of the URL's own signature, the first to end of several; None if there is none to be read."""
    return min(_signatures(_parameters(url)), default=None)


def has_unreadable_expiry(url: str) -> bool:
    """Return whether the URL has all parameters of a form, and none of its signatures has an expiry that can be read.

    Such a query was changed on its way. Only forms that are recognised by names are found.
    """
    given = _parameters(url)
    has_form = any(all(name in given for name in form.needs) for form in FORMS)
    return has_form and next(_signatures(given), None) is None


def _parameters(url: str) -> dict[str, str]:
    path, _, query = url.partition("#")[0].partition("?")
    found: dict[str, str] = {}
    if in_path := _BUNNY_PATH.search(path):
        query = f"{in_path[0][1:].replace('bcdn_token', 'token', 1)}&{query}"
    for name, value in parse_qsl(query, keep_blank_values=True):
        found.setdefault(name.lower() if name[:2] in {"x-", "X-"} else name, value)
    return found


def _signatures(given: Parameters) -> Iterator[SignedExpiry]:
    for form in FORMS:
        if all(name in given for name in form.needs):
            at = form.read(given)
            if at is not None:
                yield SignedExpiry(at, form.session not in given)
    for value in given.values():
        for read in (_akamai, _jwt):
            at = read(value)
            if at is not None:
                yield SignedExpiry(at, is_exact=True)


def _epoch(name: str) -> Callable[[Parameters], float | None]:
    return lambda given: _seconds(given[name])


def _span(family: str, *, may_be_instant: bool = False) -> Callable[[Parameters], float | None]:
    """Return a reader of a date of signing plus a length in seconds."""

    def read(given: Parameters) -> float | None:
        length = _seconds(given[f"{family}-expires"])
        date = given[f"{family}-date"]
        if length is None or (may_be_instant and length >= EPOCH_FROM):
            return length
        start = _iso(date) if _COMPACT.fullmatch(date) else None
        return None if start is None else _plausible(start + length)

    return read


def _policy(given: Parameters) -> float | None:
    """Read a CloudFront custom policy."""
    try:
        decoded = binascii.a2b_base64(given["Policy"].translate(_CLOUDFRONT_BASE64), strict_mode=True)
        policy = msgspec.json.decode(decoded)
        return _seconds(str(policy["Statement"][0]["Condition"]["DateLessThan"]["AWS:EpochTime"]))
    except (msgspec.DecodeError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _azure(given: Parameters) -> float | None:
    """Read a SAS's se: ISO 8601 to the day, minute, second or fraction; an offset's raw + arrives as a space."""
    return _plausible(_iso(given["se"].replace(" ", "+"))) if given["se"].isascii() else None


def _cos(given: Parameters) -> float | None:
    """Read Tencent's `start;end`."""
    start, _, end = given["q-sign-time"].partition(";")
    return _seconds(end) if _seconds(start) is not None else None


def _akamai(value: str) -> float | None:
    """Read `st=…~exp=…~acl=…~hmac=…`; the parameter's name can be configured, so the value tells the form."""
    if "~" not in value:
        return None
    fields = {name: text for name, _, text in (part.partition("=") for part in value.split("~"))}
    return _seconds(fields["exp"]) if fields.keys() >= {"exp", "hmac"} else None


def _jwt(value: str) -> float | None:
    """Read the exp of a JSON Web Token (RFC 7519 §4.1.4), which may have a fraction."""
    token = _JWT.fullmatch(value)
    if token is None:
        return None
    try:
        claims = msgspec.json.decode(binascii.a2b_base64(token[1].translate(str.maketrans("-_", "+/")) + "=="))
        end = claims["exp"]
    except (msgspec.DecodeError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return _plausible(float(end)) if isinstance(end, int | float) and not isinstance(end, bool) else None


FORMS = (
    Form("CloudFront canned", ("Key-Pair-Id", "Expires"), _epoch("Expires")),
    Form("CloudFront custom", ("Key-Pair-Id", "Policy"), _policy),
    Form("S3 SigV4", ("x-amz-date", "x-amz-expires"), _span("x-amz"), "x-amz-security-token"),
    Form("S3 SigV2, Huawei OBS", ("AWSAccessKeyId", "Expires"), _epoch("Expires"), "x-obs-security-token"),
    Form("GCS V4", ("x-goog-date", "x-goog-expires"), _span("x-goog")),
    Form("GCS V2", ("GoogleAccessId", "Expires"), _epoch("Expires")),
    Form("Azure SAS", ("sig", "sv", "se"), _azure),
    Form("Alibaba OSS v1", ("OSSAccessKeyId", "Expires"), _epoch("Expires")),
    Form(
        "Alibaba OSS v4", ("x-oss-date", "x-oss-expires"), _span("x-oss", may_be_instant=True), "x-oss-security-token"
    ),
    Form("Tencent COS", ("q-sign-time",), _cos),
    Form("Volcengine TOS", ("x-tos-date", "x-tos-expires"), _span("x-tos"), "x-tos-security-token"),
    Form("Huawei OBS", ("AccessKeyId", "Expires"), _epoch("Expires"), "x-obs-security-token"),
    Form("Google Cloud CDN", ("Expires", "KeyName", "Signature"), _epoch("Expires")),
    Form("BunnyCDN", ("token", "expires"), _epoch("expires")),
    Form("Qiniu", ("token", "e"), _epoch("e")),
    Form("imgix", ("s", "expires"), _epoch("expires")),
)
"""The forms that are recognised by their parameters' names. Akamai's and JWT's are recognised by a value."""


def _seconds(digits: str) -> float | None:
    """Return whole seconds, written in decimal ASCII digits."""
    return _plausible(float(digits)) if re.fullmatch(r"[0-9]{1,12}", digits) else None


def _iso(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _plausible(at: float | None) -> float | None:
    return at if at is not None and 0 <= at < MAX_EXPIRY else None
