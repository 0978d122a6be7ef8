"""Artifacts of a job: their names, and the parts that they belong to."""

from tui.domain.artifacts import Artifact, artifacts, undownloaded
from tui.domain.job_state import JobState, LinkUsed, reduce
from tui.domain.links import expiry
from tui.domain.models import DownloadedFile, Job, Link, LinkKind, Phase, ReportedLink

NOW = 1.8e9


def link(kind: LinkKind, number: int, language: str | None = None) -> Link:
    return Link(kind, f"https://cdn.test/{number}", NOW, None, False, language=language)


def state(*links: Link, **more: object) -> JobState:
    return JobState(job=Job(account="a", id="1"), phase=Phase.DONE, links=links, **more)  # type: ignore[arg-type]


def test_files_of_one_language_are_numbered():
    found = artifacts(state(link(LinkKind.VIDEO, 1, "de"), link(LinkKind.CAPTIONS, 2), link(LinkKind.CAPTIONS, 3)))
    assert [each.name for each in found] == ["video de", "captions", "captions 2"]
    assert [each.name for each in artifacts(state(link(LinkKind.VIDEO, 1, "de")))] == ["video"]


def test_a_used_link_stays_used_at_the_next_poll_and_is_no_file_to_download():
    once = ReportedLink(LinkKind.DOCUMENT, "https://cdn.test/1", one_time=True)
    links = expiry.merge_links((), (once,), NOW)
    assert undownloaded(state(*links)) == (Artifact("document", LinkKind.DOCUMENT),)
    used, _ = reduce(state(*links), LinkUsed("https://cdn.test/1"))
    later = expiry.merge_links(used.links, (once,), NOW + 60)
    assert [link.is_used for link in later] == [True]
    assert undownloaded(state(*later)) == ()


def test_files_of_several_languages_have_the_language_in_their_name():
    links = [link(LinkKind.VIDEO, 1, "de"), link(LinkKind.VIDEO, 2, "fr"), link(LinkKind.CAPTIONS, 3, "fr")]
    assert artifacts(state(*links)) == (
        Artifact("video de", LinkKind.VIDEO, 0, "de"),
        Artifact("video fr", LinkKind.VIDEO, 0, "fr"),
        Artifact("captions fr", LinkKind.CAPTIONS, 0, "fr"),
    )
    saved = DownloadedFile("video fr", "/tmp/f.mp4", 1, NOW)
    left = undownloaded(state(*reversed(links), downloads=(saved,)))
    assert [each.name for each in left] == ["captions fr", "video de"], "whatever the order of the links"
