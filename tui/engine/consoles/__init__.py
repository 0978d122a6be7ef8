"""Several consoles on one watchlist: leader election and outside edits."""
