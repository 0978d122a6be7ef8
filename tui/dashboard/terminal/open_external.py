"""Open links and folders on this machine's desktop, without a shell."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping


def open_external(target: str, environ: Mapping[str, str]) -> bool:
    """Open an http(s) link or an absolute path, in this environment. Returns False without a desktop."""
    if not target.lower().startswith(("http://", "https://", "/")):
        return False
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    has_desktop = sys.platform == "darwin" or environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    if opener is None or not has_desktop:
        return False
    devnull = subprocess.DEVNULL
    process = subprocess.Popen(  # noqa: S603  no shell
        [opener, target], stdin=devnull, stdout=devnull, stderr=devnull, start_new_session=True, env=environ
    )
    threading.Thread(target=process.wait, daemon=True).start()  # else it remains as a zombie
    return True
