"""Simulated services."""

NAMES = ("camb", "flixu", "heygen", "konpro")
"""Services of which a configuration has an account."""
