"""Root certificates for tests."""

from functools import cache
from pathlib import Path

import certifi

END = "-----END CERTIFICATE-----\n"


@cache
def first_root() -> str:
    """Return one root certificate as PEM: a context of it takes a hundredth of the time of one of all."""
    return Path(certifi.where()).read_text("utf-8").partition(END)[0] + END
