import subprocess

from tests.support.fork_server import start_program
from tui.domain.content_headers import Digest
from tui.domain.job_state import JobState, StatusReceived, current_downloads, reduce
from tui.domain.models import DownloadedFile, Job, Phase, Ref, Report
from tui.presentation.filenames import Filename
from tui.storage.journal.checkpoints import DownloadCheckpoint
from tui.storage.journal.journal import Journal, JournalEntry
from tui.storage.locks.download_locks import DownloadLocks

REF = Ref("heygen-v2", "a")
FILE = DownloadedFile("video", "/d/a.mp4", 10, 5.0)

HOLDER = """
import signal, sys
from pathlib import Path
from tui.domain.models import Ref
from tui.storage.locks.download_locks import DownloadLocks
locks = DownloadLocks(Path(sys.argv[1]))
assert locks.acquire(Ref("heygen-v2", "a"))
print("held", flush=True)
signal.pause()
"""


def test_a_job_is_locked_by_one_process_until_that_is_killed(tmp_path):
    locks = DownloadLocks(tmp_path)
    with start_program("-c", HOLDER, str(tmp_path), stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert not locks.acquire(REF)
        assert locks.acquire(Ref("heygen-v2", "b"))
        holder.kill()
    assert locks.acquire(REF)
    locks.close()


def test_a_checkpoint_survives_the_process_until_it_is_deleted(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    checkpoint = DownloadCheckpoint(
        part_path="/d/a.mp4.part", filename=Filename("a", ".mp4"), validator='"e"', digest=Digest("md5", b"\0\xff")
    )
    journal.downloads.save(REF, "video", checkpoint)
    journal.close()
    journal = Journal(tmp_path / "journal.db")
    assert journal.downloads.checkpoints(REF) == {"video": checkpoint}
    journal.downloads.delete(REF, "video")
    assert journal.downloads.checkpoints(REF) == {}
    journal.close()


def test_a_file_that_one_process_downloaded_is_in_the_states_of_every_process(tmp_path):
    one, two = Journal(tmp_path / "journal.db"), Journal(tmp_path / "journal.db")
    state = JobState(job=Job(account="heygen-v2", id="a"))
    one.record([JournalEntry(state)])
    assert REF in two.external_changes()
    two.record([JournalEntry(JobState(job=state.job, downloads=(FILE,)))])
    one.record([JournalEntry(state)])  # a state from before the download
    assert one.external_changes()[REF].downloads == (FILE,)
    assert two.states()[REF].downloads == (FILE,)
    one.close()
    two.close()


def test_a_downloaded_file_is_recorded_though_the_state_of_its_job_is_outdated(tmp_path):
    one, two = Journal(tmp_path / "journal.db"), Journal(tmp_path / "journal.db")
    state = JobState(job=Job(account="heygen-v2", id="a"))
    two.external_changes()
    one.record([JournalEntry(reduce(state, StatusReceived(Report(phase=Phase.DONE, raw_status="done"), 7.0))[0])])
    two.record([JournalEntry(JobState(job=state.job, downloads=(FILE,)))])
    change = one.external_changes()[REF]
    assert (change.downloads, change.phase) == ((FILE,), Phase.DONE)
    one.close()
    two.close()


def test_a_file_of_the_previous_run_is_no_current_download():
    state = JobState(job=Job(account="heygen-v2", id="a"))
    for at, phase in ((1.0, Phase.RUNNING), (4.0, Phase.DONE)):
        state, _ = reduce(state, StatusReceived(Report(phase=phase, raw_status=phase), at))
    state, _ = reduce(state, FILE)
    assert current_downloads(state) == (FILE,)
    state, _ = reduce(state, StatusReceived(Report(phase=Phase.RUNNING, raw_status="running"), 6.0))
    assert current_downloads(state) == ()
    state, _ = reduce(state, DownloadedFile("video", "/d/a (2).mp4", 11, 8.0))
    assert [file.path for file in current_downloads(state)] == ["/d/a (2).mp4"]
