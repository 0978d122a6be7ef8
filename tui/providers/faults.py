"""Faults of responses without a report: the kind, and a message with what happened and what the operator can do.

Messages name the provider; the caller adds the account. URLs in them lose their query, which may be signed.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from tui.domain.models import Fault, FaultKind
from tui.presentation.sanitize import clean, mask_urls
from tui.providers.json_body import NotJsonError, decode, find_texts, is_json
from tui.providers.json_pointer import Json
from tui.providers.model import Provider
from tui.providers.response import HttpResponse, reset_after, retry_after

MAX_SERVICE_MESSAGE = 300
"""Characters of the service's own message in a fault's message."""
MAX_REQUEST_ID = 120
"""Characters."""

_BY_STATUS = {
    401: FaultKind.REFUSED,
    402: FaultKind.PAYMENT,
    403: FaultKind.REFUSED,
    404: FaultKind.MISSING,
    410: FaultKind.MISSING,
    429: FaultKind.LIMITED,
}
_FORBIDDEN_TEMPLATE = (
    "{title} returned 403 (forbidden){detail}. Upgrade the plan or the key's permissions, or set another key."
)
"""Unlike with 401, the key may be valid: services return 403 for a plan below the required one."""
_TRY_LATER_TEMPLATE = "{title} returned {status} (try again later){detail}. Polling continues{wait}."
_GONE_ADVICE = "The job was deleted, or has expired."
_GONE_TEMPLATE = "{title} returned 410 (gone){detail}. " + _GONE_ADVICE
_TEMPLATES: Mapping[FaultKind, str] = {
    FaultKind.REFUSED: "{title} rejected the API key ({status}){detail}. Set a new key for the account.",
    FaultKind.PAYMENT: "{title} returned {status} (payment required){detail}. "
    "Add credits or upgrade the plan, then refresh the job.",
    FaultKind.MISSING: "{title} returned {status} (job not found; another organisation's key?){detail}. "
    "Check the id and the account.",
    FaultKind.LIMITED: "{title} returned {status} (rate-limited){detail}. Polling continues{wait}.",
    FaultKind.REJECTED: "{title} returned {status} (request rejected){detail}. Check the job's id and kind.",
    FaultKind.SERVER: "{title} returned {status} (server error){detail}. Polling continues{wait}.",
    FaultKind.REDIRECTED: "{title} returned {status} (redirect){detail}. "
    "Redirects are not followed: set the account's base_url.",
    FaultKind.MALFORMED: "{title} returned {status} without {missing_part}{detail}. Polling continues{wait}.",
}


def fault_from_status(provider: Provider, response: HttpResponse) -> Fault | None:
    """Return the fault that an HTTP status stands for; None for 2xx."""
    if 200 <= response.status < 300:
        return None
    kind = _fault_kind(response)
    target = _redirect_target(response) if kind is FaultKind.REDIRECTED else ""
    try:
        body = decode(response.body, response.headers.get("content-type", ""))
    except NotJsonError as error:
        return _build_fault(provider, response, kind, target or (f": {error}" if response.body.strip() else ""))
    return _build_fault(provider, response, kind, target or _service_message(provider, response, body), body)


def fault_from_rule(provider: Provider, response: HttpResponse, kind: FaultKind, body: Json) -> Fault:
    """Return the fault that a rule of the provider's file makes of a response."""
    return _build_fault(provider, response, kind, _service_message(provider, response, body), body)


def malformed_fault(provider: Provider, response: HttpResponse, missing_part: str, body: Json | NotJsonError) -> Fault:
    """Return the fault of a 2xx response that lacks its content: `missing_part` names it (`a status`)."""
    if isinstance(body, NotJsonError):
        return _build_fault(provider, response, FaultKind.MALFORMED, f": {body}", missing_part=missing_part)
    detail = _service_message(provider, response, body) or _field_names(body)
    return _build_fault(provider, response, FaultKind.MALFORMED, detail, body, missing_part=missing_part)


