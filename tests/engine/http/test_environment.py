"""Proxy and certificate variables: what cannot be read is ignored or refused, and always named by its variable."""

import os

import pytest
import trustme

from tests.cli.conftest import Program
from tests.support.misbehaving_servers import CLOSE, respond_with_body
from tests.support.servers import serve_raw
from tui.engine.http import environment
from tui.engine.http.environment import EnvironmentSettingError

VARIABLES = (
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)


@pytest.mark.parametrize(
    ("entries", "host", "covered"),
    [
        ("localhost,fd00::/8", "fd12::1", True),
        ("localhost,fd00::/8", "[fd12::1]", True),
        ("localhost,fd00::/8", "fe80::1", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("192.168.1.7", "192.168.1.7", True),
        ("example.com", "api.example.com", True),
        ("example.com", "example.com", True),
        ("example.com", "badexample.com", False),
        (".example.com, *.test", "api.EXAMPLE.com.", True),
        ("*.test", "a.test", True),
        ("https://example.com", "example.com", True),
        ("*", "any.host", True),
        ("", "any.host", False),
        ("10.0.0.0/99,exa mple,[::", "10.0.0.1", False),
    ],
)
def test_no_proxy_covers_names_addresses_and_networks(entries: str, host: str, covered: bool):
    assert environment.no_proxy({"NO_PROXY": entries}).covers(host) is covered


def test_entries_of_no_proxy_that_cannot_be_read_are_named():
    assert environment.warnings({"no_proxy": "10.0.0.0/99, localhost,exa mple"}) == [
        "NO_PROXY: entry '10.0.0.0/99' is ignored: not a host or network",
        "NO_PROXY: entry 'exa mple' is ignored: not a host or network",
    ]


@pytest.mark.parametrize("url", ["ftp://proxy:1", "http://", "http://proxy:99999", "http://[::", "::::"])
def test_an_unusable_proxy_is_named_without_its_value(url: str):
    with pytest.raises(EnvironmentSettingError, match=r"^HTTPS_PROXY is no proxy URL: set it to [^ ]*, or unset it$"):
        environment.proxies({"HTTPS_PROXY": url})


def test_a_socks_proxy_without_its_package_names_the_extra():
    with pytest.raises(EnvironmentSettingError, match=r"ALL_PROXY names a SOCKS proxy, which requires .*socks"):
        environment.proxies({"all_proxy": "socks5://user:secret@proxy:1080"})


def test_certificates_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.pem").write_text("no certificate")
    problem = environment.certificate_problem
    assert "SSL_CERT_FILE names a file that cannot be read (No such" in problem({"SSL_CERT_FILE": str(tmp_path / "x")})
    assert "SSL_CERT_FILE names a file without PEM" in problem({"SSL_CERT_FILE": str(tmp_path / "text.pem")})
    assert "SSL_CERT_DIR names an empty folder" in problem({"SSL_CERT_DIR": str(tmp_path / "empty")})
    assert problem({"SSL_CERT_DIR": str(tmp_path)}) == ""
    assert environment.unread_certificates({"REQUESTS_CA_BUNDLE": "/ca"}).startswith("REQUESTS_CA_BUNDLE is not read")


def test_root_certificates_from_a_pipe_are_read_once(tmp_path, monkeypatch):
    reading, writing = os.pipe()
    trustme.CA().cert_pem.write_to_path(tmp_path / "root.pem")
    os.write(writing, (tmp_path / "root.pem").read_bytes())
    os.close(writing)
    monkeypatch.setenv("SSL_CERT_FILE", f"/dev/fd/{reading}")
    try:
        assert len(environment.create_tls_context().get_ca_certs()) == 1
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"NO_PROXY": "localhost,fd00::/8"}, ""),
        ({"NO_PROXY": "localhost,10.0.0.0/99"}, "NO_PROXY: entry '10.0.0.0/99' is ignored"),
        ({"HTTPS_PROXY": "ftp://x"}, "HTTPS_PROXY is no proxy URL"),
        ({"ALL_PROXY": "socks5://127.0.0.1:1"}, "ALL_PROXY names a SOCKS proxy"),
        ({"SSL_CERT_FILE": "/nowhere.pem"}, "SSL_CERT_FILE names a file that cannot be read"),
        ({"SSL_CERT_DIR": "/nowhere"}, "SSL_CERT_DIR names a folder that cannot be read"),
    ],
)
def test_check_and_doctor_name_the_variable(tmp_path, variables, named):
    with serve_raw(respond_with_body(b'{"data": {"status": "running"}}', CLOSE)) as url:
        program = Program(tmp_path, url).with_accounts("heygen").with_jobs("heygen:a")
        program.env.pop("SSL_CERT_FILE", None)
        program.env |= variables
        job, doctor = program.call("check", "--json").json[0], program.call("doctor")
    fatal = named and "is ignored" not in named
    assert (job["fault"]["message"] if fatal else job["phase"]).startswith(named if fatal else "running")
    assert named in doctor.out
