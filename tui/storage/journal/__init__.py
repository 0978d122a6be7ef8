"""SQLite journal: the database, and one module for each table."""
