"""Wait of a program in the background for the terminal. It imports nothing of Textual's."""

import errno
import termios


def wait_for_foreground(terminal: int) -> bool:
    """Wait until this process is in the terminal's foreground; return False if it never will be.

    The kernel stops a process in the background that sets a terminal's modes, until the shell's `fg`.
    """
    while True:
        try:
            termios.tcsetattr(terminal, termios.TCSANOW, termios.tcgetattr(terminal))
        except termios.error as error:
            if error.args[0] == errno.EINTR:
                continue
            return False  # no shell would continue it
        return True
