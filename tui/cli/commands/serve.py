"""Subcommand serve: checks of extra and token, before the web server starts."""

import os
import secrets
from argparse import Namespace

from tui.cli.context import open_workspace
from tui.cli.output import OK, UsageError, print_message
from tui.cli.ui_settings import check_ui_settings
from tui.storage import paths
from tui.storage.config.key_ring import SERVE_TOKEN_VARIABLE
from tui.storage.config.secrets import Secret

MIN_TOKEN_LENGTH = 16
"""Characters. A shorter token can be guessed over a network."""


def serve(args: Namespace) -> int:
    """Run `serve` until SIGINT or SIGTERM."""
    try:
        from tui.cli.web import server
    except ImportError:
        from tui.storage.extras import install_command

        raise UsageError(f"serve requires an extra: {install_command('web')}") from None
    given = _read_token(args.token_file)
    token = Secret(given or secrets.token_urlsafe(32))
    port = int(args.port)
    with open_workspace(args) as workspace:
        check_ui_settings(workspace.config)  # reported once here, not in every browser

    def print_address() -> None:
        link = "" if given else f"?token={token.reveal()}"  # printed once, and nowhere else
        print_message(
            f"serving on http://{_display_host(args.host)}:{port}/{link}; ^C stops the server and its dashboards"
        )

    try:
        server.run_server(server.dashboard_command(args), args.host, port, token, print_address)
    except OSError as error:
        raise UsageError(f"{args.host}, port {port}: {error.strerror}") from None
    return OK


def _display_host(host: str) -> str:
    """Return the host of a URL that opens on this machine."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104  shown only
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


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
