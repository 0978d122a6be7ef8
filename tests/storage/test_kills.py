"""The short form of `tests.long_running.kills`, in a process of its own because it forks."""

from pathlib import Path

from tests.support.fork_server import run_program


def test_a_writer_killed_at_any_line_leaves_watchlist_and_journal_complete():
    done = run_program(
        "-m", "tests.long_running.kills", "10", "29", cwd=Path(__file__).parents[2], text=True, timeout=170
    )
    assert done.returncode == 0, done.stderr
    assert "watchlist intact after 10 random kills" in done.stdout
    assert "journal intact after 10 random kills" in done.stdout
