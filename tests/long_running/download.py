"""Download of two gigabytes over real HTTP, cut by the server at random points and killed (`kill -9`) meanwhile.

The program is `babeltop download` in processes of its own; this process serves the file and generates its bytes.
"""

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.support.file_servers import FileServer, serve_files
from tests.support.fork_server import start_program
from tests.support.servers import serve_app

SIZE = 2 * 1000**3
"""Bytes of the file."""
CUTS, KILLS = 30, 10
GROWTH = 20.0
"""Megabytes by which the program's resident memory may grow during a download."""
TIME_LIMIT = 900.0
"""Seconds for the whole proof."""
TITLE = "Spring launch"


@dataclass(frozen=True)
class DownloadProof:
    """Counts of the proof."""

    size: int
    cuts: int
    kills: int
    requests: int
    resumed: int
    """Requests that resumed an earlier one."""
    sent_bytes: int
    """Bytes sent by the server."""
    is_equal: bool
    names: list[str]
    """Files in the folder at the end."""
    growth: float
    """Largest growth of resident memory in megabytes, from a run's first byte on."""
    seconds: float

    @property
    def is_complete(self) -> bool:
        return self.is_equal and self.names == [f"{TITLE}.mp4"]

    @property
    def holds(self) -> bool:
        return self.is_complete and self.growth < GROWTH

    def __str__(self) -> str:
        return (
            f"download: {self.size / 1e6:.0f} MB in {self.seconds:.0f} s, cut {self.cuts} times, killed {self.kills} "
            f"times; {self.requests} requests, {self.resumed} of them resumed; "
            f"{self.sent_bytes / 1e6:.0f} MB sent; byte-equal: {self.is_equal}; in the folder: "
            f"{self.names}; resident memory "
            f"grew by at most {self.growth:.1f} MB (< {GROWTH:.0f} MB): {'holds' if self.holds else 'DOES NOT HOLD'}"
        )


class CuttingFileServer(FileServer):
    """File server that cuts its responses at random offsets, once each, and stalls at others to allow a kill."""

    def __init__(self, size: int, cuts: int, kills: int, random: Random) -> None:
        super().__init__(size)
        places = random.sample(range(1, size), cuts + kills)
        self._cut_points = sorted(
            [(place, False) for place in places[:cuts]] + [(place, True) for place in places[cuts:]]
        )
        self.sent_bytes = 0
        self.on_sent = self._count_sent

    def _count_sent(self, count: int) -> None:
        self.sent_bytes += count

    def bytes_until_cut(self, start: int) -> int | None:
        remaining = self._cut_points[self.cut_count :]
        self.stalls = bool(remaining) and remaining[0][1]
        return max(0, remaining[0][0] - start) if remaining else None

    @property
    def stall_count(self) -> int:
        """Responses stalled so far."""
        return sum(silent for _, silent in self._cut_points[: self.cut_count])


class DoneJobService:
    """HeyGen v2 with one job that is done, its link on the file server."""

    def __init__(self, base: str) -> None:
        self.base = base

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "http":
            body = f'{{"data": {{"status": "success", "title": "{TITLE}", "url": "{self.base}/spring.mp4"}}}}'
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body.encode()})


class DownloadProgram:
    """`babeltop download` with folders of its own."""

    def __init__(self, folder: Path, service: str) -> None:
        config = folder / "config"
        config.mkdir()
        account = f'[accounts.heygen-v2]\nbase_url = "{service}"\napi_key = {{ env = "KEY" }}\nrate_per_minute = 6000\n'
        (config / "config.toml").write_text(account + f'[downloads]\ndir = "{folder}/got"\n')
        (config / "watchlist.toml").write_text('[[job]]\naccount = "heygen-v2"\nid = "a"\n')
        self.folder = folder / "got"
        self.growth = 0.0
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "BABELTOP_CONFIG_DIR": str(config),
            "BABELTOP_STATE_DIR": str(folder / "state"),
            "KEY": "k-3141592653589793",
        }

    def start(self) -> "subprocess.Popen[str]":
        pipe, command = subprocess.PIPE, ("-m", "tui", "download", "heygen-v2:a")
        return start_program(*command, env=self._env, stdout=pipe, stderr=pipe, text=True)

    def watch(self, process: "subprocess.Popen[str]", until: Callable[[], bool], deadline: float) -> bool:
        """Record the memory until `until` holds; False: the process has exited before."""
        first = 0.0
        began = self.bytes_on_disk
        while process.poll() is None and time.monotonic() < deadline:
            if self.bytes_on_disk > began:
                now = resident_mb(process.pid)
                first = first or now
                self.growth = max(self.growth, now - first)
            if until():
                return True
            time.sleep(0.005)
        return False

    @property
    def bytes_on_disk(self) -> int:
        """Bytes of the file on disk."""
        try:
            return sum(path.stat().st_size for path in self.folder.iterdir())
        except FileNotFoundError:
            return 0


def resident_mb(pid: int) -> float:
    """Return the resident megabytes; 0 if the process has exited."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    found = next((line.split()[1] for line in lines if line.startswith("VmRSS")), "0")
    return int(found) * 1024 / 1e6


def run_proof(folder: Path, size: int, cuts: int, kills: int, seed: int = 0) -> DownloadProof:
    random, began = Random(seed), time.monotonic()
    server = CuttingFileServer(size, cuts, kills, random)
    kill_count = 0
    with serve_files(server) as base, serve_app(DoneJobService(base)) as service:
        program = DownloadProgram(folder, service)
        for number in range(1, kills + 2):
            with program.start() as process:
                if program.watch(process, lambda number=number: server.stall_count >= number, began + TIME_LIMIT):
                    process.send_signal(signal.SIGKILL)
                    kill_count += 1
                _, stderr = process.communicate(timeout=TIME_LIMIT)
            assert process.returncode in (0, -signal.SIGKILL), stderr
        ranges = [each.headers.get("range") for each in server.requests]
        names = sorted(path.name for path in program.folder.iterdir())
    return DownloadProof(
        size=size,
        cuts=server.cut_count - server.stall_count,
        kills=kill_count,
        requests=len(ranges),
        resumed=sum(each is not None for each in ranges),
        sent_bytes=server.sent_bytes,
        is_equal=sha256_of(program.folder / f"{TITLE}.mp4") == server.sha256,
        names=names,
        growth=program.growth,
        seconds=time.monotonic() - began,
    )


def sha256_of(path: Path) -> str:
    if not path.exists():
        return "no file"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Run the long form and print its counts."""
    with TemporaryDirectory() as folder:
        proof = run_proof(Path(folder), SIZE, CUTS, KILLS)
    print(proof)
    assert proof.holds, "the file differs, another file remains, or memory grew"
    assert (proof.cuts, proof.kills) == (CUTS, KILLS), "the download was not cut or killed as often as planned"
