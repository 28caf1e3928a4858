"""Nothing is written in place: a reader sees the old or the new, and two writers do not meet."""

from __future__ import annotations

import multiprocessing

import pytest

from concepttransfer import storage
from concepttransfer.errors import LockedError


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    file = tmp_path / "a.txt"
    storage.write_text(file, "old")
    monkeypatch.setattr(storage.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk")))
    with pytest.raises(OSError, match="disk"):
        storage.write_text(file, "new")
    assert file.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_new_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "folder"
    with storage.new_folder(target) as folder:
        (folder / "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1"

    def broken():
        with storage.new_folder(target) as folder:
            (folder / "a").write_text("2")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert (target / "a").read_text() == "1"
    with storage.new_folder(target) as folder:
        (folder / "b").write_text("3")
    assert [p.name for p in target.iterdir()] == ["b"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def hold(folder, held, release):
    with storage.lock(folder):
        held.set()
        release.wait(30)


def test_two_processes_do_not_hold_one_store(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path / "store", held, release))
    other.start()
    assert held.wait(30)
    with pytest.raises(LockedError, match="Another process is writing"), storage.lock(tmp_path / "store"):
        pass
    other.kill()
    other.join()
    with storage.lock(tmp_path / "store", wait=5):
        pass


def test_a_digest_is_of_values_not_of_their_order_in_a_mapping():
    assert storage.digest({"a": 1, "b": [2]}) == storage.digest({"b": [2], "a": 1})
    assert storage.digest("a", "b") != storage.digest("ab")
