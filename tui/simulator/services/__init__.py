"""Simulated services."""
