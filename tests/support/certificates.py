"""Root certificate for tests."""

from functools import cache

import trustme


@cache
def one_root_pem() -> str:
    """Return a root certificate as PEM. A context with it alone takes a hundredth of the time of one with all 140."""
    return trustme.CA().cert_pem.bytes().decode()
