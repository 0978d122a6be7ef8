"""Rules for statuses beyond equal text, as the services' reference has them for its services."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.providers.test_loader import GOOD
from tests.providers.test_response_parser import response
from tui.domain.models import Fault, FaultKind, Phase, Report
from tui.providers.loader import parse
from tui.providers.model import Provider
from tui.providers.response_parser import parse_status
from tui.providers.status_rules import OverrideRule, Scalar


def provider(rules: str, status: str = "", statuses: str = "") -> Provider:
    text = GOOD.replace('value = ["/state"]\nresult_id = ["/run"]\n', status).split("[result]")[0]
    return parse(text.replace("[statuses]\n", f"{rules}\n[statuses]\n{statuses}\n"), "acme.toml")


BOOLEAN = provider("", 'value = ["/completed"]\n', 'true = "done"\nfalse = "running"')
ABSENT = provider(
    "".join(
        f'[[override]]\npointer = "{pointer}"\nexists = {exists}\nphase = "{phase}"\n'
        for pointer, exists, phase in [
            ("/answer/errorCode", "true", "failed"),
            ("/answer", "true", "done"),
            ("/answer", "false", "running"),
        ]
    )
)
HTTP = provider(
    '[[override]]\nhttp_status = [303, 204]\nphase = "done"\n'
    '[[override]]\nhttp_status = 410\nphase = "missing"\n'
    '[[override]]\nhttp_status = 456\nfault = "payment"\n'
    '[[override]]\nhttp_status = 529\nfault = "limited"\n'
    '[[override]]\npointer = "/code"\nnot_equals = 1000\nfault = "rejected"\n',
    'value = ["/state"]\n',
)
NUMBERS = provider(
    '[[override]]\npointer = "/busy"\nless_than = 0\nphase = "failed"\n'
    '[[override]]\npointer = "/busy"\nat_least = 1\nphase = "running"\n'
    '[[override]]\npointer = "/ready"\nany_of = [true, "yes"]\nphase = "done"\n'
    '[[override]]\npointer = "/text"\ncontains = "Gave up"\nphase = "failed"\n'
)


@pytest.mark.parametrize(
    ("service", "status", "body", "phase", "raw_status"),
    [
        (BOOLEAN, 200, {"completed": True}, Phase.DONE, "true"),
        (BOOLEAN, 200, {"completed": False}, Phase.RUNNING, "false"),
        (BOOLEAN, 200, {"completed": "true"}, Phase.DONE, "true"),
        (ABSENT, 200, {"answer": {"errorCode": "E1"}}, Phase.FAILED, "errorCode: e1"),
        (ABSENT, 200, {"answer": {"errorCode": None}}, Phase.DONE, "answer: present"),
        (ABSENT, 200, {"answer": None}, Phase.RUNNING, "answer: absent"),
        (ABSENT, 200, {}, Phase.RUNNING, "answer: absent"),
        (NUMBERS, 200, {"text": "We gave up on it"}, Phase.FAILED, "text: we gave up on it"),
        (HTTP, 303, b"", Phase.DONE, "HTTP 303"),
        (HTTP, 204, b"", Phase.DONE, "HTTP 204"),
        (HTTP, 410, b"<html>", Phase.MISSING, "HTTP 410"),
        (HTTP, 200, {"state": "busy", "code": 1000}, Phase.RUNNING, "busy"),
        (HTTP, 200, {"state": "busy"}, Phase.RUNNING, "busy"),
        (NUMBERS, 200, {"busy": -2, "ready": True}, Phase.FAILED, "busy: -2"),
        (NUMBERS, 200, {"busy": "1"}, Phase.RUNNING, "busy: 1"),
        (NUMBERS, 200, {"busy": 0, "ready": "YES"}, Phase.DONE, "ready: yes"),
    ],
)
def test_a_rule_makes_a_report_of_a_response(service: Provider, status: int, body: Any, phase: Phase, raw_status: str):
    found = parse_status(service, "", response(body, status))
    assert isinstance(found, Report), found
    assert (found.phase, found.raw_status) == (phase, raw_status)


@pytest.mark.parametrize(
    ("service", "status", "body", "kind"),
    [
        (BOOLEAN, 200, {"completed": None}, FaultKind.MALFORMED),
        (BOOLEAN, 500, {"completed": True}, FaultKind.SERVER),
        (ABSENT, 200, b"<html>", FaultKind.MALFORMED),
        (ABSENT, 200, b"", FaultKind.MALFORMED),
        (ABSENT, 404, {}, FaultKind.MISSING),
        (HTTP, 302, b"", FaultKind.REDIRECTED),
        (HTTP, 456, b"", FaultKind.PAYMENT),
        (HTTP, 529, b"", FaultKind.LIMITED),
        (HTTP, 200, {"state": "busy", "code": 1001}, FaultKind.REJECTED),
        (HTTP, 401, b"", FaultKind.REFUSED),
        (NUMBERS, 200, {"busy": 0}, FaultKind.MALFORMED),
    ],
)
def test_without_a_rule_for_a_phase_a_response_is_a_fault(service: Provider, status: int, body: Any, kind: FaultKind):
    found = parse_status(service, "", response(body, status))
    assert isinstance(found, Fault), found
    assert found.kind is kind


def test_a_boolean_is_no_status_unless_the_file_lists_it():
    assert isinstance(parse_status(HTTP, "", response({"state": True})), Fault)


def test_a_rule_weakens_no_waiting_hint():
    found = parse_status(HTTP, "", response(b"", 303, retry_after="15"))
    assert isinstance(found, Report)
    assert found.retry_after == 15
    assert isinstance(limited := parse_status(HTTP, "", response(b"", 529, retry_after="15")), Fault)
    assert limited.retry_at is not None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["1", "nan", "1e999"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(values, st.sampled_from(["equals", "not_equals", "any_of", "exists", "less_than", "at_least"]))
def test_no_value_makes_a_rule_raise(value: Any, condition: str):
    pointer = BOOLEAN.endpoint().status.value[0]
    operands = {"any_of": (Scalar("1"),), "exists": True, "less_than": 0.0, "at_least": 0.0}
    rule = OverrideRule(pointer=pointer, phase=Phase.DONE, **{condition: operands.get(condition, Scalar("1"))})  # type: ignore[arg-type]
    rule.matches(200, {"completed": value}, {})
    assert rule.describe(200, {"completed": value}, {})
