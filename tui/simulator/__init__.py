"""The four services as one small ASGI app, for the demo and the tests."""
