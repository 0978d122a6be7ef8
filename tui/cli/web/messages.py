"""Messages between a browser and the process of its dashboard, checked and bounded.

A browser sends JSON arrays; the process reads and writes packets: a type, four bytes of length, and the content.
"""

from typing import cast

import msgspec

MAX_MESSAGE_BYTES = 1024 * 1024
"""Of a browser's message: a paste of some ten thousand job ids."""
MAX_COLUMNS = 800
MAX_LINES = 300
"""Of a browser's terminal: small letters on a large screen."""
MAX_PING_LENGTH = 32
"""Characters of a ping, which is sent back."""
DATA, META = b"D", b"M"
"""Packets: bytes of the terminal; a JSON object."""


def packet_of_message(text: str) -> bytes | None:
    """Return the packet for the dashboard, or None for a message that has none."""
    match _decode(text):
        case ["stdin", str(keys)]:
            return packet(DATA, keys.encode("utf-8", "replace"))
        case ["resize", {"width": int(width), "height": int(height)}]:
            return meta_packet(type="resize", width=clamp(width, MAX_COLUMNS), height=clamp(height, MAX_LINES))
        case ["focus"]:
            return meta_packet(type="focus")
        case ["blur"]:
            return meta_packet(type="blur")
        case _:
            return None


def pong_of_message(text: str) -> str | None:
    """Return the response to a ping, or None for any other message."""
    match _decode(text):
        case ["ping", str(sent)] if len(sent) <= MAX_PING_LENGTH:
            return msgspec.json.encode(["pong", sent]).decode()
        case _:
            return None


def text_of_meta(payload: bytes) -> str | None:
    """Return the message to the browser for a META packet: to open a link. None for any other packet."""
    match _decode(payload):
        case {"type": "open_url", "url": str(url)} if url.startswith(("https://", "http://")):
            return msgspec.json.encode(["open_url", {"url": url, "new_tab": True}]).decode()
        case _:
            return None


def is_exit(payload: bytes) -> bool:
    """Return whether a META packet is the dashboard's last."""
    match _decode(payload):
        case {"type": "exit"}:
            return True
        case _:
            return False


def packet(kind: bytes, payload: bytes) -> bytes:
    """Return a packet for the dashboard."""
    return kind + len(payload).to_bytes(4, "big") + payload


def meta_packet(**fields: str | int) -> bytes:
    """Return a META packet of these fields."""
    return packet(META, msgspec.json.encode(fields))


def clamp(cells: int, limit: int) -> int:
    """Return a number of columns or lines within its limit."""
    return max(1, min(cells, limit))


def _decode(text: str | bytes) -> object:
    try:
        return cast("object", msgspec.json.decode(text))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
