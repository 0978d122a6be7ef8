"""Root certificates of the engine's clients."""

import pytest

from tests.support.certificates import one_root_pem


@pytest.fixture(scope="session")
def root_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("certificates") / "root.pem"
    file.write_text(one_root_pem())
    return file


@pytest.fixture(autouse=True)
def one_root(root_file, monkeypatch):
    """Let each client load one root certificate, not 140: that takes longer than most of these tests."""
    monkeypatch.setenv("SSL_CERT_FILE", str(root_file))
