"""Messages of browsers, and packets of dashboards."""

import json

import pytest

from tui.cli.web import messages
from tui.cli.web.messages import MAX_COLUMNS, MAX_LINES, packet_of_message, pong_of_message, text_of_meta


def resize(width: object, height: object) -> bytes | None:
    return packet_of_message(json.dumps(["resize", {"width": width, "height": height}]))


@pytest.mark.parametrize(
    ("width_and_height", "bounded"),
    [
        ((6000, 6000), (MAX_COLUMNS, MAX_LINES)),
        ((10**30, 1), (MAX_COLUMNS, 1)),
        ((-5, 0), (1, 1)),
        ((80, 24), (80, 24)),
    ],
)
def test_a_size_is_bounded(width_and_height: tuple[int, int], bounded: tuple[int, int]):
    packet = resize(*width_and_height)
    assert packet is not None
    assert json.loads(packet[5:]) == {"type": "resize", "width": bounded[0], "height": bounded[1]}


def test_keys_reach_the_dashboard_as_bytes_of_utf_8():
    assert packet_of_message('["stdin","ü"]') == b"D\0\0\0\2" + "ü".encode()


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "[]", "{}", "null", "7", '["stdin"]', '["stdin",7]', '["stdin",null]', '["stdin","\\ud800"]',
        '["resize"]', '["resize",{}]', '["resize",{"width":"9","height":9}]', '["resize",{"width":1.5,"height":9}]',
         '["quit"]', '[["stdin"],"x"]', "[" * 100_000, '["ping","123"]',
    ],
)  # fmt: skip
def test_a_message_of_another_form_has_no_packet(text: str):
    packet = packet_of_message(text)
    assert packet is None


def test_a_ping_is_sent_back_if_it_is_short():
    assert json.loads(pong_of_message('["ping","1700000000000"]') or "") == ["pong", "1700000000000"]
    assert pong_of_message(json.dumps(["ping", "1" * 33])) is None
    assert pong_of_message('["ping",7]') is None


def test_a_dashboard_opens_links_of_the_web_only():
    for url in ("https://a.example/x", "http://127.0.0.1:1/"):
        assert json.loads(text_of_meta(json.dumps({"type": "open_url", "url": url}).encode()) or "")[1]["url"] == url
    for url in ("javascript:alert(1)", "file:///etc/passwd", ""):
        assert text_of_meta(json.dumps({"type": "open_url", "url": url}).encode()) is None
    assert text_of_meta(b'{"type":"deliver_file_start"}') is None
    assert messages.is_exit(b'{"type":"exit"}')
    assert not messages.is_exit(b"exit")
