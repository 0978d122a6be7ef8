"""Secrets of jobs, read by several threads."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Any

from tests.support.waiting import DEADLINE
from tui.domain.models import Ref
from tui.storage.config.job_secrets import JobSecrets
from tui.storage.config.secrets import Secret
from tui.storage.watchlist.file import WatchlistFile

JOBS = "".join(f'[[job]]\naccount = "a"\nid = "{job}"\nsecrets = {{ key = "secret of {job}" }}\n' for job in "xy")


class Tables(list[Mapping[str, Any]]):
    """Tables of a watchlist: between the first and the second, another thread begins to read the file, too."""

    def __init__(self, tables: list[Mapping[str, Any]], begin_another: Callable[[], None]) -> None:
        super().__init__(tables)
        self._begin_another = begin_another

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        tables = super().__iter__()
        yield next(tables)
        self._begin_another()
        yield from tables


class SharedWatchlist(WatchlistFile):
    """Watchlist whose second reader waits for the first one to finish."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.second = Thread(target=lambda: self.secrets.get(Ref("a", "x"), ["key"]), daemon=True)
        self.second_reads, self.first_has_read = Event(), Event()
        self.secrets = JobSecrets(self, {})

    def tables(self) -> list[Mapping[str, Any]]:
        found = super().tables()
        if self.second.ident is None:
            return Tables(found, self._begin_second)
        self.second_reads.set()
        assert self.first_has_read.wait(DEADLINE)
        return found

    def _begin_second(self) -> None:
        self.second.start()
        assert self.second_reads.wait(DEADLINE)


def test_a_thread_finds_a_jobs_secret_while_another_one_reads_the_watchlist(tmp_path: Path):
    path = tmp_path / "watchlist.toml"
    path.write_text(JOBS)
    watchlist = SharedWatchlist(path)
    found = watchlist.secrets.get(Ref("a", "x"), ["key"])
    watchlist.first_has_read.set()
    watchlist.second.join(DEADLINE)
    assert found == {"key": Secret("secret of x")}
    assert watchlist.secrets.get(Ref("a", "y"), ["key"]) == {"key": Secret("secret of y")}
