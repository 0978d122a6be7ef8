"""Test command of the README on a slow machine: on one CPU, beside two busy loops. Linux only.

python -m tests.slow_machine [ARG …]      (ARG goes to pytest; an environment that is there is used)
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUSY_LOOPS = 2
"""Busy processes beside the suite."""
BUSY_LOOP = f"import os\nwhile os.getppid() == {os.getpid()}: pass"
"""Ends with this process, even if it is killed."""


def main(arguments: Sequence[str]) -> int:
    """Return the exit code of the suite."""
    command = re.findall(r"^python3 -m venv .*pytest$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)[0]
    if (ROOT / ".venv").exists():
        command = command.rpartition(" && ")[2]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    loops = [subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(BUSY_LOOPS)]
    print(f"{command} {' '.join(arguments)}  (on one CPU, beside {BUSY_LOOPS} busy loops)", flush=True)
    began = time.monotonic()
    try:
        code = subprocess.run(["bash", "-c", f'{command} "$@"', "bash", *arguments], cwd=ROOT, check=False).returncode
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    print(f"slow machine: {'green' if code == 0 else f'failed with {code}'} after {time.monotonic() - began:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
