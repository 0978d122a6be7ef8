import pytest
from msgspec.structs import replace

from tests.support.strategies import NOW
from tui.domain.job_state import Flag, JobState
from tui.domain.models import Fault, FaultKind, Job, Link, LinkKind, Phase, PollReason
from tui.domain.polling.duration_model import LogNormalFit
from tui.domain.polling.rate_limit import WaitReason
from tui.presentation.descriptions import (
    describe_alert,
    describe_poll_reason,
    describe_renewal_failure,
    describe_wait,
)

DAY = 86400.0
LINK = Link(LinkKind.VIDEO, "https://cdn.test/1", NOW, NOW + 7 * DAY, expiry_is_exact=True)
DONE = JobState(job=Job(account="a", id="1"), phase=Phase.DONE, links=(LINK,))
FAILING = JobState(
    job=Job(account="a", id="2", keep_link=True),
    phase=Phase.DONE,
    links=(replace(LINK, expires_at=NOW + 8 * DAY),),
    failed_renewals=2,
)


@pytest.mark.parametrize("reason", PollReason)
def test_every_poll_reason_has_a_text_with_and_without_its_numbers(reason: PollReason):
    state = replace(DONE, next_poll_reason=reason)
    detailed = replace(state, fault=Fault(FaultKind.TOO_LARGE, "x"), duration_fit=LogNormalFit(6.3, 0.2, 10))
    assert describe_poll_reason(state)
    assert describe_poll_reason(detailed)
    assert "_" not in describe_poll_reason(detailed)


def test_a_learned_interval_names_the_usual_duration_and_a_backoff_its_fault():
    fit = LogNormalFit(6.3, 0.2, 10)
    learned = replace(DONE, next_poll_reason=PollReason.LEARNED, duration_fit=fit)
    assert describe_poll_reason(learned) == "learned: similar jobs take 8–11 min"
    fault = replace(DONE, next_poll_reason=PollReason.BACKOFF, fault=Fault(FaultKind.TIMEOUT, "x"))
    assert describe_poll_reason(fault) == "backing off after timeout"


def test_a_job_without_a_next_poll_has_no_reason():
    assert describe_poll_reason(DONE) == ""


@pytest.mark.parametrize("reason", WaitReason)
def test_every_wait_reason_has_a_text(reason: WaitReason):
    assert describe_wait(reason)
    assert describe_wait(None) == ""


def test_one_link_is_described_by_its_job_and_many_by_their_number_and_the_first():
    now = NOW + 6.5 * DAY
    assert describe_alert(Flag.EXPIRING, (DONE,), now) == "1: link expires in 12h"
    assert describe_alert(Flag.EXPIRING, (FAILING, DONE), now) == (
        "2 links expire within 1d12h (first: 1, in 12h); 1 renewal failed"
    )
    assert describe_alert(Flag.EXPIRED, (DONE,), now) == "1: link expired: L renews it"
    assert describe_alert(Flag.EXPIRED, (FAILING, DONE), now) == "2 links expired: L renews them"


def test_a_stalled_job_is_described_by_its_running_time():
    state = JobState(job=Job(account="a", id="1"), phase=Phase.RUNNING, first_polled_at=NOW - 3600)
    assert describe_alert(Flag.STALLED, (state,), NOW) == "1: running for 1h00m, far longer than usual"


def test_a_renewal_failure_names_its_attempts_and_the_last_fault():
    assert describe_renewal_failure(FAILING) == "2 renewals failed: the service returned the same link"
    offline = replace(FAILING, consecutive_faults=1, fault=Fault(FaultKind.OFFLINE, "no network"))
    assert describe_renewal_failure(offline) == "3 renewals failed: no network"
    assert describe_renewal_failure(DONE) == ""
