"""Canary key, proxy password and signed URL that are sent through the whole program and searched in all its output.

Real processes poll a service that echoes the key and the link in every field, header and fault. Everything that they
write is searched: output, screen, log, journal, state, process list. Key and password must be nowhere, the signature
only where the operator requested links. `python -m tests.long_running.canary QUICK` is the short form.
"""

import asyncio
import base64
import gzip
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.dashboard_terminal import DashboardTerminal
from tests.support.fork_server import start_program
from tests.support.servers import serve_app, serve_responder
from tests.support.spellings import SPELLINGS
from tests.support.terminal import Terminal
from tests.support.waiting import DEADLINE
from tui.simulator.http import ConnectionCutError

KEY = "sk-Canary0/Key1+of2=the3&\"House'4<5>"
OTHER_SECRETS = {
    "HOOK_SECRET": "Canary9Hook/Secret+10",
    "CAMB_API_KEY": "Canary11Unused=Key",
    "BABELTOP_SERVE_TOKEN": "Canary12Serve+Token",
}
PASSWORD = "Canary5Password6"
SIGNATURE = "Canary7Signature8"
LINK = f"https://cdn.canary.test/v.mp4?Expires=1999999999&Signature={SIGNATURE}&Key-Pair-Id=K1"
ECHO = f"you sent {KEY} for {LINK}"
SPELLED = {f"spelled-{number}": spell(KEY) for number, spell in enumerate(SPELLINGS.values())}
"""By job id, the key in one spelling, which is the whole text of every field and header."""
HEADERS = ("etag", "retry-after", "sunset", "www-authenticate", "x-ratelimit-reset", "x-request-id", "set-cookie")
FAULTS = ("400", "404", "409", "410", "500", "503", "402", "403", "429", "401")
JOBS = (
    "done",
    "failed",
    "running",
    "gzip",
    "redirect",
    "html",
    "cut",
    "broken",
    "file",
    *SPELLED,
    *FAULTS,  # the last ones stop the account
)
"""Job ids, each selecting the service's behaviour."""
REQUESTED = set[str]()
"""Jobs that were polled."""
PROGRAM = """
import sys
from tui.engine.notifications import hooks
hooks.RETRY_PAUSES = (0.1, 0.1, 0.1)
from tui.cli.main import run
sys.exit(run(sys.argv[1:]))
"""
"""The program, which tries a webhook again at once: `check` ends after the last try."""
CRASH = """
import sys
from {module} import {name}
def crash(*_args, **_options):
    link, key = {link!r}, {key!r}
    raise RuntimeError("sabotage")
{name}.{method} = crash
from tui.cli.main import run
sys.exit(run(sys.argv[1:]))
"""
"""The program with one failing method, whose locals hold what no traceback may show."""
HOOK = """
import json, os, sys
print(json.dumps([sys.argv, sys.stdin.read(), dict(os.environ)]), file=open(os.environ["HOOK_LOG"], "a"))
key = open(os.environ["KEY_FILE"]).read()
sys.exit(f"the hook sends {key} {json.dumps(key)} {key!r}")
"""
"""Hook that records what it gets, then fails and prints the key."""
KEY_INTERVAL = 0.1
"""Seconds from one key to the next."""
LONG_FORM_READS = (
    *("list", "list --json", "log", "log --json", "export", "fleet", "fleet --json", "report", "report --links"),
    *("discover", "discover --json"),
)
"""Subcommands that read, in the long form."""
SHOWS_LINKS = ("list --json", "check --json", "export", "watch --json", "renew", "download", "report --links")
"""Subcommands whose output contains links."""


async def mirror(head: bytes, writer: asyncio.StreamWriter) -> None:
    """Send the lines of the request back: as a status line and headers, the line with the key first."""
    writer.write(b"\r\n".join(sorted(head.splitlines(), key=lambda line: b"x-api-key" not in line)))
    await writer.drain()


