"""Links of results: expiry and renewal."""
