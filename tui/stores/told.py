"""What was told already, for all processes on the state folder: an alert goes off once, whoever sees its cause first.

It keeps keys and instants; whoever tells chooses the key. Pruning takes away what is older than the journal keeps.
"""

from tui.stores.database import Database


class Told:
    """The journal's table of what was told."""

    def __init__(self, file: Database) -> None:
        self._file = file

    def first(self, key: str, now: float, again_after: float) -> bool:
        """Whether `key` was not told within `again_after` seconds of the instant `now`; from here on it was.

        Of several processes that ask about the same key, one gets True. Raises JournalError, with nothing noted.
        """
        with self._file.writing() as db:
            row = db.execute("SELECT at FROM told WHERE key=?", (key,)).fetchone()
            if (
                row is not None and abs(now - row[0]) < again_after
            ):  # a clock that was set back silences nothing for long
                return False
            db.execute("INSERT OR REPLACE INTO told VALUES (?,?)", (key, now))
        return True
