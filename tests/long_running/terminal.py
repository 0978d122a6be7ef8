"""Random bytes, keys, mouse reports, pastes and sizes typed into the demo's dashboard: it lives, and still answers.

Random text in the palette may run the command that quits; then a new dashboard continues. That every cell of the
screen is right after keys, resizes and updates is a test of its own (tests/dashboard/test_whole_screen.py).
"""

import random
import signal
from collections.abc import Callable, Iterator

from tests.support.dashboard_terminal import DashboardTerminal
from tests.support.terminal import Terminal
from tui.runtime.signals import EXIT_INTERRUPTED

COUNT = 200_000
"""Bytes of a full run."""
BURST = 400
"""Bytes between two checks that the dashboard is alive."""
SIZES = ((1, 1), (1, 40), (2, 2), (4, 24), (10, 3), (40, 10), (80, 24), (120, 40), (300, 100))
"""Columns and lines."""
FINAL_SIZE = (120, 40)
BOARD = (" babeltop ", "1 All ", "STATUS", "ACCOUNT", "heygen", "^q quit")
HELP = ("─ Help ─", "Esc")
"""Parts of the screen of the dashboard, and of its help."""
QUITS = b"\x11\x1aq"
"""Bytes that are not sent: ^q and q quit, ^z suspends."""
QUIT_CODES = {0, EXIT_INTERRUPTED, -signal.SIGINT, -signal.SIGQUIT}
"""Exit codes of a dashboard that the palette's command ended; ^c or ^\\ may follow when the terminal has its modes."""
BYTES = bytes(set(range(256)) - set(QUITS))
SEQUENCES = (
    *b"\x1b[A \x1b[B \x1b[C \x1b[D \x1b[H \x1b[F \x1b[5~ \x1b[6~ \x1bOP \x1b[15~ \x1b \x1b[ \x1b[200~".split(),
    *b"\x1b[999999999;999999999R \x1b[?1;2c \x1b]11;rgb: \x1b_G \x1b[<0;5;5M \x1b[<0;5;5m \x1b[<64;9999;9999M".split(),
    *b"\x1b[<;;M \x1b[27;5;9~ \x1b[57399u \x1b[I \x1b[48;-1;99999;a;t \x1b[?2026;2$y \xfc \xff\xfe \xc3".split(),
    *b"\x1b[201~ /fail\r /phase:\x1b :the :\x1b ?\x1b \r p P V e\x1b a\x1b s\r J\x1b".split(),
    b"  ",
)


def random_input(generator: random.Random) -> Iterator[bytes]:
    """Yield input without end: single bytes, runs of bytes, and what terminals and operators send."""
    while True:
        match generator.randrange(4):
            case 0:
                yield bytes(generator.choices(BYTES, k=generator.randrange(1, 40)))
            case 1:
                yield b"\x1b[200~" + bytes(generator.choices(BYTES, k=generator.randrange(60))) + b"\x1b[201~"
            case _:
                yield generator.choice(SEQUENCES)


def fuzz(count: int, seed: int, report: Callable[[str], None] = lambda _: None) -> int:
    """Send `count` bytes in all; return how many dashboards were needed. Raises AssertionError if one is not well."""
    generator, sent, dashboards = random.Random(seed), 0, 0
    inputs = random_input(generator)
    while sent < count:
        dashboards += 1
        with DashboardTerminal("--demo", columns=80, lines=24) as terminal:
            assert terminal.wait_for(lambda text: "konpro" in text), terminal.text
            terminal.draws_screen = False  # until it is looked at
            while sent < count and terminal.exit_status() is None:
                end = sent + BURST
                while sent < end:
                    data = next(inputs)
                    terminal.send(data)
                    sent += len(data)
                    if generator.random() < 0.05:
                        terminal.resize(*generator.choice(SIZES))
                    terminal.read_for(0)
                terminal.read_until_quiet()
                report(f"{sent} bytes")
            status = terminal.exit_status()
            end = bytes(terminal.raw[-300:])
            assert status in {None, *QUIT_CODES}, f"exit {status} after {sent} bytes of seed {seed}: {end!r}"
            if status is None:
                _check(terminal)
    return dashboards


def _check(terminal: Terminal) -> None:
    """Close what is open, and check that the dashboard answers and draws what a complete repaint draws."""
    terminal.resize(FINAL_SIZE[0] - 1, FINAL_SIZE[1])
    terminal.send(b"\x1b[201~")  # a paste may be open
    for _ in range(8):
        terminal.send(b"\x1b")
        terminal.read_for(0.2)
    terminal.draws_screen = True
    terminal.resize(*FINAL_SIZE)
    terminal.send(b"1")
    for key, expected in ((b"", BOARD), (b"?", HELP), (b"\x1b", BOARD)):
        terminal.send(key)
        is_shown = terminal.wait_for(lambda text, parts=expected: all(part in text for part in parts))
        if not is_shown and terminal.exit_status() in QUIT_CODES:
            return
        assert is_shown, terminal.text
    terminal.send(b"\x11")
    status = terminal.wait_for_exit()
    assert status == 0, f"exit {status} after ^q: {terminal.text}"


def main() -> None:
    """Run the full size and print its counts."""
    dashboards = fuzz(COUNT, 1, lambda text: print(f"\r{text}", end="", flush=True))
    print(f"\r{COUNT} bytes of random input into {dashboards} dashboards: alive, and answering at the end")
