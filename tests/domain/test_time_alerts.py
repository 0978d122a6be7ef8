from msgspec.structs import replace

from tui.domain.evaluation import EvaluationContext, flags
from tui.domain.job_state import DownloadedFile, Flag, JobState
from tui.domain.models import Job, Link, LinkKind, Phase
from tui.domain.time_alerts import RENEWAL_WARNING_DIVISOR, TimedAlert, timed_alerts

NOW = 1_800_000_000.0
DAY = 86400.0
OUTLOOK = EvaluationContext(now=NOW, stall_after=3600.0, warn_before=DAY)
LINK = Link(LinkKind.VIDEO, "https://cdn.test/1", NOW, NOW + 7 * DAY, expiry_is_exact=True)
DONE = JobState(job=Job(account="a", id="1"), phase=Phase.DONE, links=(LINK,))
RUNNING = JobState(job=Job(account="a", id="1"), phase=Phase.RUNNING, first_polled_at=NOW)


def test_a_link_has_two_and_a_running_job_one():
    assert timed_alerts(DONE, OUTLOOK) == (
        TimedAlert(NOW + 6 * DAY, Flag.EXPIRING, LINK.url, DAY / 2),
        TimedAlert(NOW + 7 * DAY, Flag.EXPIRED, LINK.url),
    )
    assert timed_alerts(RUNNING, OUTLOOK) == (TimedAlert(NOW + 3600, Flag.STALLED, repr(NOW)),)


def test_they_go_off_when_the_flags_of_the_board_go_up():
    for state in (DONE, RUNNING):
        for alarm in timed_alerts(state, OUTLOOK):
            assert alarm.flag not in flags(state, replace(OUTLOOK, now=alarm.at - 1))
            assert alarm.flag in flags(state, replace(OUTLOOK, now=alarm.at + 1))


def test_a_link_that_is_renewed_by_itself_is_worth_a_word_only_when_that_has_failed():
    state = replace(DONE, job=Job(account="a", id="1", keep_link=True))
    assert timed_alerts(state, OUTLOOK)[0].at == NOW + 7 * DAY - DAY / RENEWAL_WARNING_DIVISOR


def test_what_is_put_away_has_none():
    assert timed_alerts(replace(DONE, job=Job(account="a", id="1", archived=True)), OUTLOOK) == ()


def test_what_was_downloaded_may_die_unsaid():
    saved = DownloadedFile("video", "/x/spring.mp4", 5, NOW)
    assert timed_alerts(replace(DONE, downloads=(saved,)), OUTLOOK) == ()
    captions = Link(LinkKind.CAPTIONS, "https://cdn.test/2", NOW, NOW + 7 * DAY, expiry_is_exact=True)
    assert timed_alerts(replace(DONE, links=(LINK, captions), downloads=(saved,)), OUTLOOK) != ()


def test_a_renewal_that_is_known_to_fail_is_worth_a_word_at_once():
    state = replace(DONE, job=Job(account="a", id="1", keep_link=True), failed_renewals=2)
    assert timed_alerts(state, OUTLOOK)[0].at == NOW + 6 * DAY
