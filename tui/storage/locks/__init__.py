"""Operating system locks: the poller's lease and the downloads' claims."""
