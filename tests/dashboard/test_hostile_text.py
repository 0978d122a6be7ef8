"""Hostile text of services, provider files and watchlists stays text, in real processes."""

import json
from pathlib import Path

import pytest

from tests.support.dashboard_terminal import DashboardTerminal
from tests.support.fork_server import run_program
from tests.support.hostile_text import FORBIDDEN_BYTES, HOSTILE_TEXTS, LONG, PROVIDER_FILE, response, service
from tests.support.servers import serve_app
from tests.support.terminal import Terminal

pytestmark = pytest.mark.timeout(900)  # a dozen processes, one after the other
JOBS = [
    f"{name}.{how}"
    for name, text in HOSTILE_TEXTS.items()
    for how in (("ran", "done", "failed", "odd", "500") if len(text) < LONG else ("done", "500"))
]
HOOK = 'cd "$RECEIVED"; echo $# > $$.count; cat > $$.json'


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A job for each text in each way; one has such a text as its label, note and tag too."""
    with serve_app(service) as url:
        config = tmp_path / "config"
        (config / "providers").mkdir(parents=True)
        (config / "providers" / "evil.toml").write_text(PROVIDER_FILE.format(url=url))
        hook = json.dumps(["sh", "-c", HOOK, "hook"])
        (tmp_path / "received").mkdir()
        (config / "config.toml").write_text(
            f'[polling]\nmax_interval = "5m"\n[[hook]]\non = ["done", "failed"]\nrun = {hook}\n'
            '[accounts.evil]\napi_key = { env = "EVIL_KEY" }\nrate_per_minute = 60000\n'
        )
        written = [json.dumps(text[:500]) for text in HOSTILE_TEXTS.values() if text.isascii()]
        (config / "watchlist.toml").write_text(
            "".join(f'[[job]]\naccount = "evil"\nid = "{job}"\n' for job in JOBS)
            + "".join(
                f'[[job]]\naccount = "evil"\nid = "{number}"\nlabel = {text}\nnote = {text}\ntags = [{text}]\n'
                for number, text in enumerate(written)
            ).replace("\\u007f", "\\u007F")
        )
        for name, value in {
            "BABELTOP_CONFIG_DIR": str(config),
            "BABELTOP_STATE_DIR": str(tmp_path / "state"),
            "HOME": str(tmp_path),
            "EVIL_KEY": "sk-0123456789abcdef",
            "RECEIVED": str(tmp_path / "received"),
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield tmp_path


def output(*line: str) -> bytes:
    done = run_program("-m", "tui", *line)
    assert done.returncode in (0, 1, 3), done.stderr
    return done.stdout + done.stderr


def harmless(written: bytes) -> None:
    assert [written[max(0, at - 80) : at + 40] for each in FORBIDDEN_BYTES if (at := written.find(each)) >= 0] == []


@pytest.mark.waits
def test_hostile_text_stays_text_in_every_subcommand(house: Path):
    assert all(len(response(f"/jobs/{job}")[2]) < 2**20 for job in JOBS), "all is read"
    harmless(output("check"))
    for line in ("list", "list --json", "log", "export", "export --format json", "doctor", "providers"):
        written = output(*line.split())
        harmless(written)
        assert b"\x1b" not in written, line
        assert len(written) < 8_000_000, line
    assert not (house / "PWNED").exists()
    counts = {path.read_text() for path in (house / "received").glob("*.count")}
    assert counts == {"0\n"}, "what a service says is no argument of a hook"
    received = [path.read_bytes() for path in (house / "received").glob("*.json")]
    assert len(received) >= 10
    for payload in received:
        json.loads(payload)
        harmless(payload)


def pressed(terminal: Terminal, keys: str) -> None:
    """Types, and sees that the screen does something about it."""
    written = len(terminal.raw)
    terminal.type(keys)
    assert terminal.wait_for(lambda _: len(terminal.raw) > written), keys


def test_hostile_text_does_not_break_the_screen(house: Path):
    with DashboardTerminal(columns=100, lines=30) as terminal:
        assert terminal.wait_for(lambda text: "failed" in text and "done" in text)
        terminal.type("\r")
        terminal.draws_screen = False  # its bytes are the claim
        for _ in range(len(HOSTILE_TEXTS) * 2):
            pressed(terminal, "j]")
        terminal.draws_screen = True
        terminal.resize(101, 30)  # has the program draw all of it
        for key, title in (("A", "─ Accounts ─"), ("J", "─ Recent events ─"), ("4j?", "─ Help ─")):
            terminal.type(key)
            assert terminal.wait_for(lambda text, title=title: title in text), terminal.text
            terminal.type("\x1b")
            assert terminal.wait_for(lambda text, title=title: title not in text), terminal.text
        assert terminal.exit_status() is None, terminal.text
        assert terminal.wait_for(lambda text: "evil" in text)
        assert terminal.send_signal() is not None
    harmless(bytes(terminal.raw).replace(b"\x1b]0;\x07", b""))
    assert not (house / "PWNED").exists()
    assert "Traceback" not in (house / "state" / "babeltop.log").read_text()
    assert (house / "state" / "babeltop.log").stat().st_size < 1_000_000
