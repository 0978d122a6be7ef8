"""Subcommand discover, with a service that lists its jobs over HTTP."""

import json
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.cli import json_schema
from tests.cli.conftest import KEY, Program
from tests.support.provider_files import provider_file, write_provider_file
from tests.support.servers import serve_app

FILE = provider_file(
    "acme",
    '[status]\npath = "/jobs/{id}"\nvalue = ["/data/status"]\ntitle = ["/data/title"]\n'
    '[list]\npath = "/jobs?limit=2"\nitems = "/data"\nid = "/id"\nsame_as = "/data"\ncreated = ["/created_at"]\n'
    'order = "newest_first"\n'
    '[list.paging]\ntype = "cursor"\nparameter = "token"\nnext = "/next"\n'
    '[kinds.clip]\nstatus.path = "/clips/{id}"\n'
    '[kinds.clip.list]\npath = "/clips"\nitems = "/data"\nid = "/id"\nvalue = ["/status"]\n'
    '[limits]\ndefault = "any"\nany = { per_minute = 60000 }\n',
)


class ListingService:
    """ASGI app that lists jobs j9 … j0, two on a page, one a day old more than the one before; and one clip."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str | None]] = []
        self.next_url = ""
        self.is_down = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        token = int(parse_qs(scope["query_string"].decode()).get("token", ["9"])[0])
        self.requests.append((f"{scope['path']}?{scope['query_string'].decode()}", headers[b"x-api-key"].decode()))
        body: dict[str, Any] = {"data": [{"id": "c1", "status": "done"}]}
        if scope["path"] == "/jobs":
            body = {
                "data": [
                    {
                        "id": f"j{n}",
                        "status": "processing",
                        "title": f"Job {n}",
                        "created_at": time.time() - 86400 * (9 - n),
                    }
                    for n in (token, token - 1)
                    if n >= 0
                ],
                "next": token - 2 if token > 1 else None,
            }
        await send({"type": "http.response.start", "status": 500 if self.is_down else 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


@pytest.fixture
def listing() -> ListingService:
    return ListingService()


@pytest.fixture
def acme(listing: ListingService, tmp_path: Path) -> Iterator[Program]:
    with serve_app(listing) as url:
        program = Program(tmp_path / "acme", url)
        write_provider_file(program.config, "acme", FILE)
        yield program.with_accounts("acme")


def ids(program: Program) -> list[str]:
    return (
        [job["id"] for job in tomllib.loads(program.watchlist.read_text())["job"]] if program.watchlist.exists() else []
    )


def test_discover_lists_the_jobs_that_are_not_on_the_watchlist(acme: Program, listing: ListingService) -> None:
    acme.with_jobs("acme:j8")
    completed = acme("discover", "--since", "60h", "--json")
    assert (completed.code, completed.err) == (0, "")
    assert json_schema.problems(completed.json, "discover") == []
    assert [(job["id"], job["kind"], job["phase"], job["title"]) for job in completed.json] == [
        ("j9", "", "running", "Job 9"),
        ("j7", "", "running", "Job 7"),
        ("c1", "clip", "done", None),
    ]
    assert [path for path, _ in listing.requests] == [
        *("/jobs?limit=2", "/jobs?limit=2&token=7", "/jobs?limit=2&token=5", "/clips?")
    ]
    assert {key for _, key in listing.requests} == {KEY}
    assert ids(acme) == ["j8"]


def test_discover_adds_each_job_once_and_never_a_removed_one(acme: Program) -> None:
    assert acme("discover", "--since", "36h", "--filter", "job", "--add").err.splitlines()[-2:] == [
        "babeltop: added: acme:j9",
        "babeltop: added: acme:j8",
    ]
    assert [job["tags"] for job in tomllib.loads(acme.watchlist.read_text())["job"]] == [["discovered"]] * 2
    acme("remove", "acme:j8")
    again = acme("discover", "acme", "--since", "36h", "--add")
    assert "left out 1 job that was removed" in again.err
    assert ids(acme) == ["j9", "c1"]
    assert "no new jobs" in acme("discover", "--since", "36h", "--add").err
    assert ids(acme) == ["j9", "c1"]


def test_discover_ends_with_a_fault_and_names_unknown_accounts(acme: Program, listing: ListingService) -> None:
    listing.is_down = True
    failed = acme("discover")
    assert (failed.code, "acme: Acme returned 500 (server error)" in failed.err) == (3, True)
    unknown = acme("discover", "acm")
    assert (unknown.code, "did you mean 'acme'?" in unknown.err) == (2, True)
    invalid = acme("discover", "--filter", "phase:")
    assert invalid.code == 2
    assert KEY not in failed.out + failed.err


@pytest.mark.parametrize("args", [("discover",), ("add", "an-id")])
def test_without_accounts_the_way_to_configure_one_is_named(babeltop: Program, args: tuple[str, ...]) -> None:
    completed = babeltop(*args)
    assert completed.code == 2
    assert "no accounts configured: set an API key in " in completed.err
    assert f"or add [accounts.NAME] to {babeltop.config / 'config.toml'}" in completed.err


def test_discover_names_a_service_without_a_list(configured: Program) -> None:
    completed = configured("discover", "flixu")
    assert "has no list of jobs" in completed.err
    assert completed.code == 0
