"""What stays: paths, settings, secrets, the watchlist, the journal."""
