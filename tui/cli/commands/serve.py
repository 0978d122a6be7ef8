"""Subcommand serve: checks of extra, address and token, before web_server starts."""

import os
from argparse import Namespace

from tui.cli.context import open_workspace
from tui.cli.output import OK, UsageError
from tui.cli.ui_settings import check_ui_settings
from tui.domain.hosts import is_loopback
from tui.storage import paths
from tui.storage.config.key_ring import SERVE_TOKEN_VARIABLE

MIN_TOKEN_LENGTH = 16
"""Characters. A shorter token can be guessed over a network."""


def serve(args: Namespace) -> int:
    """Run `serve` until SIGINT or SIGTERM."""
    try:
        from tui.cli import web_server
    except ImportError:
        from tui.storage.extras import install_command

        raise UsageError(f"serve requires an extra: {install_command('web')}") from None
    token = _read_token(args.token_file)
    if token is None and not is_loopback(args.host):
        raise UsageError(
            f"{args.host} exposes the dashboard to the network: a token is required.\n"
            f"  Set {SERVE_TOKEN_VARIABLE} or use --token-file; "
            "`python3 -c 'import secrets; print(secrets.token_urlsafe())'` prints a new one"
        )
    with open_workspace(args) as workspace:
        check_ui_settings(workspace.config)  # reported once here, not in every browser
    try:
        web_server.run_server(web_server.dashboard_command(args), args.host, int(args.port), token)
    except OSError as error:
        raise UsageError(f"{args.host}, port {args.port:g}: {error.strerror}") from None
    return OK


def _read_token(file: str | None) -> str | None:
    """Return the token, or None without one. Raises UsageError, whose text does not contain it."""
    if file is None:
        source, token = SERVE_TOKEN_VARIABLE, os.environ.get(SERVE_TOKEN_VARIABLE)
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
    return token.strip()
