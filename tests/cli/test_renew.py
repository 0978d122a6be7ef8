"""`renew`: fresh links from the command line."""

from tests.cli import json_schema
from tests.cli.conftest import Program


def test_renew_prints_each_link_whole_with_what_is_left_of_it(four: Program) -> None:
    four.with_jobs("konpro:a-fine", "konpro:b-fine")
    assert four("check").code == 0
    told = four("renew", "a-fine")
    (line,) = told.out.splitlines()
    ref, kind, life, url = line.split("  ")
    assert (told.code, ref, kind) == (0, "konpro:a-fine", "video")
    assert life in {"~7d00h", "~6d23h"}
    assert url.startswith(four.service)


def test_renew_in_json_is_the_jobs_own_shape(four: Program) -> None:
    four.with_jobs("konpro:a-fine", "heygen:b-fine")
    assert four("wait").code == 0
    told = four("renew", "a-fine", "b-fine", "--json")
    assert told.code == 0
    assert json_schema.problems(told.json, "list") == []
    assert [len(job["links"]) for job in told.json] == [1, 1]


def test_renew_asks_only_what_it_is_told(four: Program) -> None:
    four.with_jobs("konpro:a-fine", "konpro:b-fine")
    assert four("renew").code == 2
    four("renew", "a-fine")
    assert [job["phase"] == "new" for job in four("list", "--json").json] == [False, True]


def test_a_job_that_has_no_link_is_exit_1_and_one_that_was_not_answered_exit_3(four: Program) -> None:
    four.with_accounts("camb", "flixu", konpro="http://127.0.0.1:9").with_jobs("flixu:a-stuck", "konpro:b")
    nothing, unreached = four.run_in_parallel("renew a-stuck", "renew konpro:b")
    assert (nothing.code, nothing.out) == (1, "")
    assert "flixu:a-stuck: this job has no such link yet" in nothing.err
    assert (unreached.code, unreached.out) == (3, "")
    assert "konpro:b: cannot be reached" in unreached.err