async def service(scope: Any, receive: Any, send: Any) -> None:
    """Respond like CAMB.AI for a dub, with the key and the link in every field."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    job = scope["path"].rpartition("/")[2]
    REQUESTED.add(job)
    echo = SPELLED.get(job, ECHO)
    report = {"status": "PENDING", "message": echo, "exception_reason": echo, "error": echo, "more": KEY}
    report["run_id"] = job
    if "result" in scope["path"]:
        here = dict(scope["headers"])[b"host"].decode()
        report = {"video_url": f"http://{here}/file.mp4" if job == "file" else LINK, "transcript": [{"text": echo}]}
    status, extra = 200, {"deprecation": KEY, "x-more": LINK, urllib.parse.quote(KEY, safe=""): "in a name"}
    in_header = echo if echo in SPELLED.values() and echo.isprintable() and echo.isascii() else KEY
    extra |= dict.fromkeys(HEADERS, in_header)
    match job:
        case "file.mp4":
            extra |= {"content-disposition": f'attachment; filename="of {KEY}.mp4"', "content-type": "video/mp4"}
        case "file" | "done":
            report["status"] = "SUCCESS"
        case "failed":
            report["status"] = "ERROR"
        case "redirect":
            status, extra["location"] = 302, f"{LINK}&{KEY}"
        case _ if job in FAULTS:
            status = int(job)
    body = json.dumps(report).encode()
    if job == "html":
        body = f"<html><title>{ECHO}</title>".encode()
    elif job == "file.mp4":
        body = b"\0\0\0\x18ftypmp42" + bytes(1000)
    elif job == "broken":
        body = f"{ECHO} [".encode()
    elif job == "gzip":
        body, extra["content-encoding"] = gzip.compress(body), "gzip"
    headers = [(name.encode(), value.encode()) for name, value in extra.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": job == "cut"})
    if job == "cut":
        raise ConnectionCutError


class Installation:
    """Program with folders of its own, and everything it wrote."""

    def __init__(self, folder: Path, url: str, mirror_url: str, source: str) -> None:
        """Write the configuration. `source`: the TOML value of `api_key`."""
        self.folder = folder
        self.config, self.state, self.hook_log = folder / "config", folder / "state", folder / "hooks.log"
        self.outputs: dict[str, bytes] = {}
        """Output by its source."""
        self.config.mkdir()
        hook = json.dumps([sys.executable, "-c", HOOK])
        (self.config / "config.toml").write_text(
            f'[accounts.camb]\nbase_url = "{url}"\napi_key = {source}\nrate_per_minute = 6000\n'
            f'[accounts.mirror]\nprovider = "camb"\nbase_url = "{mirror_url}"\napi_key = {source}\n'
            f'[polling]\nmax_interval = "2s"\n[[hook]]\non = ["done", "failed", "expiring"]\nrun = {hook}\n'
            f'[[hook]]\nurl = "{mirror_url}/hook"\nsecret = {{ env = "HOOK_SECRET" }}\ntimeout = "2s"\n'
        )
        (self.config / "watchlist.toml").write_text(
            "".join(f'[[job]]\naccount = "camb"\nkind = "dub"\nid = "{job}"\n' for job in JOBS)
            + '[[job]]\naccount = "mirror"\nid = "mirrored"\n'
        )
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BABELTOP")},
            "HOME": str(folder),
            "BABELTOP_CONFIG_DIR": str(self.config),
            "BABELTOP_STATE_DIR": str(self.state),
            "HOOK_LOG": str(self.hook_log),
            "CANARY": KEY,
            "KEY_FILE": str(folder / "key"),
            **OTHER_SECRETS,
        }

    def run(self, line: str, *, seconds: float = 0.0, crash: str = "", **env: str) -> None:
        """Run a command line and record its output; `seconds`: terminate it after so long. `crash`: the program."""
        with start_program(
            "-c",
            crash or PROGRAM,
            *line.split(),
            env=self.env | env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                out, err = process.communicate(timeout=seconds or DEADLINE)
            except subprocess.TimeoutExpired:
                assert seconds, f"{line} does not end"
                process.send_signal(signal.SIGTERM)
                out, err = process.communicate(timeout=DEADLINE)
        name = " ".join([line, *([crash] if crash else []), *env])
        self.outputs[f"{name} (stdout)"], self.outputs[f"{name} (stderr)"] = out, err

    def use_dashboard(self, keys: str) -> None:
        """Run the dashboard, press keys and record every byte written to the terminal."""
        with DashboardTerminal(columns=160, lines=50, environment=self.env) as terminal:
            assert terminal.wait_for(lambda text: "blocked" in text and "failed" in text, DEADLINE), terminal.text
            for key in keys:
                terminal.type(key)
                terminal.read_for(KEY_INTERVAL)
            terminal.send_signal()
        self._record_screen("screen", terminal)

    def crash_dashboard(self, program: str) -> None:
        """Run a dashboard that crashes, and record every byte written to the terminal."""
        with DashboardTerminal(columns=160, lines=50, environment=self.env, program=("-c", program)) as terminal:
            terminal.wait_for_exit(DEADLINE)
        self._record_screen("crashed screen", terminal)

    def _record_screen(self, name: str, terminal: Terminal) -> None:
        self.outputs[name] = bytes(terminal.raw)
        self.outputs[f"{name} at exit"] = terminal.text.encode()


@contextmanager
def recorded_command_lines(command_lines: set[bytes]) -> Iterator[None]:
    """Collect the command lines of all processes meanwhile."""
    stopped = threading.Event()

    def record() -> None:
        while not stopped.wait(0.1):
            for place in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    command_lines.add(place.read_bytes())
                except OSError:
                    continue

    thread = threading.Thread(target=record)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def encodings(text: str) -> set[bytes]:
    """Return the text as bytes, in base64 (at each of three offsets), in hex and reversed."""
    raw = text.encode()
    whole = {base64.b64encode(b"_" * before + raw)[4:-4] for before in range(3)}
    spelled = {spell(text).encode() for spell in SPELLINGS.values()}
    return {raw, raw[::-1], raw.hex().encode(), *whole, *spelled}


def find_leaks(outputs: dict[str, bytes], text: str, exempt: tuple[str, ...] = ()) -> list[str]:
    """Return the outputs that contain the text, without the exempt ones."""
    wanted = encodings(text)
    return [
        f"{name}: {text[:8]}… after {content.partition(form)[0][-60:]!r}"
        for name, content in outputs.items()
        if not name.startswith(exempt)
        for form in wanted
        if form in content
    ]


def stored_files(installation: Installation) -> dict[str, bytes]:
    """Return all files, and each journal table separately."""
    files = {
        str(path.relative_to(installation.folder)): path.read_bytes()
        for path in installation.folder.rglob("*")
        if path.is_file() and path.name not in {"key", "hooks.log"}
    }
    files["file names"] = "\n".join(str(path) for path in installation.folder.rglob("*")).encode()
    with closing(sqlite3.connect(installation.state / "journal.db")) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        for table in tables:
            rows = db.execute(f"SELECT * FROM {table}").fetchall()
            files[f"journal table {table}"] = repr(rows).encode()
    return files


def run_proof(folder: Path, *, quick: bool) -> tuple[Installation, int]:
    """Return the installation after all runs, and the number of command lines seen."""
    key = folder / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    source = f'{{ file = "{key}" }}' if quick else '{ env = "CANARY" }'
    command_lines = set[bytes]()
    with serve_app(service) as url, serve_responder(mirror) as mirror_url, recorded_command_lines(command_lines):
        installation = Installation(folder, url, mirror_url, source)
        installation.run("check")
        installation.run("check --json")
        installation.run("download camb:file --dir out")
        installation.use_dashboard("jjj\r]]]]]\x1bA\x1bJ\x1bF\x1bE\x1b4jj")
        for line in ("list", "log", "doctor", "report") if quick else LONG_FORM_READS:
            installation.run(line)
        for module, name, method in (
            ("tui.engine.accounts.account", "AccountRuntime", "poll"),
            ("tui.engine.polling.job_store", "JobStore", "apply"),
            ("tui.storage.journal.journal", "Journal", "record"),
        )[: 1 if quick else 3]:
            crash = CRASH.format(module=module, name=name, method=method, link=LINK, key=KEY)
            installation.run("check", crash=crash)
        crash = CRASH.format(
            module="tui.dashboard.app", name="Babeltop", method="on_updates_available", link=LINK, key=KEY
        )
        installation.crash_dashboard(crash)
        if not quick:
            run_long_form(installation)
        installation.outputs |= stored_files(installation)
    installation.outputs["processes"] = b"\n".join(line for line in command_lines if b"def crash" not in line)
    return installation, len(command_lines)


def run_long_form(installation: Installation) -> None:
    """Run what the short form leaves out."""
    installation.run("export --format json")
    installation.run("doctor")
    installation.run("doctor --json")
    installation.run("renew camb:done")
    installation.run("download camb:done --dir out")
    installation.run("wait --any --timeout 1s")
    installation.run("watch", seconds=6)
    installation.run("watch --json", seconds=6)
    installation.run("providers")
    for proxy in (
        f"nonsense://u:{PASSWORD}@x",
        f"http://u:{PASSWORD}@[::1",
        f"http://u:{PASSWORD}@x:y",
        f"u:{PASSWORD}@",
    ):
        installation.run("check camb:running", HTTP_PROXY=proxy, ALL_PROXY=proxy)
        installation.run("doctor", HTTP_PROXY=proxy, ALL_PROXY=proxy)


def main(*, quick: bool = False) -> None:
    """Run the proof and print its counts."""
    with TemporaryDirectory() as folder:
        installation, processes = run_proof(Path(folder), quick=quick)
        outputs = installation.outputs
        assert set(JOBS) <= REQUESTED, f"not polled: {set(JOBS) - REQUESTED}"
        assert outputs["check (stdout)"].count(b"camb") >= len(JOBS), "check does not show each job"
        assert b"/out/of.mp4" in outputs["file names"], outputs["download camb:file --dir out (stderr)"].decode()
        outputs["what hooks got"] = installation.hook_log.read_bytes()
        secrets = (KEY, PASSWORD, *OTHER_SECRETS.values())
        leaks = [leak for secret in secrets for leak in find_leaks(outputs, secret, ("out/",))]
        links = ("journal table job", "journal table link", "state/journal.db", "out/", "what hooks got")
        leaks += find_leaks(outputs, SIGNATURE, (*SHOWS_LINKS, *links))
        log = outputs["state/babeltop.log"].decode()
        assert "sabotage" in log, "the log has no crash"
        assert "the hook sends ***" in log, "the log has no hook output"
        assert "connection closed early, or not HTTP" in log, "the log has no protocol error"
        assert not re.search(r"locals|key = ", log), "a traceback shows locals"
        deliveries = [json.loads(line) for line in installation.hook_log.read_text().splitlines()]
        assert {json.loads(stdin)["event"] for _, stdin, _ in deliveries} >= {"done", "failed"}, "a hook got no event"
        leaks += find_leaks({"hook arguments": repr([argv for argv, _, _ in deliveries]).encode()}, SIGNATURE)
        assert b"babeltop stopped: internal error" in outputs["crashed screen"]
        traces = [name for name, output in outputs.items() if name.endswith("(stderr)") and b"Traceback" in output]
        assert not traces, outputs[traces[0]].decode()
    size = sum(map(len, outputs.values()))
    print(
        f"canary: {len(secrets) + 1} canaries in {len(encodings(KEY))} forms, {len(JOBS)} responses, "
        f"searched in {len(outputs)} outputs and files ({size} bytes) and {processes} command lines: "
        f"{len(leaks)} found{''.join(f'{chr(10)}  {each}' for each in leaks)}"
    )
    assert not leaks, "a canary leaked"


if __name__ == "__main__":
    main(quick=sys.argv[1:] == ["QUICK"])
