"""Each reader gives the rows that the files say, in an order and with ids that do not depend on the machine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import zipfile
from collections import Counter

import pytest
from PIL import Image

from concepttransfer.data import READERS, read_data
from concepttransfer.data import pictures as picture_files
from concepttransfer.errors import BadInputError, EmptyDataError, MissingResourceError, UnknownNameError


def jpeg(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def fill(folder, keys):
    for shade, key in enumerate(keys):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(shade))
    return folder


def zipped(path, keys):
    with zipfile.ZipFile(path, "w") as archive:
        for shade, key in enumerate(keys):
            archive.writestr(key, jpeg(shade))
    return path


def labels(manifest):
    return {row.id: dict(row.labels) for row in manifest.rows}


def test_class_folders(tmp_path):
    fill(
        tmp_path / "zoo",
        ["zebra/b.png", "zebra/a.PNG", "polar bear/deep/er/c.jpg", "zebra/.hidden.png", "zebra/notes.txt"],
    )
    manifest = read_data({"pictures": "zoo"}, tmp_path)
    assert manifest.name == "zoo"
    assert labels(manifest) == {
        "polar bear/deep/er/c.jpg": {"class": "polar bear"},
        "zebra/a.PNG": {"class": "zebra"},
        "zebra/b.png": {"class": "zebra"},
    }
    assert manifest.rows[2].sha256 == hashlib.sha256((tmp_path / "zoo/zebra/b.png").read_bytes()).hexdigest()
    assert manifest.read(2).getpixel((0, 0)) == (0, 0, 0)


def test_a_zip_and_a_folder_of_the_same_pictures_are_the_same_data(tmp_path):
    keys = ["train/n01/a.png", "train/n02/images/b.png", "val/n01/c.png"]
    folder = read_data({"pictures": "folder"}, fill(tmp_path / "folder", keys).parent)
    archive = read_data({"pictures": "archive.zip"}, zipped(tmp_path / "archive.zip", keys).parent)
    assert folder.id == archive.id
    assert labels(archive)["train/n02/images/b.png"] == {"split": "train", "class": "n02"}
    assert [archive.read(i).getpixel((0, 0))[0] for i in range(3)] == [0, 1, 2]
    train = read_data({"pictures": "archive.zip", "split": "train"}, tmp_path)
    assert (train.name, train.ids) == ("archive-train", tuple(keys[:2]))
    with pytest.raises(UnknownNameError, match="Did you mean `train`"):
        read_data({"pictures": "archive.zip", "split": "trian"}, tmp_path)


def test_a_folder_that_wraps_the_others_is_no_class(tmp_path):
    zipped(tmp_path / "a.zip", ["wrap/cat/1.png", "wrap/dog/2.png", "__MACOSX/wrap/cat/1.png"])
    assert labels(read_data({"pictures": "a.zip"}, tmp_path)) == {
        "wrap/cat/1.png": {"class": "cat"},
        "wrap/dog/2.png": {"class": "dog"},
    }
    fill(tmp_path / "one", ["cat/1.png", "cat/2.png"])
    assert set(read_data({"pictures": "one"}, tmp_path).labels("class")) == {"cat"}


def test_flat_folder_and_single_picture(tmp_path):
    fill(tmp_path / "flat", ["b.png", "a.png"])
    assert labels(read_data({"pictures": "flat"}, tmp_path)) == {"a.png": {}, "b.png": {}}
    one = read_data({"pictures": tmp_path / "flat" / "b.png"}, tmp_path / "elsewhere")
    assert one.ids == ("b.png",)
    assert one.read(0).size == (8, 6)


def test_what_cannot_be_read_says_what_to_do(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmptyDataError, match=r"holds no pictures\. Put some into it"):
        read_data({"pictures": "empty"}, tmp_path)
    with pytest.raises(MissingResourceError, match="Name a folder of pictures"):
        read_data({"pictures": "nowhere"}, tmp_path)
    (tmp_path / "text.txt").write_text("no picture")
    with pytest.raises(BadInputError, match="neither a folder, a zip nor a picture"):
        read_data({"pictures": "text.txt"}, tmp_path)


def test_a_manifest_changes_when_a_picture_does(tmp_path):
    fill(tmp_path / "zoo", ["cat/1.png", "cat/2.png"])
    before = read_data({"pictures": "zoo"}, tmp_path).id
    assert read_data({"pictures": "zoo"}, tmp_path).id == before
    (tmp_path / "zoo/cat/2.png").write_bytes(jpeg(99))
    assert read_data({"pictures": "zoo"}, tmp_path).id != before
    unhashed = read_data({"pictures": "zoo", "hashes": False}, tmp_path)
    assert {row.sha256 for row in unhashed.rows} == {None}


def test_pictures_are_hashed_once(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_files, "_REMEMBERED_FROM", 1)
    hashed = []
    original = picture_files._hash_all
    monkeypatch.setattr(picture_files, "_hash_all", lambda keys, *a: hashed.append(list(keys)) or original(keys, *a))
    fill(tmp_path / "zoo", ["cat/1.png", "cat/2.png"])
    first = read_data({"pictures": "zoo"}, tmp_path)
    assert read_data({"pictures": "zoo"}, tmp_path).id == first.id
    (tmp_path / "zoo/cat/2.png").write_bytes(jpeg(77))
    os.utime(tmp_path / "zoo/cat/2.png", ns=(1, 1))
    assert read_data({"pictures": "zoo"}, tmp_path).id != first.id
    assert hashed == [["cat/1.png", "cat/2.png"], [], ["cat/2.png"]]


def test_an_unreadable_picture_stays_a_row(tmp_path):
    """It is for encoding to record it; it is not silently another picture, nor gone."""
    fill(tmp_path / "zoo", ["cat/1.png"])
    (tmp_path / "zoo/cat/2.png").write_bytes(b"not a picture")
    manifest = read_data({"pictures": "zoo"}, tmp_path)
    assert len(manifest) == 2
    with pytest.raises(BadInputError, match="UnidentifiedImageError"):
        manifest.read(1)


def test_a_link_out_of_the_folder_is_not_read(tmp_path):
    fill(tmp_path, ["secret.png", "zoo/cat/1.png"])
    (tmp_path / "zoo/cat/2.png").symlink_to(tmp_path / "secret.png")
    manifest = read_data({"pictures": "zoo"}, tmp_path)
    assert manifest.rows[1].sha256 is None
    with pytest.raises(BadInputError, match="lies outside"):
        manifest.read(1)


def test_manifests_survive_pickling_and_forks(tmp_path):
    manifest = read_data({"pictures": "a.zip"}, zipped(tmp_path / "a.zip", ["cat/1.png", "cat/2.png"]).parent)
    manifest.read(0)
    again = pickle.loads(pickle.dumps(manifest))
    assert again.id == manifest.id
    assert again.read(1).getpixel((0, 0)) == (1, 0, 0)
    child = os.fork()
    if child == 0:
        os._exit(0 if all(manifest.read(1).getpixel((0, 0)) == (1, 0, 0) for _ in range(20)) else 1)
    assert all(manifest.read(0).getpixel((0, 0)) == (0, 0, 0) for _ in range(20))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# names and held-out rows


@pytest.fixture
def named(tmp_path):
    zipped(tmp_path / "a.zip", [f"{wnid}/{i}.png" for wnid in ("n1", "n2", "n3") for i in range(8)])
    (tmp_path / "names.csv").write_text("wordnet_id,name\nn1,dog\nn2,dog\nn9,cat\n")
    return tmp_path


def test_names_give_words_and_texts(named):
    manifest = read_data({"pictures": "a.zip", "names": "names.csv"}, named)
    assert Counter(manifest.labels("class")) == {"n1": 8, "n2": 8}  # n3 has no word
    assert set(manifest.texts) == {("dog.",)}
    assert set(manifest.labels("name")) == {"dog"}
    fill(named / "flat", ["1.png"])
    assert read_data({"pictures": "flat", "names": "names.csv"}, named).texts == ((),)


def test_names_that_are_wrong(named):
    (named / "none.csv").write_text("wordnet_id,name\nn9,cat\n")
    (named / "columns.csv").write_text("class,name\nn1,cat\n")
    (named / "two.csv").write_text("wordnet_id,name\nn1,cat\nn1,dog\n")
    for table, message in [
        ("none", "a word for no class"),
        ("columns", "no column `wordnet_id`"),
        ("two", "two words"),
    ]:
        with pytest.raises(BadInputError, match=message):
            read_data({"pictures": "a.zip", "names": f"{table}.csv"}, named)
    with pytest.raises(MissingResourceError, match="no table of names"):
        read_data({"pictures": "a.zip", "names": "nowhere.csv"}, named)


def test_held_out_rows_are_the_same_whatever_else_is_there(named):
    spec = {"pictures": "a.zip", "holdout_per_class": 3}
    fit, dev = (read_data({**spec, "subset": subset}, named) for subset in ("fit", "dev"))
    assert read_data(spec, named).ids == fit.ids
    assert Counter(dev.labels("class")) == {"n1": 3, "n2": 3, "n3": 3}
    assert sorted(fit.ids + dev.ids) == sorted(read_data({"pictures": "a.zip"}, named).ids)
    fewer = read_data({**spec, "subset": "dev", "names": "names.csv"}, named)
    assert set(fewer.ids) == {i for i in dev.ids if not i.startswith("n3")}
    with pytest.raises(UnknownNameError, match="Did you mean `dev`"):
        read_data({**spec, "subset": "devs"}, named)
    with pytest.raises(BadInputError, match="8 of them cannot be held out"):
        read_data({**spec, "holdout_per_class": 8}, named)
    with pytest.raises(BadInputError, match="needs `holdout_per_class`"):
        read_data({"pictures": "a.zip", "subset": "dev"}, named)


def test_limit(named):
    whole, part = (read_data({"pictures": "a.zip", **more}, named) for more in ({}, {"limit": 6}))
    assert len(part) == 6
    assert [i for i in whole.ids if i in part.ids] == list(part.ids)


# specs


def test_a_spec_with_a_mistake_is_answered_with_the_nearest_name(tmp_path):
    with pytest.raises(UnknownNameError, match=r"No reader `imagefolder`\. Did you mean `image_folder`"):
        read_data({"reader": "imagefolder", "pictures": "x"}, tmp_path)
    with pytest.raises(
        UnknownNameError, match=r"No key `picture` in data with reader `image_folder`\. Did you mean `pictures`"
    ):
        read_data({"picture": "x"}, tmp_path)
    with pytest.raises(BadInputError, match="no `table` in data with reader `captions_table`"):
        read_data({"reader": "captions_table"}, tmp_path)


def test_every_reader_is_there():
    from importlib import import_module

    for where in READERS.values():
        module, function = where.split(":")
        assert callable(getattr(import_module(module), function))


# AwA2


def test_awa2(tmp_path):
    keys = ["grizzly+bear/grizzly+bear_10001.jpg", "zebra/zebra_10001.jpg", "rat/rat_10002.jpg"]
    fill(tmp_path / "Animals_with_Attributes2" / "JPEGImages", keys)
    manifest = read_data({"reader": "awa2", "folder": "Animals_with_Attributes2"}, tmp_path)
    assert manifest.labels("class") == ["grizzly bear", "rat", "zebra"]
    assert manifest.labels("split") == ["train", "test", "train"]
    assert "Xian" in manifest.source["citation"]
    assert "redistribution" in manifest.source["licence"]
    inner = read_data({"reader": "awa2", "folder": "Animals_with_Attributes2/JPEGImages"}, tmp_path)
    packed = zipped(tmp_path / "AwA2-data.zip", [f"Animals_with_Attributes2/JPEGImages/{key}" for key in keys])
    archive = read_data({"reader": "awa2", "folder": packed}, tmp_path)
    assert inner.labels("class") == archive.labels("class") == manifest.labels("class")
    assert read_data({"reader": "awa2", "folder": packed, "split": "test"}, tmp_path).labels("class") == ["rat"]
    with pytest.raises(UnknownNameError, match="Did you mean `test`"):
        read_data({"reader": "awa2", "folder": packed, "split": "tests"}, tmp_path)
    fill(tmp_path / "Animals_with_Attributes2" / "JPEGImages", ["unicorn/1.jpg"])
    with pytest.raises(BadInputError, match=r"`unicorn`.*none of AwA2's classes"):
        read_data({"reader": "awa2", "folder": "Animals_with_Attributes2"}, tmp_path)


# captions


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_captions_tables_of_three_kinds_are_the_same(tmp_path, kind):
    fill(tmp_path, ["p/1.png", "p/2.png"])
    rows = [("p/1.png", "A cat, asleep", "cat"), ("p/1.png", 'a "cat"', "cat"), ("p/2.png", "é dog", "dog")]
    if kind == "jsonl":
        text = "\n".join(json.dumps({"picture": p, "captions": [c], "class": k}) for p, c, k in rows)
    else:
        mark = {"csv": ",", "tsv": "\t"}[kind]
        quoted = [mark.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
        text = "\n".join(["﻿" + mark.join(["picture", "caption", "class"]), *quoted])
    (tmp_path / f"t.{kind}").write_text(text, encoding="utf-8")
    manifest = read_data({"reader": "captions_table", "table": f"t.{kind}"}, tmp_path)
    assert manifest.ids == ("p/1.png", "p/2.png")
    assert manifest.texts == (("A cat, asleep", 'a "cat"'), ("é dog",))
    assert manifest.labels("class") == ["cat", "dog"]
    assert manifest.read(1).getpixel((0, 0)) == (1, 0, 0)
    assert all(row.sha256 for row in manifest.rows)


def test_captions_with_ids_other_columns_and_pictures_elsewhere(tmp_path):
    zipped(tmp_path / "a.zip", ["x/1.png"])
    (tmp_path / "t.csv").write_text("id,file_name,captions\n7,x/1.png,one|two\n8,x/missing.png,three\n")
    spec = {"reader": "captions_table", "table": "t.csv", "pictures": "a.zip", "columns": {"picture": "file_name"}}
    manifest = read_data(spec, tmp_path)
    assert manifest.ids == ("7", "8")
    assert manifest.texts == (("one", "two"), ("three",))
    assert manifest.rows[1].sha256 is None  # missing: encoding records it
    (tmp_path / "text.jsonl").write_text('{"caption": "only text", "labels": {"n": 3}}\n')
    texts = read_data({"reader": "captions_table", "table": "text.jsonl"}, tmp_path)
    assert (texts.pictures, texts.labels("n")) == (None, [3])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "image,caption_text\na,b\n", "neither `picture` nor `caption`"),
        ("t.csv", "picture,caption\n../../etc/1.png,b\n", "lies outside"),
        ("t.csv", "picture,caption\nnowhere.png,b\n", "none of its 1 pictures is there"),
        ("t.csv", "picture,caption\n", "has no rows"),
        ("t.jsonl", '{"caption": "a"}\n{oops\n', "cannot be read"),
        ("t.csv", "picture,caption\na,b,c\n", "more cells than"),
        ("t.jsonl", "[1]\n", "line 1 has neither"),
        ("t.jsonl", '{"caption": "a", "labels": {"box": [1]}}\n', "label `box` is a list"),
        ("t.xlsx", "", "neither csv, tsv nor jsonl"),
    ],
)
def test_tables_that_are_wrong(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInputError, match=message):
        read_data({"reader": "captions_table", "table": name}, tmp_path)


# MAGMA


def record(folder, name, image_path, captions, **metadata):
    path = folder / "image_data" / "0" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"image_path": image_path, "captions": captions, "metadata": metadata}))


def test_magma_folder(tmp_path):
    fill(tmp_path, ["images/0/1.png", "images/0/2.png"])
    record(tmp_path, "2", "images/0/2.png", ["b ", "c"], source="cc3m", box=[1])
    record(tmp_path, "1", "images/0/1.png", "a")
    manifest = read_data({"reader": "magma_folder", "folder": tmp_path}, tmp_path)
    assert manifest.ids == ("images/0/1.png", "images/0/2.png")
    assert manifest.texts == (("a",), ("b", "c"))
    assert dict(manifest.rows[1].labels) == {"source": "cc3m"}
    assert manifest.read(1).getpixel((0, 0)) == (1, 0, 0)


def test_magma_folders_that_are_wrong(tmp_path):
    spec = {"reader": "magma_folder", "folder": tmp_path}
    with pytest.raises(MissingResourceError, match="image_data"):
        read_data(spec, tmp_path)
    (tmp_path / "image_data").mkdir()
    with pytest.raises(EmptyDataError, match="holds no json"):
        read_data(spec, tmp_path)
    record(tmp_path, "1", "images/nowhere.png", ["a"])
    with pytest.raises(EmptyDataError, match="none of 1 pictures is there"):
        read_data(spec, tmp_path)
    record(tmp_path, "2", "images/../../secret.png", ["a"])
    with pytest.raises(BadInputError, match="lies outside"):
        read_data(spec, tmp_path)
    (tmp_path / "image_data/0/2.json").write_text("[]")
    with pytest.raises(BadInputError, match="no record of MAGMA's"):
        read_data(spec, tmp_path)


# the real thing


def test_real_photographs(real):
    spec = {"pictures": "pictures/tiny_imagenet.zip", "names": "pictures/basic_names.csv", "holdout_per_class": 5}
    fit = read_data({**spec, "split": "train", "subset": "fit"}, real)
    dev = read_data({**spec, "split": "train", "subset": "dev"}, real)
    assert (len(fit), len(dev)) == (76 * 35, 76 * 5)
    assert not set(fit.ids) & set(dev.ids)
    assert fit.read(0).size == (64, 64)
    assert len(read_data({"pictures": "pictures/imagenet_samples"}, real)) == 500
