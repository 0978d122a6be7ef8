"""Hands a link or a folder to this machine's desktop, without a shell."""

import os
import shutil
import subprocess
import sys
import threading


def open_external(target: str) -> bool:
    """Hands it over; False: there is no desktop here. `target` is an http(s) link or an absolute path."""
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if opener is None or not (sys.platform == "darwin" or os.environ.keys() & {"DISPLAY", "WAYLAND_DISPLAY"}):
        return False
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(  # noqa: S603  no shell
        [opener, target], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
    )
    threading.Thread(target=process.wait, daemon=True).start()  # or it stays behind as a zombie
    return True