def is_retired(fault: Fault, sunset: float | None, at: float) -> bool:
    """Return whether the fault shows that the API is retired, because its sunset has passed.

    A rejected key, a rate limit or a server error never does. `sunset` and `at` are instants of the service's clock.
    """
    if sunset is None or at < sunset:
        return False
    no_report = fault.kind is FaultKind.MALFORMED and fault.http_status is not None and fault.http_status < 300
    return no_report or fault.kind in {FaultKind.MISSING, FaultKind.REDIRECTED}


def as_retired(provider: Provider, fault: Fault, body: bytes | None) -> Fault:
    """Return the fault of a retired API: 410 or a 2xx response without a report is retired, others keep their kind.

    An unreadable body may be a gateway's, and stays malformed.
    """
    if fault.http_status == 410:
        advice = f"{provider.successor!r} replaces it." if provider.successor else f"See {provider.docs or 'its docs'}."
        message = f"{fault.message.removesuffix(_GONE_ADVICE)}The API is retired. {advice}"
        return replace(fault, kind=FaultKind.RETIRED, message=message)
    return replace(fault, kind=FaultKind.RETIRED) if fault.kind is FaultKind.MALFORMED and is_json(body) else fault


def _fault_kind(response: HttpResponse) -> FaultKind:
    status = response.status
    if kind := _BY_STATUS.get(status):
        return kind
    if status == 503 and retry_after(response) is not None:
        return FaultKind.LIMITED
    if 300 <= status < 400:
        return FaultKind.REDIRECTED
    if 400 <= status < 500:
        return FaultKind.REJECTED
    return FaultKind.SERVER if status >= 500 else FaultKind.MALFORMED


def _build_fault(
    provider: Provider,
    response: HttpResponse,
    kind: FaultKind,
    detail: str,
    body: Json = None,
    missing_part: str = "a valid response",
) -> Fault:
    wait = retry_after(response)
    if wait is None and kind is FaultKind.LIMITED:
        wait = reset_after(response)
    message = _template(response.status, kind, has_hint=wait is not None).format(
        title=provider.title,
        status=response.status,
        detail=mask_urls(detail).rstrip(" ."),
        missing_part=missing_part,
        wait="" if wait is None else f" in {wait:.0f} s",
    )
    request_id = next(find_texts(provider.error.request_id, body, response.headers), None)
    return Fault(
        kind,
        message,
        response.status,
        None if wait is None else response.received_at + wait,
        clean(request_id, MAX_REQUEST_ID) if request_id else None,
    )


def _template(status: int, kind: FaultKind, *, has_hint: bool) -> str:
    if status == 403 and kind is FaultKind.REFUSED:
        return _FORBIDDEN_TEMPLATE
    if status == 410 and kind is FaultKind.MISSING:
        return _GONE_TEMPLATE
    if kind is FaultKind.REJECTED and has_hint:
        return _TRY_LATER_TEMPLATE
    return _TEMPLATES[kind]


def _service_message(provider: Provider, response: HttpResponse, body: Json) -> str:
    """Return the service's own message after a colon; empty if there is none."""
    null_strings = provider.endpoint().status.null_strings
    message = next(find_texts(provider.error.message, body, response.headers, null_strings), "")
    cleaned = clean(message, MAX_SERVICE_MESSAGE)
    return f": {cleaned}" if cleaned.rstrip(" .") else ""


def _redirect_target(response: HttpResponse) -> str:
    location = clean(response.headers.get("location", ""), MAX_SERVICE_MESSAGE)
    return f" to {location}" if location else ""


def _field_names(body: Json) -> str:
    """Return the names of a body's fields in brackets; not the values, which may be secret."""
    if isinstance(body, dict) and body:
        return f" (fields: {clean(', '.join(body), MAX_SERVICE_MESSAGE)})"
    return ""
