"""The suite. Its parts share the servers in `tests.support.servers`."""
