import hashlib
import os
from pathlib import Path

import pytest

from tui.domain.content_headers import Digest
from tui.presentation.filenames import Filename
from tui.storage import partial_file
from tui.storage.partial_file import PartialFile

NAME = Filename("Spring launch", ".ur-PK.mp4")


def create(folder: Path, data: bytes = b"all of it") -> PartialFile:
    part = PartialFile.create(partial_file.free_part_path(folder, NAME), NAME)
    part.write(data)
    return part


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_gets_its_name_when_it_is_complete(tmp_path):
    folder = tmp_path / "a" / "b"
    part = create(folder)
    assert names(folder) == ["Spring launch.ur-PK.mp4.part"]
    part.finish(part.free_final_path())
    assert names(folder) == ["Spring launch.ur-PK.mp4"]
    assert (folder / "Spring launch.ur-PK.mp4").read_bytes() == b"all of it"


def test_no_file_is_ever_overwritten(tmp_path):
    (tmp_path / "Spring launch.ur-PK.mp4").write_text("mine")
    (tmp_path / "Spring launch (2).ur-PK.mp4.part").write_text("also mine")
    part = create(tmp_path)
    assert part.path.name == "Spring launch (3).ur-PK.mp4.part"
    part.finish(part.free_final_path())
    assert names(tmp_path) == [
        "Spring launch (2).ur-PK.mp4",
        "Spring launch (2).ur-PK.mp4.part",
        "Spring launch.ur-PK.mp4",
    ]
    assert (tmp_path / "Spring launch.ur-PK.mp4").read_text() == "mine"


def test_a_file_created_meanwhile_at_the_final_path_stays(tmp_path):
    part = create(tmp_path)
    final = part.free_final_path()
    final.write_text("mine")
    with pytest.raises(FileExistsError):
        part.finish(final)
    assert final.read_text() == "mine"
    part.finish(part.free_final_path())
    assert names(tmp_path) == ["Spring launch (2).ur-PK.mp4", "Spring launch.ur-PK.mp4"]


def test_a_dangling_symlink_reserves_its_name(tmp_path):
    (tmp_path / "Spring launch.ur-PK.mp4").symlink_to(tmp_path / "elsewhere")
    part = create(tmp_path)
    part.finish(part.free_final_path())
    assert not (tmp_path / "elsewhere").exists()


def test_a_reopened_partial_file_is_appended_to(tmp_path):
    part = create(tmp_path, b"all ")
    part.close()
    again = PartialFile.reopen(part.path, NAME)
    assert again.size == 4
    again.write(b"of it")
    again.finish(again.free_final_path())
    assert (tmp_path / "Spring launch.ur-PK.mp4").read_bytes() == b"all of it"


def test_a_symlink_at_the_path_of_a_partial_file_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "x.part").symlink_to("precious")
    with pytest.raises(OSError, match="symbolic links"):
        PartialFile.reopen(tmp_path / "x.part", NAME)


def test_a_digest_covers_all_bytes(tmp_path):
    part = create(tmp_path)
    assert part.matches(Digest("sha256", hashlib.sha256(b"all of it").digest()))
    assert not part.matches(Digest("sha256", hashlib.sha256(b"all").digest()))
    part.write(b"!")
    assert part.matches(Digest("md5", hashlib.md5(b"all of it!").digest()))


def test_a_killed_rename_is_recovered(tmp_path):
    part = create(tmp_path)
    final = part.free_final_path()
    assert not partial_file.recover_rename(part.path, final, 9)
    os.link(part.path, final)
    assert partial_file.recover_rename(part.path, final, 9)
    assert names(tmp_path) == [final.name]
    assert partial_file.recover_rename(part.path, final, 9)
    assert not partial_file.recover_rename(part.path, final, 10), "another file has the name"


def test_a_reserved_name_without_content_is_released(tmp_path):
    part = create(tmp_path)
    part.free_final_path().touch()
    final = tmp_path / "Spring launch.ur-PK.mp4"
    assert not partial_file.recover_rename(part.path, final, 9)
    assert names(tmp_path) == ["Spring launch.ur-PK.mp4.part"]


def test_free_bytes_are_known_for_a_folder_that_does_not_exist(tmp_path):
    assert partial_file.free_bytes(tmp_path / "not" / "yet") > 0
