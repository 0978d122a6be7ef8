"""Requests of a provider file: paths, headers and bodies with placeholders."""
