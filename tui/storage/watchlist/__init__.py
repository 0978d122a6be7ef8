"""The watchlist file: parser, operations, editor, cache."""
