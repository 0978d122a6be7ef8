"""Simulated services."""

NAMES = ("camb", "flixu", "heygen", "konpro")
"""Built-in services: `simulate` writes a config.toml with an account of each."""
