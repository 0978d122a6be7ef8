"""Client of a simulator with a manual clock."""

from typing import Any

import httpx

from tui.simulator.app import Simulator

START_TIME = 1_800_000_000.0
PATHS = {
    "heygen-v2": "/v2/video_translate/{}",
    "heygen": "/v3/video-translations/{}",
    "konpro": "/v1/video_translate/{}",
    "camb": "/translate/{}",
    "flixu": "/v1/translate/{}",
    "operations": "/operations/{}?api-version=2024-05-01",
}
AFTER_END = 4000.0
"""Seconds after which even a slow video has ended."""


class SimulatorClient:
    def __init__(self, **settings: Any) -> None:
        self.clock = START_TIME
        self.simulator = Simulator(clock=lambda: self.clock, **settings)

    async def get(self, path: str, key: str | None = "k", method: str = "GET", **headers: str) -> httpx.Response:
        keys = {} if key is None else {"x-api-key": key, "authorization": f"Bearer {key}"}
        return await self.send(path, {**keys, **headers}, method)

    async def send(self, path: str, headers: dict[str, str], method: str = "GET") -> httpx.Response:
        transport = httpx.ASGITransport(self.simulator)
        async with httpx.AsyncClient(transport=transport, base_url="http://sim.test") as client:
            return await client.request(method, path, headers=headers)

    async def poll(self, service: str, job_id: str, key: str | None = "k") -> httpx.Response:
        return await self.get(PATHS[service].format(job_id), key)

    async def poll_after_end(self, service: str, job_id: str) -> httpx.Response:
        """Poll a job, advance the clock beyond its end, and poll again."""
        await self.poll(service, job_id)
        self.clock += AFTER_END
        return await self.poll(service, job_id)
