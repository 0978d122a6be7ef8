"""Process concerns that dashboard and command line share: signals, log file."""
