"""Download queue, one job's files, and the transfer of one file."""
