"""Subcommand doctor: checks and their report."""
