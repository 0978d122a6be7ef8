"""Jobs that the services list and the watchlist does not have: second page of the add dialog."""
