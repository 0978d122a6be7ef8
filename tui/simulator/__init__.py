"""Simulator of the four services as one ASGI app, for the demo and the tests."""
