"""Poller: accounts, HTTP client, jobs, downloads and notifications, on an event loop of its own."""

import sys

# before httpx is imported: its command line imports click and pygments where they are installed, 50 ms of each start
sys.modules.setdefault("httpx._main", None)  # pyright: ignore[reportArgumentType]  None: an import raises ImportError
