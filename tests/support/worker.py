"""Worker of pytest-xdist that starts as a fork of a process with the tests imported: half of a start is imports.

`python WORKER -u -c CODE` is the command with which pytest-xdist starts a worker, with this file in place of the
interpreter's own. `python WORKER FOLDER PATH … DESCRIPTOR` serves the forks, for the tests at these paths.
"""

import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])

from tests.support.fork_server import fork_server, main, receive_exit_code, request

ADDRESS = "WORKER_SERVER"
"""Environment variable: path of the socket at which workers are requested."""


def worker_server(paths: Sequence[str]) -> AbstractContextManager[None]:
    """Run the process that is forked for the workers of this run."""
    return fork_server(ADDRESS, __file__, str(Path.cwd()), *paths)


def import_tests(folder: str, *paths: str) -> None:
    """Import the tests at these paths, seen from the folder, as pytest does. Its report is left to the workers."""
    import pytest

    os.chdir(folder)
    with redirect_stdout(io.StringIO()):
        pytest.main(["-n", "0", "--collect-only", *paths])


if __name__ == "__main__":
    if sys.argv[1] == "-u":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the test run ends its workers
        _, connection = request(sys.argv[2:], os.environ, [0, 1, 2], address=ADDRESS)
        for each in (0, 1):  # the fork's alone, so that it sees their end
            os.close(each)
        sys.exit(receive_exit_code(connection, waits=True))
    main(lambda: import_tests(*sys.argv[1:-1]))
