"""Parts of a job: the links of one language are renewed and downloaded alone."""

import asyncio
import json

from tests.engine.polling.test_polling import stage as staged
from tests.support.provider_files import provider_file, write_provider_file
from tests.support.virtual_time import MINUTE
from tui.domain.models import Phase, Ref
from tui.engine.api import Download, DownloadStage, Renew

TOUR = Ref("dubs", "tour")
DUBS = provider_file(
    "dubs",
    """
[status]
path = "/jobs/{id}"
value = ["/status"]
[parts]
items = "/targets"
language = ["/language"]
value = ["/status"]
statuses = { failed = "failed" }
[[parts.links]]
kind = "video"
url = ["/url"]
required = true
""",
)


class Dubs:
    """Service with a job of three languages, one of which failed, and its files; each poll has other links."""

    def __init__(self, fetched_elsewhere: str = "") -> None:
        """`fetched_elsewhere`: language whose file is gone, and which has no link from the second poll on."""
        self.polls = 0
        self.fetched: list[str] = []
        self.fetched_elsewhere = fetched_elsewhere

    async def __call__(self, scope, _receive, send) -> None:
        status, headers = 200, [(b"content-type", b"application/json")]
        if self.fetched_elsewhere and scope["path"].startswith(f"/files/{self.fetched_elsewhere}"):
            status, body = 404, b"{}"
        elif scope["path"].startswith("/files/"):
            self.fetched.append(scope["path"])
            headers, body = [(b"content-type", b"video/mp4")], b"\0\0\0\x18ftypmp42 the film"
        else:
            self.polls += 1
            targets = [
                {"language": code, "status": "done", "url": f"http://sim.test/files/{code}-{self.polls}.mp4"}
                for code in ("de", "fr")
            ]
            if self.fetched_elsewhere and self.polls > 1:
                targets = [each for each in targets if each["language"] != self.fetched_elsewhere]
            body = json.dumps(
                {"status": "done", "targets": [*targets, {"language": "es", "status": "failed"}]}
            ).encode()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def test_the_link_of_one_language_is_renewed_and_its_file_alone_downloaded(tmp_path):
    app = Dubs()

    async def scenario(stage):
        await asyncio.sleep(MINUTE)
        assert (stage[TOUR].phase, stage[TOUR].report.message) == (Phase.DONE, "es: failed; 2 of 3 done")
        renewed = await stage.engine.perform(Renew((TOUR,), "fr"))
        assert renewed.links[TOUR].url == f"http://sim.test/files/fr-{app.polls}.mp4"
        refused = await stage.engine.perform(Download((TOUR,), language="es"))
        assert (refused.ok, refused.message) == (False, "tour: no file of es")
        assert (await stage.engine.perform(Download((TOUR,), str(tmp_path / "saved"), "fr"))).ok
        while not any(each.stage is DownloadStage.SAVED for each in stage.listener.downloads):  # noqa: ASYNC110  virtual time
            await asyncio.sleep(1)
        assert [path.rpartition("-")[0] for path in app.fetched] == ["/files/fr"]
        assert [file.name for file in stage[TOUR].downloads] == ["video fr"]

    write_provider_file(tmp_path, "dubs", DUBS)
    staged(tmp_path, app, {"dubs": ("tour",)}, scenario, accounts=("dubs",))


def test_a_link_that_is_gone_is_not_replaced_by_the_one_of_another_language(tmp_path):
    app = Dubs(fetched_elsewhere="de")

    async def scenario(stage):
        await asyncio.sleep(MINUTE)
        assert (await stage.engine.perform(Download((TOUR,), str(tmp_path / "saved"), "de"))).ok
        ended = {DownloadStage.SAVED, DownloadStage.FAILED}
        while not any(each.stage in ended for each in stage.listener.downloads):  # noqa: ASYNC110  virtual time
            await asyncio.sleep(1)
        assert app.fetched == []
        assert stage[TOUR].downloads == ()

    write_provider_file(tmp_path, "dubs", DUBS)
    staged(tmp_path, app, {"dubs": ("tour",)}, scenario, accounts=("dubs",))
