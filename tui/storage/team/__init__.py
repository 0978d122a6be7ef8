"""Shared storage of a team in PostgreSQL. Nothing else imports psycopg, and nothing imports this without `[team]`."""
