"""The SQLite journal: the database and one module per table."""
