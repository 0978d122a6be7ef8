"""What asks: accounts, client, poller, and the session that holds them."""
