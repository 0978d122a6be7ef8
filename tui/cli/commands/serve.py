"""What `serve` checks before it serves: the extra, the address, and that a token stands before any other address."""

import os
from pathlib import Path

from tui.cli.context import open_workspace
from tui.cli.output import OK, UsageError
from tui.cli.parser import Namespace

ENVIRONMENT_VARIABLE = "BABELTOP_SERVE_TOKEN"
MIN_TOKEN_LENGTH = 16
"""Characters of a token: fewer can be guessed over a network."""


def serve(args: Namespace) -> int:
    """`serve`: until SIGINT or SIGTERM."""
    try:
        from tui.cli import web_server
    except ImportError:
        from tui.storage.extras import install_command

        raise UsageError(f"serve takes an extra: {install_command('web')}") from None
    token = _read_token(args.token_file)
    if token is None and not web_server.is_loopback(args.host):
        raise UsageError(
            f"{args.host} is not this machine alone: whoever reaches it could work the board.\n"
            f"  Set {ENVIRONMENT_VARIABLE}, or name a file with --token-file; "
            "`python3 -c 'import secrets; print(secrets.token_urlsafe())'` makes a token"
        )
    with open_workspace(args):
        pass  # what is wrong with the settings is said here, and not in every browser
    try:
        web_server.run_server(web_server.dashboard_command(args), args.host, int(args.port), token)
    except OSError as error:
        raise UsageError(f"{args.host}, port {args.port:g}: {error.strerror}") from None
    return OK


def _read_token(file: str | None) -> str | None:
    """The token; None: none was set. Raises UsageError, which does not repeat it."""
    if file is None:
        where, token = ENVIRONMENT_VARIABLE, os.environ.get(ENVIRONMENT_VARIABLE)
    else:
        where = file
        try:
            path = Path(file).expanduser()
            token = path.read_text("utf-8")
            shared = path.stat().st_mode & 0o077
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
        if shared:
            raise UsageError(f"{file} can be read by other users: chmod 600 {file}")
    if token is None:
        return None
    if len(token.strip()) < MIN_TOKEN_LENGTH:
        raise UsageError(f"{where}: a token has {MIN_TOKEN_LENGTH} characters at least")
    return token.strip()
