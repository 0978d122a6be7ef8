"""Poller: accounts, HTTP client, jobs, downloads and notifications, on an event loop of its own."""
