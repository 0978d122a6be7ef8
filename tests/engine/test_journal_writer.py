"""Writer of the journal while it cannot be written."""

import asyncio

from tests.support.journal_entries import A, B, entry
from tests.support.virtual_time import run_virtual
from tui.engine.journal.writer import BACKLOG_AGE, BACKLOG_SIZE, BATCH_INTERVAL, JournalWriter
from tui.storage.journal.database import JournalError
from tui.storage.journal.journal import Journal
from tui.storage.journal.shared import LocalJournal


def writer_on(journals):
    """Writer on the first of the journals; without one, the journal cannot be opened."""

    def opened():
        if not journals:
            raise JournalError("away")
        return journals[0]

    return JournalWriter(LocalJournal(opened), lambda state, change: None, lambda problem: None)


class SlowJournal(LocalJournal):
    """Journal whose write takes a second, as that of a database far away."""

    async def record(self, entries):
        await asyncio.sleep(1)
        return await super().record(entries)


def test_an_entry_that_comes_during_a_write_is_written_afterwards():
    async def main():
        journal = Journal(None)
        writer = JournalWriter(SlowJournal(lambda: journal), lambda state, change: None, lambda problem: None)
        writer.add(entry(A))
        await asyncio.sleep(BATCH_INTERVAL + 0.5)
        writer.add(entry(B))
        await asyncio.sleep(BATCH_INTERVAL + 3)
        assert not writer.has_unwritten
        assert journal.states().keys() == {A, B}
        journal.close()

    run_virtual(main())


def test_a_writer_is_behind_while_its_oldest_entry_waits_too_long():
    async def main():
        writer = writer_on(journals := [])
        await asyncio.sleep(2 * BACKLOG_AGE)
        assert not writer.has_backlog, "nothing waits"
        writer.add(entry())
        await asyncio.sleep(BACKLOG_AGE - 1)
        assert not writer.has_backlog
        await asyncio.sleep(2)
        assert writer.has_backlog
        journals.append(Journal(None))
        await writer.flush()
        assert not writer.has_backlog
        journals[0].close()

    run_virtual(main())


def test_a_writer_is_behind_with_too_many_entries():
    async def main():
        writer = writer_on([])
        for _ in range(BACKLOG_SIZE - 1):
            writer.add(entry())
        assert not writer.has_backlog
        writer.add(entry())
        assert writer.has_backlog

    run_virtual(main())
