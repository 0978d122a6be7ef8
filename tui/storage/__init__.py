"""Everything on disk: configuration, watchlist, journal, locks. Synchronous."""
