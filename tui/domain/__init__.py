"""Values and rules of babeltop. No clock, I/O, Textual or httpx: time is an argument."""
