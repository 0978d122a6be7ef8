"""Token that gives access to a server of babeltop, from a variable or a file."""

import os

from tui.cli.output import UsageError
from tui.storage import paths
from tui.storage.config.secrets import Secret

MIN_TOKEN_LENGTH = 16
"""Characters. A shorter token can be guessed over a network."""


def read_token(variable: str, file: str | None) -> Secret | None:
    """Return the token of the file, else of the variable; None without one.

    Raises UsageError, whose text does not contain the token.
    """
    if file is None:
        source, token = variable, os.environ.get(variable)
    else:
        source = file
        path = paths.expand(file)
        try:
            token = path.read_text("utf-8")
            other_users_mode = path.stat().st_mode & 0o077
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{file} is not readable: {getattr(error, 'strerror', None) or 'not UTF-8 text'}"
            ) from None
        if other_users_mode:
            raise UsageError(f"{file} is readable by other users: chmod 600 {file}")
    if token is None:
        return None
    if len(token.strip()) < MIN_TOKEN_LENGTH:
        raise UsageError(f"{source}: the token must have at least {MIN_TOKEN_LENGTH} characters")
    return Secret(token.strip())
