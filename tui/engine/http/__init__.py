"""The HTTP client with its limits."""
