"""Alerts, hooks and their delivery."""
