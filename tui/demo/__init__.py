"""The demo's watchlist and story."""
