"""Simulated services."""

NAMES = ("camb", "deepl-documents", "deepl-voice", "flixu", "heygen", "konpro")
"""Built-in services: `simulate` writes a config.toml with an account of each."""
