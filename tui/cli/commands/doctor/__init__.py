"""babeltop doctor: checks and their report."""
