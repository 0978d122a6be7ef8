"""One account at run time: key, shared rate limit, API migration, probe."""
