"""Pictures in tars are the same as in a folder, whatever is odd about the tar, and nothing is unpacked."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tar_of_pictures import add, caption, picture, write_tar

from concepttransfer.data import read_data, tar_index
from concepttransfer.encoders import load_encoder
from concepttransfer.encoders.spec import EncoderSpec
from concepttransfer.errors import BadInputError, EmptyDataError, MissingResourceError
from concepttransfer.features import encode
from concepttransfer.storage import cache_folder


def read(folder: Path, **settings):
    return read_data({"reader": "webdataset", "folder": folder, **settings}, folder)


def packed(path: Path, members: dict[str, bytes], form: int = tarfile.DEFAULT_FORMAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as archive:
        for name, content in members.items():
            add(archive, name, content)
    return path


def as_folder(path: Path, n: int) -> Path:
    path.mkdir()
    for number in range(n):
        (path / f"{number:09d}.jpg").write_bytes(picture(number))
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def tars(tmp_path_factory):
    """50 pictures with captions in three tars."""
    folder = tmp_path_factory.mktemp("tars")
    write_tar(folder, 50, shards=3, records=True)
    return folder


@pytest.fixture(scope="module")
def encoder():
    spec = EncoderSpec(model="plugin:plugin_encoders:colours", features="last_map")
    return load_encoder(spec, Path(__file__).parent)


def test_rows_are_the_tars_members_in_their_order(tars):
    manifest = read(tars)
    assert list(manifest.ids) == [
        f"{shard:05d}.tar/{i:09d}.jpg" for shard in range(3) for i in range(50 * shard // 3, 50 * (shard + 1) // 3)
    ]
    assert list(manifest.texts) == [(caption(i),) for i in range(50)]
    assert [row.sha256 for row in manifest.rows] == [hashlib.sha256(picture(i)).hexdigest() for i in range(50)]
    assert manifest.name == tars.name
    assert read(tars, captions="json:caption").texts[7] == (caption(7),)
    bare = read(tars, captions=None, hashes=False)
    assert list(bare.rows) == [replace(row, texts=(), sha256=None) for row in manifest.rows]


def test_features_are_those_of_a_folder_of_the_same_pictures(tars, tmp_path, encoder):
    folder = read_data({"pictures": as_folder(tmp_path / "folder", 50)}, tmp_path)
    stores = [
        encode(manifest, encoder, tmp_path / f"store{i}", key=str(i), batch_size=7, workers=i, quiet=True)
        for i, manifest in enumerate((folder, read(tars)))
    ]
    assert np.array_equal(stores[0].values[:], stores[1].values[:])
    assert len(np.unique(np.asarray(stores[1].values[:]).reshape(50, -1), axis=0)) == 50


def test_nothing_is_unpacked(tars, own_cache):
    before = files(tars)
    manifest = read(tars)
    assert all(manifest.read(i).size == (32, 32) for i in range(50))
    assert files(tars) == before
    kept = [path for path in own_cache.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert {path.suffix for path in kept} == {".safetensors"}
    assert not any(picture(0) in path.read_bytes() for path in kept)


def test_a_tar_is_read_once_until_it_changes(tmp_path, monkeypatch):
    scanned = []
    original = tar_index._scan
    monkeypatch.setattr(tar_index, "_scan", lambda tar, *how: scanned.append(tar.name) or original(tar, *how))
    write_tar(tmp_path / "d", 8, shards=2)
    first = read(tmp_path / "d")
    again = read(tmp_path / "d")
    assert (again.id, sorted(scanned)) == (first.id, ["00000.tar", "00001.tar"])
    write_tar(tmp_path / "d" / "00001.tar", 6)
    os.utime(tmp_path / "d" / "00001.tar", ns=(1, 1))
    changed = read(tmp_path / "d")
    assert scanned[2:] == ["00001.tar"]
    assert changed.ids[-1] == "00001.tar/000000005.jpg"
    assert changed.read(len(changed) - 1).tobytes() == first_picture(5)


def first_picture(number: int) -> bytes:
    from concepttransfer.manifest import open_picture

    return open_picture(picture(number)).tobytes()


def test_a_damaged_index_is_made_anew(tmp_path):
    write_tar(tmp_path / "d", 5)
    before = read(tmp_path / "d").id
    for path in (cache_folder() / "tar-indexes").glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-20])
    assert read(tmp_path / "d").id == before


def test_without_a_cache_the_index_is_in_memory(tmp_path, monkeypatch):
    write_tar(tmp_path / "d", 5)
    (tmp_path / "no-folder").write_text("")
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path / "no-folder" / "cache"))
    manifest = read(tmp_path / "d")
    assert manifest.read(4).tobytes() == first_picture(4)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_and_foreign_names_and_members_that_are_no_pictures(tmp_path, form):
    long = "folder/" + "long" * 60 + "/Übergröße.jpg"
    content = {long: picture(1), long.replace(".jpg", ".txt"): "ein Wal — 鯨".encode(), "notes.pdf": b"x" * 700}
    content |= {"./b.c.png": picture(2), "b.txt": b" two \n", "._b.png": b"hidden", "c.txt": b"without picture"}
    packed(tmp_path / "d" / "a.tar", content, form)
    manifest = read(tmp_path / "d")
    assert [(row.id, row.texts) for row in manifest.rows] == [
        (f"a.tar/{long}", ("ein Wal — 鯨",)),
        ("a.tar/b.c.png", ("two",)),
    ]
    assert manifest.read(0).tobytes() == first_picture(1)


def test_links_folders_and_names_that_climb_are_left_out(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(picture(9))
    tar = tmp_path / "d" / "a.tar"
    tar.parent.mkdir()
    with tarfile.open(tar, "w") as archive:
        add(archive, "../../climbs.jpg", picture(0))
        add(archive, "/etc/absolute.jpg", picture(1))
        for name, kind in (
            ("link.jpg", tarfile.SYMTYPE),
            ("hard.jpg", tarfile.LNKTYPE),
            ("folder.jpg", tarfile.DIRTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "../secret.jpg"
            archive.addfile(member)
    before = files(tmp_path)
    manifest = read(tmp_path / "d")
    assert list(manifest.ids) == ["a.tar//etc/absolute.jpg"]
    assert manifest.read(0).tobytes() == first_picture(1)
    with pytest.raises(BadInputError, match="holds no picture"):
        manifest.pictures.read("a.tar/../secret.jpg")
    assert files(tmp_path) == before


def test_of_a_tar_that_is_cut_short_what_is_whole_is_used_and_it_is_said(tmp_path, caplog):
    """Wherever it is cut: no picture is half there, and every one before the cut is."""
    whole = packed(tmp_path / "whole.tar", {f"{i}.jpg": picture(i) for i in range(6)})
    content = whole.read_bytes()
    with tarfile.open(whole) as archive:
        ends = [member.offset_data + member.size for member in archive]
    assert "cut_short" not in read(whole).source
    padded = [-(-end // 512) * 512 for end in ends]
    for cut in [*range(ends[0], ends[2], 331), ends[3], ends[3] + 1, padded[-1], padded[-1] + 512]:
        (tmp_path / "cut.tar").write_bytes(content[:cut])
        n = sum(end <= cut for end in ends)
        caplog.clear()
        manifest = read(tmp_path / "cut.tar")
        assert [row.sha256 for row in manifest.rows] == [hashlib.sha256(picture(i)).hexdigest() for i in range(n)]
        if cut < padded[-1] + 512:
            assert manifest.source["cut_short"].startswith("cut.tar at byte ")
            assert f"the {n} pictures before it are used" in caplog.text
        else:
            assert "cut_short" not in manifest.source


def test_a_damaged_header_ends_a_tar(tmp_path):
    tar = packed(tmp_path / "a.tar", {f"{i}.jpg": picture(i) for i in range(4)})
    content = bytearray(tar.read_bytes())
    with tarfile.open(tar) as archive:
        at = archive.getmember("2.jpg").offset
    content[at : at + 512] = b"\xa7" * 512
    tar.write_bytes(content)
    manifest = read(tar)
    assert list(manifest.ids) == ["a.tar/0.jpg", "a.tar/1.jpg"]
    assert manifest.source["cut_short"] == f"a.tar at byte {at}"


def test_a_tar_that_shrinks_later_gives_an_error_for_what_is_gone(tmp_path):
    (tar,) = write_tar(tmp_path / "d", 5)
    manifest = read(tmp_path / "d")
    os.truncate(tar, 2000)
    with pytest.raises(BadInputError, match="shorter than when it was read first"):
        manifest.read(4)


def test_what_cannot_be_used_says_what_to_do(tmp_path):
    def folder(name: str, content: bytes = b"", members: dict[str, bytes] | None = None) -> Path:
        path = packed(tmp_path / name / "a.tar", members or {})
        if members is None:
            path.write_bytes(content)
        return path.parent

    twice = folder("twice", members={"1.jpg": picture(1)})
    with tarfile.open(twice / "a.tar", "a") as archive:
        add(archive, "1.jpg", picture(2))
    texts = folder("texts", members={"1.jpg": picture(1), "1.txt": b"a"})
    with tarfile.open(texts / "a.tar", "a") as archive:
        add(archive, "1.txt", b"b")
    no_json = folder("json", members={"1.jpg": picture(1), "1.json": b"[1, 2"})
    other = folder("other", members={"1.jpg": picture(1), "1.json": b'{"alt": "x"}'})
    (tmp_path / "empty").mkdir()
    for path, settings, error, message in [
        (tmp_path / "nowhere", {}, MissingResourceError, "no folder of tars"),
        (tmp_path / "empty", {}, EmptyDataError, "holds no tar"),
        (folder("gz", b"\x1f\x8b\x08rest"), {}, BadInputError, "is compressed.*gzip -d"),
        (folder("zst", b"\x28\xb5\x2f\xfdrest"), {}, BadInputError, "zstd -d"),
        (folder("none"), {}, EmptyDataError, "hold no pictures"),
        (folder("html", b"<html>404</html>" * 100), {}, EmptyDataError, "hold no pictures"),
        (twice, {}, BadInputError, "names `1.jpg` more than once"),
        (texts, {}, BadInputError, "names `1.txt` more than once"),
        (no_json, {"captions": "json:caption"}, BadInputError, r"`1\.json` is no JSON object"),
        (other, {"captions": "json:caption"}, BadInputError, "no picture has a text `json:caption`"),
        (other, {"shards": "../x.tar"}, BadInputError, "inside the folder"),
        (other, {"shards": "{00..11}.tar"}, MissingResourceError, r"lacks 12 of the 12 tars .* such as `00\.tar`"),
    ]:
        with pytest.raises(error, match=message):
            read(path, **settings)


def test_shards_are_chosen_by_range_or_pattern(tars):
    assert len(read(tars, shards="{00000..00002}.tar")) == 50
    assert {row_id.split("/")[0] for row_id in read(tars, shards="{00001..00002}.tar").ids} == {
        "00001.tar",
        "00002.tar",
    }
    assert len(read(tars, shards="*1.tar")) == len(read(tars / "00001.tar")) == 17
    with pytest.raises(MissingResourceError, match="lacks 2 of the 5"):
        read(tars, shards="{00000..00004}.tar")


def test_several_captions_in_a_list(tmp_path):
    record = {"caption": ["one", None, " two "], "other": None}
    packed(tmp_path / "a.tar", {"1.jpg": picture(1), "1.json": json.dumps(record).encode(), "2.jpg": picture(2)})
    assert list(read(tmp_path / "a.tar", captions="json:caption").texts) == [("one", "two"), ()]


def test_threads_forks_and_pickles_read_the_same_pictures(tars):
    manifest = read(tars)
    wanted = [first_picture(i) for i in range(50)]
    numbers = [i * 7 % 50 for i in range(400)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda i: manifest.read(i).tobytes(), numbers)) == [wanted[i] for i in numbers]
    children = []
    for part in range(2):
        if (child := os.fork()) == 0:
            os._exit(0 if all(manifest.read(i).tobytes() == wanted[i] for i in numbers[part::2]) else 1)
        children.append(child)
    assert [manifest.read(i).tobytes() for i in numbers[:100]] == [wanted[i] for i in numbers[:100]]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    again = pickle.loads(pickle.dumps(manifest))
    assert again.id == manifest.id
    assert again.read(49).tobytes() == wanted[49]


def test_few_tars_are_open_at_once(tmp_path, monkeypatch):
    from concepttransfer.data import webdataset

    monkeypatch.setattr(webdataset, "MAX_OPEN", 3)
    write_tar(tmp_path / "d", 40, shards=20)
    manifest = read(tmp_path / "d")
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else None
    assert [manifest.read(i).tobytes() for i in range(40)] == [first_picture(i) for i in range(40)]
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) <= before + 3


def test_an_unreadable_picture_is_recorded_by_its_place(tmp_path, encoder):
    content = {f"{i}.jpg": picture(i) if i != 3 else picture(i)[:300] for i in range(200)}
    manifest = read(packed(tmp_path / "a.tar", content))
    features = encode(manifest, encoder, tmp_path / "f", key="k", workers=0, quiet=True)
    assert [bad["id"] for bad in features.unreadable] == ["a.tar/3.jpg"]
    assert len(features) == 199


def test_a_fit_is_the_same_as_on_a_folder_of_the_same_pictures(tmp_path, encoder):
    """From the store, and with the encoder in the loop while threads read: all give one projection."""
    from tiny_fit import RECIPE, run

    from concepttransfer.training.sources import OnlineFeatures, StoredFeatures

    write_tar(tmp_path / "tars", 200, shards=2)
    tar = read(tmp_path / "tars")
    folder = read_data({"pictures": as_folder(tmp_path / "pictures", 200)}, tmp_path)
    stores = [
        encode(manifest, encoder, tmp_path / name, key="k", dtype="float32", workers=0, quiet=True)
        for name, manifest in (("tar", tar), ("folder", folder))
    ]
    sources = [*map(StoredFeatures, stores), OnlineFeatures(encoder, tar, workers=3)]
    made = [
        run(tmp_path / f"fit{i}", RECIPE, source=source, texts=list(tar.texts)).projection().weight
        for i, source in enumerate(sources)
    ]
    assert float(made[0].detach().abs().sum()) > 0
    assert all(torch.equal(made[0], other) for other in made[1:])


def test_on_takes_a_folder_of_tars_a_tar_and_a_folder_of_pictures_with_a_tar_beside(tmp_path):
    from concepttransfer import load_study
    from concepttransfer.study.selection import select

    write_tar(tmp_path / "tars", 6, shards=2)
    (tmp_path / "tars" / "00000_stats.json").write_text("{}")
    (tmp_path / "tars" / "00000.parquet").write_bytes(b"img2dataset's table of urls")
    as_folder(tmp_path / "zoo", 2)
    (tmp_path / "zoo" / "cat").mkdir()
    write_tar(tmp_path / "zoo" / "backup.tar", 3)
    spec = load_study("microworld").spec
    for on, n in (("tars", 6), ("tars/00001.tar", 3), ("zoo", 2)):
        assert len(select(str(tmp_path / on), spec, tmp_path)[0].manifest) == n
