"""Operating system locks: the poller lease and the download locks."""
