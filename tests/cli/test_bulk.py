"""Bulk polls of an operator's provider, from raw HTTP to the JSON of `watch`."""

import asyncio
import json
import signal
from urllib.parse import parse_qs, urlsplit

from tests.cli.conftest import Program
from tests.support.misbehaving_servers import CLOSE, respond_with_body
from tests.support.provider_files import provider_file, write_provider_file
from tests.support.servers import serve_responder

PROVIDER = provider_file(
    "batches",
    """
[status]
path = "/jobs/{id}"
value = ["/status"]
[bulk]
path = "/batches?api-version=2024-05-01"
id_parameter = "ids"
max_ids = 50
items = "/jobs"
id = "/id"
value = ["/status"]
""",
)


def test_the_ids_of_a_bulk_poll_join_the_query_of_its_path(babeltop: Program) -> None:
    """Poll singly: queued; in bulk: running."""
    targets: list[str] = []

    async def respond(head: bytes, writer: asyncio.StreamWriter) -> None:
        targets.append(head.decode().split(" ")[1])
        is_bulk = targets[-1].startswith("/batches")
        jobs = [{"id": job, "status": "running"} for job in "abc"]
        body = json.dumps({"jobs": jobs} if is_bulk else {"status": "queued"})
        await respond_with_body(body.encode(), CLOSE)(writer)

    write_provider_file(babeltop.config, "batches", PROVIDER)
    with serve_responder(respond) as url:
        process = (
            babeltop.with_accounts(batches=url)
            .with_jobs("batches:a", "batches:b", "batches:c")
            .start("watch", "--json")
        )
        assert process.stdout
        while json.loads(process.stdout.readline())["after"] != "running":
            pass
        process.send_signal(signal.SIGTERM)
        assert babeltop.end(process).code == 0
    bulk_queries = [parse_qs(urlsplit(target).query) for target in targets if target.startswith("/batches")]
    assert bulk_queries
    for query in bulk_queries:
        assert query["api-version"] == ["2024-05-01"]
        assert set(query["ids"][0].split(",")) <= {"a", "b", "c"}
