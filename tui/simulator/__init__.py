"""Simulator of the four services, and of operations, as one ASGI app, for the demo and the tests."""
