"""Subcommand serve: checks of extra and token, before the web server starts."""

import secrets
from argparse import Namespace

from tui.cli.access_token import read_token
from tui.cli.context import open_workspace
from tui.cli.output import OK, UsageError, print_message
from tui.cli.ui_settings import check_ui_settings
from tui.storage.config.key_ring import SERVE_TOKEN_VARIABLE
from tui.storage.config.secrets import Secret


def serve(args: Namespace) -> int:
    """Run `serve` until SIGINT or SIGTERM."""
    try:
        from tui.cli.web import server
    except ImportError:
        from tui.storage.extras import install_command

        raise UsageError(f"serve requires an extra: {install_command('web')}") from None
    given = read_token(SERVE_TOKEN_VARIABLE, args.token_file)
    token = given or Secret(secrets.token_urlsafe(32))
    port = int(args.port)
    with open_workspace(args) as workspace:
        check_ui_settings(workspace.config)  # reported once here, not in every browser
        if workspace.is_team:
            workspace.config.check_team()

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
