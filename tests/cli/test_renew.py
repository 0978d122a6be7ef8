"""renew: new links on the command line."""

from tests.cli import json_schema
from tests.cli.conftest import Program


def test_renew_prints_each_link_uncut_with_its_remaining_lifetime(configured: Program) -> None:
    configured.with_jobs("konpro:a-fine", "konpro:b-fine")
    assert configured("check").code == 0
    completed = configured("renew", "a-fine")
    (line,) = completed.out.splitlines()
    ref, kind, life, url = line.split("  ")
    assert (completed.code, ref, kind) == (0, "konpro:a-fine", "video")
    assert life in {"~7d00h", "~6d23h"}
    assert url.startswith(configured.service)


def test_renew_prints_jobs_in_json(configured: Program) -> None:
    configured.with_jobs("konpro:a-fine", "heygen:b-fine")
    assert configured("wait").code == 0
    completed = configured("renew", "a-fine", "b-fine", "--json")
    assert completed.code == 0
    assert json_schema.problems(completed.json, "list") == []
    assert [len(job["links"]) for job in completed.json] == [1, 1]


def test_renew_polls_only_the_named_jobs(configured: Program) -> None:
    configured.with_jobs("konpro:a-fine", "konpro:b-fine")
    assert configured("renew").code == 2
    configured("renew", "a-fine")
    assert [job["phase"] == "new" for job in configured("list", "--json").json] == [False, True]


def test_a_job_without_a_link_is_exit_1_and_an_unreachable_service_exit_3(configured: Program) -> None:
    configured.with_accounts("camb", "flixu", konpro="http://127.0.0.1:9").with_jobs("flixu:a-stuck", "konpro:b")
    nothing, unreached = configured.run_each("renew a-stuck", "renew konpro:b")
    assert (nothing.code, nothing.out) == (1, "")
    assert "flixu:a-stuck: this job has no such link yet" in nothing.err
    assert (unreached.code, unreached.out) == (3, "")
    assert "konpro:b: cannot be reached" in unreached.err
