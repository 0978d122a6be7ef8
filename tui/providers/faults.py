"""A reply that is no report, as a fault: which kind it is, what happened, and the way out, for an operator at night.

Messages name the provider and leave the account to the caller. URLs in them lose their query, which may be signed.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from tui.domain.models import Fault, FaultKind
from tui.presentation.sanitize import clean, mask_urls
from tui.providers.json_body import NotJsonError, decode, find_texts
from tui.providers.json_pointer import Json
from tui.providers.model import Provider
from tui.providers.response import HttpResponse, reset_after, retry_after

MAX_SERVICE_MESSAGE = 300
"""Characters of a service's own words in a fault's message."""
MAX_REQUEST_ID = 120
"""Characters."""

_BY_STATUS = {
    401: FaultKind.REFUSED,
    402: FaultKind.PAYMENT,
    403: FaultKind.REFUSED,
    404: FaultKind.MISSING,
    410: FaultKind.RETIRED,
    429: FaultKind.LIMITED,
}
_FORBIDDEN_TEMPLATE = "{title} forbids this ask (403){said}. Raise the key's plan or rights, or set another key."
"""Unlike 401's, the key may be good: services answer so to a plan below the one needed."""
_TEMPLATES: Mapping[FaultKind, str] = {
    FaultKind.REFUSED: "{title} refused the key ({status}){said}. Set a new key for the account.",
    FaultKind.PAYMENT: "{title} asks for payment ({status}){said}. Add credits or raise the plan, then ask again.",
    FaultKind.MISSING: "{title} does not know this id ({status}){said}. Check it; it may be another organisation's.",
    FaultKind.RETIRED: "{title} has ended this API ({status}){said}. {successor}",
    FaultKind.LIMITED: "{title} wants fewer asks ({status}){said}. Asking goes on by itself{wait}.",
    FaultKind.REJECTED: "{title} rejected the ask ({status}){said}. Check the job's id and kind.",
    FaultKind.SERVER: "{title} has trouble of its own ({status}){said}. Asking goes on by itself.",
    FaultKind.REDIRECTED: "{title} redirects ({status}){said}. The key is not sent along: set the account's base_url.",
    FaultKind.MALFORMED: "{title} answered {status} without {lacks}{said}. Asking goes on by itself.",
}


def fault_from_status(provider: Provider, response: HttpResponse) -> Fault | None:
    """The fault that an HTTP status stands for; None for 2xx."""
    if 200 <= response.status < 300:
        return None
    kind = _fault_kind(response)
    said = _redirect_target(response) if kind is FaultKind.REDIRECTED else ""
    try:
        body = decode(response.body)
    except NotJsonError as error:
        return _build_fault(provider, response, kind, said or (str(error) if response.body.strip() else ""))
    return _build_fault(provider, response, kind, said or _service_message(provider, response, body), body)


def malformed_fault(provider: Provider, response: HttpResponse, missing_part: str, body: Json | NotJsonError) -> Fault:
    """The fault of a 2xx without what was asked for: `lacks` names it (`a status word`)."""
    if isinstance(body, NotJsonError):
        return _build_fault(provider, response, FaultKind.MALFORMED, str(body), missing_part=missing_part)
    said = _service_message(provider, response, body) or _field_names(body)
    return _build_fault(provider, response, FaultKind.MALFORMED, said, body, missing_part=missing_part)


def is_retired(fault: Fault, sunset: float | None, received_at: float) -> bool:
    """Whether the fault, met at an instant, says that the API is over: by itself, or because its sunset has passed.

    A refused key, a limit or a service in trouble never does.
    """
    if fault.kind is FaultKind.RETIRED:
        return True
    if sunset is None or received_at < sunset:
        return False
    no_report = fault.kind is FaultKind.MALFORMED and fault.http_status is not None and fault.http_status < 300
    return no_report or fault.kind in {FaultKind.MISSING, FaultKind.REDIRECTED}


def as_retired(fault: Fault) -> Fault:
    """The fault of an API that is over: a reply that is no report is retired, any other keeps its own kind."""
    return replace(fault, kind=FaultKind.RETIRED) if fault.kind is FaultKind.MALFORMED else fault


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
    missing_part: str = "an answer",
) -> Fault:
    wait = None
    if kind is FaultKind.LIMITED:
        wait = retry_after(response)
        wait = reset_after(response) if wait is None else wait
    wording = _FORBIDDEN_TEMPLATE if response.status == 403 else _TEMPLATES[kind]
    detail = mask_urls(detail).rstrip(" .")
    message = wording.format(
        title=provider.title,
        status=response.status,
        said=f": {detail}" if detail else "",
        lacks=missing_part,
        wait="" if wait is None else f" in {wait:.0f} s",
        successor=f"{provider.successor!r} takes over."
        if provider.successor
        else f"See {provider.docs or 'its pages'}.",
    )
    request_id = next(find_texts(provider.error.request_id, body, response.headers), None)
    return Fault(
        kind,
        message,
        response.status,
        None if wait is None else response.received_at + wait,
        clean(request_id, MAX_REQUEST_ID) if request_id else None,
    )


def _service_message(provider: Provider, response: HttpResponse, body: Json) -> str:
    """The service's own words, or none."""
    empty = provider.endpoint().status.null_strings
    return clean(next(find_texts(provider.error.message, body, response.headers, empty), ""), MAX_SERVICE_MESSAGE)


def _redirect_target(response: HttpResponse) -> str:
    return clean(f"to {response.headers['location']}", MAX_SERVICE_MESSAGE) if response.headers.get("location") else ""


def _field_names(body: Json) -> str:
    """Which members a body without a word has instead: their names, as the values may be secret."""
    if isinstance(body, dict) and body:
        return "it has " + clean(", ".join(body), MAX_SERVICE_MESSAGE)
    return ""
