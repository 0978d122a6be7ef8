"""Metrics of `watch` for Prometheus. Requires the extra `metrics`."""
