"""What babeltop knows and decides, without a clock, I/O, Textual or httpx: time comes in as an argument."""
