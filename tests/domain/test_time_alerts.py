from msgspec.structs import replace

from tui.domain.job_state import Flag, JobState, Saved
from tui.domain.models import Job, Link, LinkKind, Phase
from tui.domain.time_alerts import RENEWING, Alarm, alarms, said
from tui.presentation.queries import Outlook, flags

NOW = 1_800_000_000.0
DAY = 86400.0
OUTLOOK = Outlook(now=NOW, stall_after=3600.0, warn_before=DAY)
LINK = Link(LinkKind.VIDEO, "https://cdn.test/1", NOW, NOW + 7 * DAY, exact=True)
DONE = JobState(job=Job(account="a", id="1"), phase=Phase.DONE, links=(LINK,))
RUNNING = JobState(job=Job(account="a", id="1"), phase=Phase.RUNNING, born=NOW)


def test_a_link_has_two_and_a_running_job_one():
    assert alarms(DONE, OUTLOOK) == (
        Alarm(NOW + 6 * DAY, Flag.EXPIRING, LINK.url, DAY / 2),
        Alarm(NOW + 7 * DAY, Flag.EXPIRED, LINK.url),
    )
    assert alarms(RUNNING, OUTLOOK) == (Alarm(NOW + 3600, Flag.STALLED, repr(NOW)),)


def test_they_go_off_when_the_flags_of_the_board_go_up():
    for state in (DONE, RUNNING):
        for alarm in alarms(state, OUTLOOK):
            assert alarm.flag not in flags(state, replace(OUTLOOK, now=alarm.at - 1))
            assert alarm.flag in flags(state, replace(OUTLOOK, now=alarm.at + 1))


def test_a_link_that_is_renewed_by_itself_is_worth_a_word_only_when_that_has_failed():
    state = replace(DONE, job=Job(account="a", id="1", keep_link=True))
    assert alarms(state, OUTLOOK)[0].at == NOW + 7 * DAY - DAY / RENEWING


def test_what_is_put_away_has_none():
    assert alarms(replace(DONE, job=Job(account="a", id="1", archived=True)), OUTLOOK) == ()


def test_what_was_downloaded_may_die_unsaid():
    saved = Saved("video", "/x/spring.mp4", 5, NOW)
    assert alarms(replace(DONE, saved=(saved,)), OUTLOOK) == ()
    captions = Link(LinkKind.CAPTIONS, "https://cdn.test/2", NOW, NOW + 7 * DAY, exact=True)
    assert alarms(replace(DONE, links=(LINK, captions), saved=(saved,)), OUTLOOK) != ()


def test_of_many_links_one_line_says_how_many_and_which_dies_first():
    later = replace(LINK, expires_at=NOW + 8 * DAY)
    other = JobState(job=Job(account="a", id="2", keep_link=True), phase=Phase.DONE, links=(later,), unrenewed=2)
    now = NOW + 6.5 * DAY
    assert said(Flag.EXPIRING, (DONE,), now) == "1: its link dies in 12h"
    assert said(Flag.EXPIRING, (other, DONE), now) == (
        "2 links die in the next 1d12h; the first, of 1, in 12h; 1 could not be renewed"
    )
    assert said(Flag.EXPIRED, (other, DONE), now) == "2 links are dead: L asks for fresh ones"


def test_a_renewal_that_is_known_to_fail_is_worth_a_word_at_once():
    state = replace(DONE, job=Job(account="a", id="1", keep_link=True), unrenewed=2)
    assert alarms(state, OUTLOOK)[0].at == NOW + 6 * DAY
