"""API keys that expire: the key command runs again, in virtual time and with real processes."""

import asyncio
from pathlib import Path

from tests.cli.conftest import Program
from tests.engine.polling.test_polling import stage
from tests.support.misbehaving_servers import CLOSE, respond_with_body
from tests.support.scripted_service import ReceivedRequest, ScriptedService, running
from tests.support.servers import serve_responder
from tests.support.virtual_time import HOUR, MINUTE
from tui.domain.models import Ref
from tui.engine.api import Health

TOKEN_LIFE = 8 * MINUTE
RUNNING = b'{"data": {"status": "running"}}'
A = Ref("heygen-v2", "a")


def command(counter: Path, prints: str = "token-$n") -> str:
    """Return the key command, as TOML: it counts its runs, and fails while a file `down` is beside the counter."""
    script = (
        f"test ! -e {counter.parent}/down || exit 3; read n < {counter}; n=$((n+1)); echo $n > {counter}; echo {prints}"
    )
    counter.write_text("0\n")
    return f'["sh", "-c", "{script}"]'


class TokenService(ScriptedService):
    """Service whose tokens are valid for eight minutes from their first use."""

    def __init__(self) -> None:
        super().__init__(self._respond)
        self.refused: list[tuple[float, str]] = []
        self.reported: list[ReceivedRequest] = []
        self._first_used: dict[str, float] = {}

    def _respond(self, request):
        first_used = self._first_used.setdefault(request.key, request.at)
        if request.key.startswith("token-") and request.at < first_used + TOKEN_LIFE:
            self.reported.append(request)
            return running()
        self.refused.append((request.at, request.id))
        return 401, {"message": "Unauthorized"}, {}


def watch(tmp_path, app, scenario, api_key: str, jobs=("a", "b", "c")) -> None:
    """Run the scenario with one account whose key has this source."""
    account = f'[accounts.heygen-v2]\nbase_url = "http://sim.test"\napi_key = {api_key}\ninsecure_http = true\n'
    account += "rate_per_minute = 6000\n"
    stage(tmp_path, app, {"heygen-v2": jobs}, scenario, accounts=(), config=account)


def test_an_expired_key_is_fetched_again_once_and_the_poll_repeated(tmp_path):
    app, counter = TokenService(), tmp_path / "count"

    async def scenario(stage):
        await asyncio.sleep(HOUR)
        assert stage.listener.accounts["heygen-v2"].health is Health.OK
        assert stage[A].fault is None

    watch(tmp_path, app, scenario, f"{{ command = {command(counter)} }}")
    assert len({request.key for request in app.requests}) > 5
    assert {at for at, job in app.refused if (at, job) not in {(each.at, each.id) for each in app.reported}} == set()


def test_a_key_with_a_lifetime_is_fetched_before_it_ends(tmp_path):
    app, counter = TokenService(), tmp_path / "count"

    async def scenario(stage):
        await asyncio.sleep(HOUR)

    watch(tmp_path, app, scenario, f'{{ command = {command(counter)}, lifetime = "8m" }}')
    assert app.refused == []
    assert 7 <= int(counter.read_text()) <= 9


def test_a_second_401_refuses_the_account(tmp_path):
    app, counter = TokenService(), tmp_path / "count"

    async def scenario(stage):
        await asyncio.sleep(HOUR)
        assert stage.listener.accounts["heygen-v2"].health is Health.REFUSED

    watch(tmp_path, app, scenario, f"{{ command = {command(counter, 'wrong')} }}", jobs=("a",))
    assert len(app.requests) == 2
    assert int(counter.read_text()) == 2, "at the start and after the first 401"


def test_polling_continues_once_a_failing_key_command_succeeds(tmp_path):
    app, counter = TokenService(), tmp_path / "count"

    async def scenario(stage):
        await asyncio.sleep(4 * MINUTE)
        (tmp_path / "down").touch()
        await asyncio.sleep(26 * MINUTE)
        state = stage.listener.accounts["heygen-v2"]
        assert state.health is Health.OFFLINE
        assert state.message == "the API key cannot be renewed: key command sh failed with exit code 3"
        (tmp_path / "down").unlink()
        await asyncio.sleep(11 * MINUTE)
        assert stage.listener.accounts["heygen-v2"].health is Health.OK

    watch(tmp_path, app, scenario, f"{{ command = {command(counter)} }}")


def test_check_repeats_a_poll_with_the_new_key(tmp_path):
    async def respond(head: bytes, writer: asyncio.StreamWriter) -> None:
        status, body = (b"200 OK", RUNNING) if b"token-2\r\n" in head else (b"401 Unauthorized", b"{}")
        await respond_with_body(body, CLOSE, status=status)(writer)

    with serve_responder(respond) as url:
        program = Program(tmp_path / "home", url).with_jobs("heygen-v2:a")
        api_key = f"{{ command = {command(tmp_path / 'count')} }}"
        (program.config / "config.toml").write_text(f'[accounts.heygen-v2]\nbase_url = "{url}"\napi_key = {api_key}\n')
        completed = program.call("check", "--json")
    assert [(job["phase"], job["fault"]) for job in completed.json] == [("running", None)]
