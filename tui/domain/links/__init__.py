"""How long result links live, and when to renew them."""
