"""Watchlist file: parser, operations, editor, cache."""
