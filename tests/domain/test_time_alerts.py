from msgspec.structs import replace

from tui.domain.evaluation import EvaluationContext, flags
from tui.domain.job_state import DownloadedFile, Flag, JobState
from tui.domain.models import Job, Link, LinkKind, Phase
from tui.domain.time_alerts import RENEWAL_WARNING_DIVISOR, TimedAlert, timed_alerts

NOW = 1_800_000_000.0
DAY = 86400.0
CONTEXT = EvaluationContext(now=NOW, stall_after=3600.0, warn_before=DAY)
LINK = Link(LinkKind.VIDEO, "https://cdn.test/1", NOW, NOW + 7 * DAY, expiry_is_exact=True)
DONE = JobState(job=Job(account="a", id="1"), phase=Phase.DONE, links=(LINK,))
RUNNING = JobState(job=Job(account="a", id="1"), phase=Phase.RUNNING, first_polled_at=NOW)


def test_a_link_has_two_alerts_and_a_running_job_one():
    assert timed_alerts(DONE, CONTEXT) == (
        TimedAlert(NOW + 6 * DAY, Flag.EXPIRING, LINK.url, DAY / 2),
        TimedAlert(NOW + 7 * DAY, Flag.EXPIRED, LINK.url),
    )
    assert timed_alerts(RUNNING, CONTEXT) == (TimedAlert(NOW + 3600, Flag.STALLED, repr(NOW)),)


def test_alerts_start_at_the_instant_of_their_flags():
    for state in (DONE, RUNNING):
        for alarm in timed_alerts(state, CONTEXT):
            assert alarm.flag not in flags(state, replace(CONTEXT, now=alarm.at - 1))
            assert alarm.flag in flags(state, replace(CONTEXT, now=alarm.at + 1))


def test_an_automatically_renewed_link_warns_late():
    state = replace(DONE, job=Job(account="a", id="1", keep_link=True))
    assert timed_alerts(state, CONTEXT)[0].at == NOW + 7 * DAY - DAY / RENEWAL_WARNING_DIVISOR


def test_an_archived_job_has_no_alerts():
    assert timed_alerts(replace(DONE, job=Job(account="a", id="1", archived=True)), CONTEXT) == ()


def test_links_of_downloaded_files_have_no_alerts():
    saved = DownloadedFile("video", "/x/spring.mp4", 5, NOW)
    assert timed_alerts(replace(DONE, downloads=(saved,)), CONTEXT) == ()
    captions = Link(LinkKind.CAPTIONS, "https://cdn.test/2", NOW, NOW + 7 * DAY, expiry_is_exact=True)
    assert timed_alerts(replace(DONE, links=(LINK, captions), downloads=(saved,)), CONTEXT) != ()


def test_a_failing_renewal_warns_as_early_as_without_renewal():
    state = replace(DONE, job=Job(account="a", id="1", keep_link=True), failed_renewals=2)
    assert timed_alerts(state, CONTEXT)[0].at == NOW + 6 * DAY
