"""Tables of `datasets`: the same rows and pictures whichever way they are stored, read where they lie."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from tar_of_pictures import caption, picture

from concepttransfer.data import hub as hub_reader
from concepttransfer.data import read_data
from concepttransfer.encoders import load_encoder
from concepttransfer.encoders.spec import EncoderSpec
from concepttransfer.errors import BadInputError, EmptyDataError, MissingResourceError, UnknownNameError
from concepttransfer.features import encode
from concepttransfer.manifest import open_picture

datasets = pytest.importorskip("datasets")
N = 30


@pytest.fixture(scope="module", autouse=True)
def quiet():
    datasets.disable_progress_bars()


def read(where: Path, **settings):
    return read_data({"reader": "hub", "folder": where, **settings}, where)


def table(n: int = N, **columns):
    """Pictures with captions, and what else is given."""
    images = {"image": [{"bytes": picture(i), "path": None} for i in range(n)]}
    values = images | {"caption": [caption(i) for i in range(n)]} | columns
    made = datasets.Dataset.from_dict(values)
    return made.cast_column("image", datasets.Image())


def pixels(number: int) -> bytes:
    return open_picture(picture(number)).tobytes()


def test_saved_parquet_and_a_folder_of_parquet_files_are_the_same_data(tmp_path):
    made = table()
    made.save_to_disk(tmp_path / "saved", num_shards=3)
    made.to_parquet(tmp_path / "one.parquet")
    for part in range(2):
        made.shard(2, part, contiguous=True).to_parquet(tmp_path / "parts" / f"train-0000{part}-of-00002.parquet")
    manifests = [read(tmp_path / where) for where in ("saved", "one.parquet", "parts")]
    assert [manifest.name for manifest in manifests] == ["saved", "one", "parts"]
    for manifest in manifests:
        assert list(manifest.ids) == [str(i) for i in range(N)]
        assert list(manifest.texts) == [(caption(i),) for i in range(N)]
        assert [row.sha256 for row in manifest.rows] == [hashlib.sha256(picture(i)).hexdigest() for i in range(N)]
        assert [manifest.read(i).tobytes() for i in range(N)] == [pixels(i) for i in range(N)]
    assert len({manifest.id for manifest in manifests}) == 1


def test_pictures_are_images_bytes_or_paths_and_texts_one_or_several(tmp_path):
    (tmp_path / "files").mkdir()
    for i in range(4):
        (tmp_path / "files" / f"{i}.jpg").write_bytes(picture(i))
    values = {
        "jpg": [picture(i) for i in range(4)],
        "path": [f"files/{i}.jpg" for i in range(4)],
        "several": [["a", " b "], [], [None, "c"], None],
        "name": [f"n{i}" for i in range(4)],
        "animal": [1, 0, 1, 0],
    }
    made = datasets.Dataset.from_dict(values).cast_column("animal", datasets.ClassLabel(names=["otter", "whale"]))
    made.save_to_disk(tmp_path / "t")
    ids = {"row_id": "name", "text": "several", "label": "animal"}
    stored = read(tmp_path / "t", image="jpg", **ids)
    files = read(tmp_path / "t", image="path", pictures=tmp_path, **ids)
    for manifest in (stored, files):
        assert list(manifest.ids) == ["n0", "n1", "n2", "n3"]
        assert list(manifest.texts) == [("a", "b"), (), ("c",), ()]
        assert manifest.labels("class") == ["whale", "otter", "whale", "otter"]
        assert [manifest.read(i).tobytes() for i in range(4)] == [pixels(i) for i in range(4)]
    assert stored.id == files.id
    blind = read(tmp_path / "t", image=None, text="name")
    assert blind.pictures is None
    assert blind.texts[2] == ("n2",)


def test_a_path_out_of_the_folder_is_not_read(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(picture(1))
    made = {"image": ["../secret.jpg", str(tmp_path / "secret.jpg")]}
    datasets.Dataset.from_dict(made).save_to_disk(tmp_path / "t")
    manifest = read(tmp_path / "t")
    for i in range(2):
        assert manifest.rows[i].sha256 is None
        with pytest.raises(BadInputError, match="lies outside"):
            manifest.read(i)


def test_features_are_those_of_a_folder_of_the_same_pictures_read_by_several_processes(tmp_path):
    (tmp_path / "folder").mkdir()
    for i in range(N):
        (tmp_path / "folder" / f"{i:03d}.jpg").write_bytes(picture(i))
    table().save_to_disk(tmp_path / "t", num_shards=2)
    spec = EncoderSpec(model="plugin:plugin_encoders:colours", features="last_map")
    encoder = load_encoder(spec, Path(__file__).parent)
    folder, saved = read_data({"pictures": tmp_path / "folder"}, tmp_path), read(tmp_path / "t")
    plain = encode(folder, encoder, tmp_path / "a", key="a", workers=0, quiet=True)
    streamed = encode(saved, encoder, tmp_path / "b", key="b", batch_size=4, workers=2, quiet=True)
    assert np.array_equal(plain.values[:], streamed.values[:])
    assert streamed.row_ids == tuple(str(i) for i in range(N))
    again = pickle.loads(pickle.dumps(saved))
    assert (again.id, again.read(7).tobytes()) == (saved.id, pixels(7))


def test_pictures_are_hashed_once_until_the_table_changes(tmp_path, monkeypatch):
    read_bytes = []
    original = hub_reader.TablePictures.content
    monkeypatch.setattr(
        hub_reader.TablePictures, "content", lambda self, number: read_bytes.append(number) or original(self, number)
    )
    table(5).save_to_disk(tmp_path / "t")
    first = read(tmp_path / "t")
    assert read(tmp_path / "t").id == first.id
    assert len(read_bytes) == 5
    table(5, caption=["x"] * 5).save_to_disk(tmp_path / "u")
    assert read(tmp_path / "u").texts[0] == ("x",)
    assert len(read(tmp_path / "t", hashes=False)) == 5


def test_an_unreadable_picture_stays_a_row(tmp_path):
    made = {"image": [picture(0), b"no picture", None]}
    datasets.Dataset.from_dict(made).save_to_disk(tmp_path / "t")
    manifest = read(tmp_path / "t")
    assert [row.sha256 is None for row in manifest.rows] == [False, False, True]
    with pytest.raises(BadInputError, match="UnidentifiedImageError"):
        manifest.read(1)
    with pytest.raises(BadInputError, match="NoneType in row 2, not a picture"):
        manifest.read(2)


def test_of_several_splits_one_is_chosen(tmp_path):
    datasets.DatasetDict({"train": table(4), "test": table(2)}).save_to_disk(tmp_path / "t")
    for split, n in (("train", 4), ("test", 2)):
        made = read(tmp_path / "t", split=split)
        assert (len(made), made.name) == (n, f"t-{split}")
        table(n).to_parquet(tmp_path / "p" / f"{split}-00000-of-00001.parquet")
    assert len(read(tmp_path / "p", split="test")) == 2
    with pytest.raises(BadInputError, match=r"several splits: test, train\. Set `split:`"):
        read(tmp_path / "t")
    with pytest.raises(UnknownNameError, match="Did you mean `train`"):
        read(tmp_path / "t", split="trian")


def test_what_cannot_be_used_says_what_to_do(tmp_path):
    table(2, numbers=[1, 2]).save_to_disk(tmp_path / "t")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "state.json").write_text("{")
    for where, settings, error, message in [
        ("t", {"image": "picture"}, UnknownNameError, "No column `picture`.*It has: caption, image, numbers"),
        ("t", {"text": "captoin"}, UnknownNameError, "Did you mean `caption`"),
        ("t", {"text": "numbers"}, BadInputError, "column `numbers`, row 0: a int, not a text"),
        ("nowhere", {}, MissingResourceError, "no table"),
        ("empty", {}, EmptyDataError, "neither what `save_to_disk` writes nor parquet"),
        ("bad", {}, BadInputError, "cannot be read as a table"),
        ("cut", {}, BadInputError, "cannot be read as a table"),
        ("t", {"dataset": "a/b"}, BadInputError, "Give one of the two"),
    ]:
        with pytest.raises(error, match=message):
            read(tmp_path / where, **settings)


def test_offline_a_name_of_a_hub_says_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(MissingResourceError, match=r'load_dataset\("nobody/nothing"\)\.save_to_disk\(FOLDER\)'):
        read_data({"reader": "hub", "dataset": "nobody/nothing"}, tmp_path)


def test_without_the_library_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingResourceError, match="pip install datasets"):
        read(tmp_path)


def test_on_takes_a_parquet_file_and_a_saved_table(tmp_path):
    from concepttransfer import load_study
    from concepttransfer.study.selection import select

    table(4).to_parquet(tmp_path / "x.parquet")
    table(3).save_to_disk(tmp_path / "saved")
    spec = load_study("microworld").spec
    for on, n in (("x.parquet", 4), ("saved", 3)):
        assert len(select(str(tmp_path / on), spec, tmp_path)[0].manifest) == n


def test_where_the_cache_cannot_be_written_a_saved_table_is_still_read(tmp_path, monkeypatch):
    table(3).save_to_disk(tmp_path / "t")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", os.fspath(tmp_path / "file" / "cache"))
    assert read(tmp_path / "t").rows[2].sha256 == hashlib.sha256(picture(2)).hexdigest()
