"""Tests of the predicates about hosts."""

import pytest

from tui.domain.hosts import is_loopback, is_plaintext_remote, is_private, origin

LOOPBACK = (
    *("127.0.0.1", "127.255.255.254", "127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1"),
    *("::1", "[::1]", "0:0:0:0:0:0:0:1", "::0001", "::1%lo", "::ffff:127.0.0.1", "::ffff:7f00:2"),
    *("localhost", "LocalHost", "localhost.", "api.localhost", "a.b.localhost."),
)
PRIVATE = ("10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "::", "fe80::1", "fd00::1", "10.1")
PUBLIC = ("1.1.1.1", "2606:4700::1111", "api.example.com", "localhost.example.com", "notlocalhost", "127.0.0.1.nip.io")
OTHER = ("", ".", "1.2.3.4.5", "0x", "999.1.1.1", "::g")


@pytest.mark.parametrize("host", LOOPBACK)
def test_every_spelling_of_this_machine_is_loopback(host):
    assert is_loopback(host)
    assert is_private(host)
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    assert not is_plaintext_remote(f"http://{bracketed}:8080/x")


@pytest.mark.parametrize("host", PRIVATE)
def test_addresses_of_private_networks_are_private_but_not_loopback(host):
    assert is_private(host)
    assert not is_loopback(host)


@pytest.mark.parametrize("host", [*PUBLIC, *OTHER])
def test_other_names_and_addresses_are_neither(host):
    assert not is_loopback(host)
    assert not is_private(host)


def test_plain_http_to_another_machine_can_be_read_on_the_way():
    assert is_plaintext_remote("http://10.0.0.1/x")
    assert is_plaintext_remote("http://api.example.com")
    assert not is_plaintext_remote("https://api.example.com")


def test_an_origin_is_scheme_host_and_port():
    assert (
        origin("HTTPS://API.example.com/a?b")
        == ("https", "api.example.com", 443)
        == origin("https://api.example.com.:443")
    )
    assert origin("http://[::1]:8080/a") == ("http", "::1", 8080)
