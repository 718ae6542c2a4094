import multiprocessing
import os
import time

import pytest

from benchmark.core.errors import InputError
from benchmark.core.faults import MachineError
from benchmark.core.files import locked, remove_leftovers, replacing, try_lock, write_text


def test_a_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "folder" / "x.txt"
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(path.parent.iterdir()) == []
    write_text(path, "whole")
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "x.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError
    assert path.read_text() == "old"


def test_the_temporary_name_carries_the_process(tmp_path):
    with replacing(tmp_path / "x.png") as temporary:
        assert str(os.getpid()) in temporary.name
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"")


def test_leftovers_of_killed_processes_are_removed(tmp_path):
    (tmp_path / ".x.123.tmp.png").write_text("half")
    (tmp_path / "x.png").write_text("whole")
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for action in (lambda p: write_text(p / "x.txt", ""), lambda p: try_lock(p / "lock")):
        with pytest.raises(MachineError, match="file"):
            action(tmp_path / "file")


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    path = tmp_path / "x.txt"
    with pytest.raises(MachineError, match="No space left"), replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def _hold(path, ready):
    with locked(path):
        ready.set()
        time.sleep(60)


def test_a_lock_dies_with_its_process(tmp_path):
    path = tmp_path / "lock"
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    owner = context.Process(target=_hold, args=(path, ready))
    owner.start()
    assert ready.wait(60)
    assert try_lock(path) is None
    owner.kill()
    owner.join()
    lock = try_lock(path)
    assert lock is not None
    lock.close()


def test_a_lock_follows_no_link_and_keeps_what_the_file_holds(tmp_path):
    precious, lock = tmp_path / "precious.txt", tmp_path / ".lock"
    precious.write_text("work of years")
    lock.symlink_to(precious)
    with pytest.raises(InputError, match=r"\.lock: cannot be written \(it is a link\)"):
        try_lock(lock)
    with locked(precious):
        assert precious.read_text() == "work of years"
