"""Fakes, servers, strategies and fixtures that several test packages share."""
