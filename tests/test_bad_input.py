"""Broken input, end to end: read rightly, or recorded and counted, or answered with a sentence; never replaced."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import concepttransfer as ct
from concepttransfer.cli import main
from concepttransfer.errors import BadInputError, cannot_write
from concepttransfer.features import Features
from concepttransfer.microworld.render import render
from concepttransfer.microworld.scene import sample_scene
from concepttransfer.storage import cache_folder

ZEBRA = Image.fromarray(render(sample_scene("zebra", 1))[0])


def said(capsys, *words: object) -> str:
    """What one command that fails prints; its status is 1, and there is no traceback."""
    assert main([str(word) for word in words]) == 1
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err + printed.out
    assert printed.err.startswith("Error: ")
    return printed.err


# --- pictures of every kind --------------------------------------------------------------------------------------


def zoo(folder: Path) -> Path:
    """The same zebra in every way in which a file may hold it, and files that hold none."""
    folder.mkdir()
    ZEBRA.save(folder / "plain.png")
    ZEBRA.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    ZEBRA.convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "palette.png")
    grey = np.asarray(ZEBRA.convert("L"), dtype=np.uint16) * 257
    Image.fromarray(grey).save(folder / "sixteen-bit.png")
    ZEBRA.save(folder / "animated.gif", save_all=True, append_images=[Image.new("RGB", ZEBRA.size, "red")] * 3)
    ZEBRA.resize((30_000, 96)).save(folder / "wide.png")
    whole = (folder / "plain.png").read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("<html>no picture</html>")
    return folder


READ = ["animated.gif", "cmyk.jpg", "palette.png", "plain.png", "sixteen-bit.png", "wide.png"]
UNREAD = {"empty.png", "text.jpg", "truncated.png"}


def test_pictures_of_every_kind_are_read_rightly(tmp_path):
    study = ct.load_study("microworld", quiet=True)
    manifest = study.manifest(str(zoo(tmp_path / "zoo")))
    same = np.asarray(ZEBRA.convert("RGB"), dtype=float)
    at = {name: i for i, name in enumerate(manifest.ids)}
    near = {"plain.png": 0, "palette.png": 12, "animated.gif": 12, "cmyk.jpg": 12}
    for name, allowed in near.items():
        assert abs(np.asarray(manifest.read(at[name]), dtype=float) - same).mean() <= allowed, name
    sixteen = np.asarray(manifest.read(at["sixteen-bit.png"]), dtype=float)
    assert abs(sixteen - np.asarray(ZEBRA.convert("L").convert("RGB"), dtype=float)).max() <= 1
    assert manifest.read(at["wide.png"]).size == (30_000, 96)


def test_what_cannot_be_read_is_recorded_counted_and_never_replaced(tmp_path, capsys):
    folder = zoo(tmp_path / "zoo")
    for number in range(294):  # so that three broken files are within the share that is allowed
        ZEBRA.resize((48 + number % 7, 48)).save(folder / f"more-{number:03d}.png")
    assert main(["encode", "--encoder", "nfrn50", "--on", str(folder), "--quiet", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    stored = Features.load(printed[0]["folder"])
    assert {bad["id"] for bad in stored.unreadable} == UNREAD
    assert all(bad["reason"] for bad in stored.unreadable)
    assert len(stored.row_ids) == 300
    assert set(READ) <= set(stored.row_ids)
    assert not UNREAD & set(stored.row_ids)
    captions = ct.load_study("microworld", quiet=True, seeds=1).captions("nfrn50", on=str(folder))[0]
    assert set(captions.row_ids) == set(stored.row_ids)


def test_more_broken_pictures_than_allowed_stop_the_run_with_their_names(tmp_path, capsys):
    message = said(capsys, "encode", "--encoder", "nfrn50", "--on", zoo(tmp_path / "zoo"), "--quiet")
    assert "3 of 9 images" in message
    assert "empty.png" in message
    assert "What was encoded stays" in message


# --- data that do not belong together ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("picture", "answer"),
    [("gone.png", "gone.png"), ("../secret.png", "outside"), ("/etc/hostname", "outside")],
)
def test_a_table_that_names_what_is_not_there_or_lies_outside(tmp_path, capsys, picture, answer):
    ZEBRA.save(tmp_path / "secret.png")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "captions.csv").write_text(f"picture,caption\n{picture},a zebra\n")
    assert answer in said(capsys, "encode", "--encoder", "nfrn50", "--on", folder / "captions.csv", "--quiet")


def test_captions_of_other_pictures_than_the_others_are_refused():
    study = ct.load_study("microworld", limit=50, quiet=True, seeds=1)
    few = study.replace(limit=20).captions("clip", on="animals")
    many = study.captions("nfrn50", on="animals")
    from concepttransfer.analysis import get

    with pytest.raises(ct.errors.ConceptTransferError, match="different pictures"):
        get("awa-errors").function([*few, *many], study.concepts("animals"))


def test_markup_in_captions_and_file_names_stays_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    evil = "<img src=x onerror=alert(1)>"
    folder = tmp_path / "animals" / "zebra"
    folder.mkdir(parents=True)
    ZEBRA.save(folder / f"{evil}.png")
    ZEBRA.rotate(3).save(folder / "plain.png")
    words = ["awa-errors", "--encoder", "clip", "--on", str(tmp_path / "animals"), "--out", "result", "--quiet"]
    assert main(words) == 0
    assert evil in (tmp_path / "result" / "table.csv").read_text()
    assert main(["report", "result", "--out", "page"]) == 0
    assert evil not in (tmp_path / "page" / "index.html").read_text()


# --- poison ------------------------------------------------------------------------------------------------------


class Poison:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "executed")


def test_a_checkpoint_with_a_pickle_payload_is_refused_and_nothing_is_executed(tmp_path, capsys):
    trace = tmp_path / "trace"
    torch.save({"weight": torch.zeros(160, 256), "bias": Poison(trace)}, tmp_path / "proj.ckpt")
    message = said(capsys, "import-projection", tmp_path / "proj.ckpt", "--encoder", "nfrn50")
    assert "proj.ckpt" in message
    assert not trace.exists()


# --- disks -------------------------------------------------------------------------------------------------------

WORDS = ["caption", "--encoder", "nfrn50", "--on", "animals", "--limit", "60", "--quiet", "--json"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_or_a_cache_that_may_not_be_written(tmp_path, capsys, monkeypatch, number):
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path / "cache"))
    import concepttransfer.storage as storage

    def refuse(*given: object, **more: object) -> None:
        raise OSError(number, os.strerror(number), str(tmp_path / "cache" / "x"))

    with monkeypatch.context() as full:
        full.setattr(storage.tempfile, "mkstemp", refuse)
        message = said(capsys, *WORDS)
    assert os.strerror(number) in message
    assert ("Make room" if number == errno.ENOSPC else "CONCEPTTRANSFER_CACHE") in message
    assert main(WORDS) == 0, "what was finished is kept, and the same command goes on"


def test_a_warm_cache_that_may_not_be_written_is_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path / "cache"))
    assert main(WORDS) == 0
    first = capsys.readouterr().out
    import concepttransfer.storage as storage

    def refuse(*given: object, **more: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "cache")

    monkeypatch.setattr(storage.tempfile, "mkstemp", refuse)
    assert main(WORDS) == 0
    assert capsys.readouterr().out == first


@pytest.mark.slow
def test_a_disk_that_fills_up_in_the_middle_loses_nothing_that_was_finished(tmp_path):
    """A limit on the size of files stands in for the disk: the second run has none."""
    program = (
        "import resource, sys; from concepttransfer.cli import main\n"
        "limit = int(sys.argv[1])\n"
        "if limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        "sys.exit(main(sys.argv[2:]))"
    )
    cache = {**os.environ, "CONCEPTTRANSFER_CACHE": str(tmp_path / "cache")}

    def run(limit: int) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", program, str(limit), *WORDS]
        return subprocess.run(words, env=cache, capture_output=True, text=True, cwd=tmp_path, timeout=300)

    full = run(60_000)
    assert full.returncode == 1
    assert "cannot be written" in full.stderr
    assert "Traceback" not in full.stderr
    assert run(0).returncode == 0


# --- caches ------------------------------------------------------------------------------------------------------


def test_a_half_written_cache_of_an_older_version_is_made_anew_and_never_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path / "cache"))
    assert main(WORDS) == 0
    right = capsys.readouterr().out
    for index in cache_folder().rglob("index.json"):
        older = json.loads(index.read_text()) | {"format": 0}
        index.write_text(json.dumps(older))
    for shard in cache_folder().rglob("shard-*.safetensors"):
        shard.write_bytes(shard.read_bytes()[:1000])
    for lines in cache_folder().rglob("captions.jsonl"):
        lines.write_bytes(lines.read_bytes()[:300])
    status = main(WORDS)
    printed = capsys.readouterr()
    if status == 0:
        assert printed.out == right
    else:
        assert "Delete it" in printed.err
        assert "Traceback" not in printed.err


def test_faults_of_other_kinds_keep_their_traceback():
    assert cannot_write(OSError(errno.ENOENT, "no such file")) is None


# --- offline -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["encode", "fit", "caption", "awa-errors"])
def test_what_is_missing_offline_is_said_in_a_sentence(tmp_path, capsys, monkeypatch, stage):
    monkeypatch.chdir(tmp_path)
    message = said(capsys, stage, "--study", "limber", "--encoder", "beit", "--offline", "--quiet")
    assert len(message.strip().splitlines()) <= 2
    assert "data/" in message or "not on this machine" in message


def test_a_result_that_is_no_table_is_never_written_half(tmp_path, monkeypatch):
    """A kill between two files of a Result leaves the earlier Result."""
    monkeypatch.chdir(tmp_path)
    words = ["awa-errors", "--encoder", "clip", "--limit", "60", "--out", "result", "--quiet"]
    assert main(words) == 0
    before = pd.read_csv(tmp_path / "result" / "estimates.csv")
    import concepttransfer.result.result as result

    def stop(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(result, "write_arrays", stop)
        main(words)
    assert pd.read_csv(tmp_path / "result" / "estimates.csv").equals(before)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".result")] in ([], [".result.lock"])


def test_nothing_to_do_is_an_error(tmp_path):
    study = ct.load_study("microworld")
    with pytest.raises(BadInputError, match="limit of 0"):
        study.replace(limit=0).manifest("animals")
