"""COCO, NoCaps and VQA v2 as they are published: the real files, and small folders of the same layout."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import zipfile
from collections import Counter, defaultdict

import pytest
from published_layouts import LAYOUTS, captions, make_all, make_coco, make_karpathy, make_nocaps, make_vqa2

from concepttransfer.data import _arguments, _reader, read_data
from concepttransfer.data.descriptions import describe
from concepttransfer.errors import BadInputError, EmptyDataError, MissingResourceError, UnknownNameError
from concepttransfer.study import load_study

FILES = {
    "coco": "annotations/captions_val2017.json",
    "nocaps": "nocaps_val_4500_captions.json",
    "vqa2": "v2_OpenEnded_mscoco_val2014_questions.json",
}
ENTRIES = {"coco": "images", "nocaps": "images", "vqa2": "questions"}


def read(folder, reader="coco", **more):
    return read_data({"reader": reader, "folder": "."} | more, folder)


def change(path, alter):
    """Let `alter` change what a json file holds, or give other contents."""
    values = json.loads(path.read_text())
    other = alter(values)
    path.write_text(json.dumps(other if isinstance(other, dict) else values))


def zip_pictures(folder, below):
    """`val2017` as val2017.zip, as it is downloaded, in the folder's place."""
    with zipfile.ZipFile(folder / f"{below}.zip", "w") as archive:
        for path in sorted((folder / below).iterdir()):
            archive.write(path, f"{below}/{path.name}")
    shutil.rmtree(folder / below)


# what the published files say


def test_coco(tmp_path):
    manifest = read(make_coco(tmp_path, 6))
    assert (manifest.name, manifest.ids) == ("coco-val2017", tuple(str(139 + 7 * i) for i in range(6)))
    assert manifest.texts == tuple(tuple(captions(number, 5)) for number in range(6))
    assert manifest.labels("image_id") == [139 + 7 * i for i in range(6)]
    for row in manifest.rows:
        picture = tmp_path / "val2017" / f"{int(row.id):012d}.jpg"
        assert row.sha256 == hashlib.sha256(picture.read_bytes()).hexdigest()
    assert manifest.read(5).size == (40, 32)
    assert "CC BY 4.0" in manifest.source["licence"]
    make_coco(tmp_path, 3, split="train2017")
    assert len(read(tmp_path, split="train2017")) == 3


def test_karpathys_split_of_coco(tmp_path):
    make_karpathy(tmp_path, 20)
    test, train = read(tmp_path, split="test"), read(tmp_path, split="train")
    assert (len(test), len(train)) == (5, 5)
    assert test.ids == tuple(str(42 + 31 * number) for number in range(0, 20, 4))
    assert test.texts[1] == tuple(captions(4, 5))
    assert all(row.sha256 for row in (*test.rows, *train.rows))
    parts = [read(tmp_path, split=split) for split in ("test", "val", "restval", "train")]
    assert len({i for part in parts for i in part.ids}) == 20
    zip_pictures(tmp_path, "val2014")
    assert read(tmp_path, split="test").id == test.id
    change(tmp_path / "dataset_coco.json", lambda values: {"images": values["images"][:1]})
    with pytest.raises(EmptyDataError, match="no picture of split `val`"):
        read(tmp_path, split="val")


def test_nocaps(tmp_path):
    manifest = read(make_nocaps(tmp_path, 7), "nocaps")
    assert Counter(manifest.labels("domain")) == {"in": 3, "near": 2, "out": 2}
    assert manifest.ids == tuple(str(number) for number in range(7))
    assert {len(texts) for texts in manifest.texts} == {10}
    assert manifest.texts[3] == tuple(captions(3, 10))
    assert manifest.rows[0].labels["open_images_id"] == "0013ea2087020901"
    assert manifest.rows[0].picture == "0013ea2087020901.jpg"
    assert manifest.rows[0].sha256
    near = read(tmp_path, "nocaps", domain="near")
    assert (near.name, near.ids) == ("nocaps-near", ("1", "4"))
    with pytest.raises(UnknownNameError, match="Did you mean `near`"):
        read(tmp_path, "nocaps", domain="nearby")
    (tmp_path / "images").rename(tmp_path / "open_images_v4")
    assert read(tmp_path, "nocaps").id == manifest.id


def test_a_row_of_vqa2_is_a_question(tmp_path):
    manifest = read(make_vqa2(tmp_path, 4), "vqa2")
    assert (manifest.name, len(manifest)) == ("vqa2-val2014", 12)
    assert manifest.ids[:4] == ("42000", "42001", "42002", "73000")
    assert dict(manifest.rows[1].labels) == {
        "question": "Is the dog red?",
        "question_type": "is the",
        "answer_type": "yes/no",
        "image_id": 42,
    }
    assert manifest.texts[1] == ("yes",) * 7 + ("no",) * 3
    assert [row.picture for row in manifest.rows[:4]] == ["COCO_val2014_000000000042.jpg"] * 3 + [
        "COCO_val2014_000000000073.jpg"
    ]
    assert len({row.sha256 for row in manifest.rows}) == 4
    train = read(tmp_path, "vqa2", split="train2014")
    assert not {row.labels["image_id"] for row in train.rows} & {row.labels["image_id"] for row in manifest.rows}


def test_answers_are_in_the_order_of_their_file_and_found_by_their_question(tmp_path):
    first = read(make_vqa2(tmp_path, 3), "vqa2")
    path = tmp_path / "v2_mscoco_val2014_annotations.json"
    change(path, lambda values: values["annotations"].reverse())
    assert read(tmp_path, "vqa2").id == first.id
    change(path, lambda values: values["annotations"][-1]["answers"].reverse())
    assert read(tmp_path, "vqa2").texts[0] == first.texts[0][::-1]


# where the pictures may lie


@pytest.mark.parametrize(("name", "below"), [("coco", "val2017"), ("nocaps", "images"), ("vqa2", "val2014")])
def test_a_zip_and_a_folder_of_the_pictures_are_the_same_data(tmp_path, name, below):
    LAYOUTS[name](tmp_path, 5)
    folder = read(tmp_path, name)
    (tmp_path / "images").mkdir(exist_ok=True)
    if below != "images":
        (tmp_path / below).rename(tmp_path / "images" / below)
        assert read(tmp_path, name).id == folder.id
        (tmp_path / "images" / below).rename(tmp_path / below)
        (tmp_path / "images").rmdir()
    zip_pictures(tmp_path, below)
    packed = read(tmp_path, name)
    assert packed.id == folder.id
    assert packed.read(0).tobytes() == folder_picture(packed, tmp_path / f"{below}.zip").tobytes()
    elsewhere = (tmp_path / f"{below}.zip").rename(tmp_path / "elsewhere.zip")
    assert read(tmp_path, name, pictures=str(elsewhere)).id == folder.id


def folder_picture(manifest, archive):
    """The first row's picture, opened without the reader."""
    from PIL import Image

    with zipfile.ZipFile(archive) as opened, opened.open(manifest.rows[0].picture) as file:
        return Image.open(file).convert("RGB")


@pytest.mark.parametrize("name", FILES)
def test_gzipped_annotations_are_the_same_data(tmp_path, name):
    LAYOUTS[name](tmp_path, 3)
    plain = read(tmp_path, name)
    for path in [*tmp_path.rglob("*.json")]:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert read(tmp_path, name).id == plain.id


@pytest.mark.parametrize("name", FILES)
def test_what_becomes_of_rows_whose_picture_is_missing(tmp_path, name):
    LAYOUTS[name](tmp_path, 5)
    whole = read(tmp_path, name)
    lost = next(tmp_path.rglob(str(whole.rows[0].picture).rsplit("/", 1)[-1]))
    lost.unlink()
    kept = read(tmp_path, name)
    about = [row for row in kept.rows if row.picture == whole.rows[0].picture]
    assert kept.ids == whole.ids
    assert about
    assert all(row.sha256 is None for row in about)  # encoding will record them as unreadable
    with pytest.raises(BadInputError, match="FileNotFoundError"):
        kept.read(0)
    skipped = read(tmp_path, name, missing="skip")
    assert skipped.ids == tuple(row.id for row in kept.rows if row.sha256)
    assert skipped.source["skipped"] == f"{len(about)} of {len(whole)} rows, whose pictures are missing"
    with pytest.raises(BadInputError, match=rf"lacks {len(about)} of {len(whole)} pictures.*`missing: skip`"):
        read(tmp_path, name, missing="refuse")
    with pytest.raises(UnknownNameError, match="Did you mean `skip`"):
        read(tmp_path, name, missing="skipp")


@pytest.mark.parametrize("name", FILES)
def test_without_any_picture_there_are_texts_alone_if_asked_for(tmp_path, name):
    LAYOUTS[name](tmp_path, 3)
    with_pictures = read(tmp_path, name)
    for path in tmp_path.rglob("*.jpg"):
        path.unlink()
    with pytest.raises(MissingResourceError, match=r"no pictures of .*`pictures:`.*`texts_only: true`"):
        read(tmp_path, name)
    texts = read(tmp_path, name, texts_only=True)
    assert (texts.ids, texts.texts) == (with_pictures.ids, with_pictures.texts)
    assert texts.pictures is None
    assert {row.picture for row in texts.rows} == {None}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "1.jpg").write_bytes(b"")
    for hashes in (True, False):
        with pytest.raises(EmptyDataError, match=r"holds none of the \d+ pictures.*`pictures:`"):
            read(tmp_path, name, pictures="other", hashes=hashes)


def test_two_pictures_of_one_name_are_not_guessed_between(tmp_path):
    make_coco(tmp_path, 3)
    shutil.copytree(tmp_path / "val2017", tmp_path / "thumbnails")
    assert len(read(tmp_path)) == 3  # val2017 comes first
    (tmp_path / "val2017").rename(tmp_path / "pictures")
    with pytest.raises(BadInputError, match=r"two pictures called 000000000139\.jpg"):
        read(tmp_path)
    assert len(read(tmp_path, pictures="pictures")) == 3


def test_hashes_can_be_left_out(tmp_path):
    make_coco(tmp_path, 3)
    assert {row.sha256 for row in read(tmp_path, hashes=False).rows} == {None}


def test_a_key_is_a_path_where_its_reader_says_so(tmp_path):
    """`captions` is a file of COCO's, but an ending in tars."""
    spec = {"folder": "a", "captions": "txt", "pictures": None}
    assert _arguments(_reader("coco"), spec, tmp_path) == {
        "folder": tmp_path / "a",
        "captions": tmp_path / "txt",
        "pictures": None,
    }
    tars = _arguments(_reader("webdataset"), {"folder": "a", "captions": "txt"}, tmp_path)
    assert tars == {"folder": tmp_path / "a", "captions": "txt"}


# what may be wrong with the files


@pytest.mark.parametrize("name", ["coco", "nocaps"])  # vqa2's pictures are named by numbers
def test_pictures_outside_the_folder_are_refused(tmp_path, name):
    LAYOUTS[name](tmp_path, 3)
    for evil in ("../../etc/passwd.jpg", "/etc/passwd.jpg", "a/../../b.jpg", "..\\b.jpg"):
        change(tmp_path / FILES[name], lambda values, evil=evil: values["images"][1].update(file_name=evil))
        with pytest.raises(BadInputError, match="lies outside"):
            read(tmp_path, name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"images": [', "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"", "cannot be read"),
        (b"[]", "no list `"),
        (b'{"images": {}, "questions": {}, "annotations": []}', "no list `"),
        (b'{"images": [1], "questions": [1], "annotations": []}', "no list `"),
        (
            b'{"images": [{}], "questions": [{}], "annotations": []}',
            r"not as published: an entry has no '(id|question_id)'",
        ),
    ],
)
def test_files_that_are_not_as_published(tmp_path, name, content, message):
    LAYOUTS[name](tmp_path, 3)
    (tmp_path / FILES[name]).write_bytes(content)
    with pytest.raises(BadInputError, match=message) as caught:
        read(tmp_path, name)
    assert FILES[name].rsplit("/", 1)[-1] in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_an_entry_listed_twice_is_refused(tmp_path, name):
    LAYOUTS[name](tmp_path, 3)
    change(tmp_path / FILES[name], lambda values: values[ENTRIES[name]].append(values[ENTRIES[name]][0]))
    with pytest.raises(BadInputError, match=r"two entries with (id|question_id) \d+"):
        read(tmp_path, name)


def test_a_gzip_that_was_cut_short(tmp_path):
    make_coco(tmp_path, 3)
    whole = gzip.compress((tmp_path / FILES["coco"]).read_bytes())
    (tmp_path / "cut.json.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInputError, match=r"cut.json.gz cannot be read \(EOFError"):
        read(tmp_path, captions="cut.json.gz")


def test_captions_of_unlisted_pictures_and_empty_captions(tmp_path):
    make_coco(tmp_path, 3)

    def blank(values):
        values["annotations"][0]["caption"] = " \n"

    change(tmp_path / FILES["coco"], blank)
    assert [len(texts) for texts in read(tmp_path).texts] == [4, 5, 5]
    change(tmp_path / FILES["coco"], lambda values: values["annotations"][1].update(image_id=5))
    with pytest.raises(BadInputError, match="a caption of picture 5, which it does not list"):
        read(tmp_path)


def test_domains_that_nocaps_does_not_have(tmp_path):
    make_nocaps(tmp_path, 3)
    change(tmp_path / FILES["nocaps"], lambda values: values["images"][2].update(domain="far-domain"))
    with pytest.raises(BadInputError, match="picture 2 is of domain `far-domain`"):
        read(tmp_path, "nocaps")
    change(tmp_path / FILES["nocaps"], lambda values: {"images": [], "annotations": []})
    with pytest.raises(EmptyDataError, match="has no pictures"):
        read(tmp_path, "nocaps")


def test_questions_without_answers(tmp_path):
    make_vqa2(tmp_path, 3)
    answers = tmp_path / "v2_mscoco_val2014_annotations.json"
    with pytest.raises(BadInputError, match=r"no answer to question 42000 .*files of one split"):
        read(tmp_path, "vqa2", answers="v2_mscoco_train2014_annotations.json")
    change(answers, lambda values: values["annotations"][4].update(answers=[]))
    with pytest.raises(BadInputError, match="no answer to question 73001"):
        read(tmp_path, "vqa2")
    change(answers, lambda values: values["annotations"][4].pop("question_type"))
    with pytest.raises(BadInputError, match="an entry has no 'question_type'"):
        read(tmp_path, "vqa2")


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_not_there_say_where_they_come_from(tmp_path, name):
    with pytest.raises(MissingResourceError, match=r"Unpack https?://|Put https?://") as caught:
        read(tmp_path, name)
    assert FILES[name] in str(caught.value)
    LAYOUTS[name](tmp_path, 3)
    key = "questions" if name == "vqa2" else "captions"
    with pytest.raises(MissingResourceError, match=r"no file .*nowhere.json"):
        read(tmp_path, name, **{key: "nowhere.json"})


@pytest.mark.parametrize(("name", "split", "near"), [("coco", "val2071", "val2017"), ("vqa2", "val2015", "val2014")])
def test_unknown_splits(tmp_path, name, split, near):
    with pytest.raises(UnknownNameError, match=f"Did you mean `{near}`"):
        read(tmp_path, name, split=split)


# the study of the paper


def test_limbers_data_are_read_from_folders_in_their_published_layouts(tmp_path, monkeypatch):
    monkeypatch.chdir(make_all(tmp_path, 20))
    study = load_study("limber")
    rows = {name: len(read_data(spec, study.root)) for name, spec in study.spec.data.items()}
    assert rows == {"cc3m": 20, "coco": 20, "nocaps": 20, "vqa2": 60, "vqa2-train": 60, "awa2": 20}
    for name, spec in study.spec.data.items():
        manifest = read_data(spec, study.root)
        assert all(manifest.read(number).mode == "RGB" for number in range(len(manifest))), name
        if name in LAYOUTS:  # a study says of a data set what its manifest says
            assert spec == describe(name).data


# the real files


def test_the_real_captions_of_coco(real):
    spec = {"reader": "coco", "folder": "captions", "captions": "captions/coco_captions_val2017.json"}
    manifest = read_data({**spec, "texts_only": True}, real)
    assert (len(manifest), sum(map(len, manifest.texts))) == (5000, 25014)
    counts = describe("coco").counts
    assert (len(manifest), sum(map(len, manifest.texts))) == (counts["pictures"], counts["captions"])
    published = json.loads((real / "captions/coco_captions_val2017.json").read_text())
    said = defaultdict(list)
    for entry in published["annotations"]:
        said[str(entry["image_id"])].append(entry["caption"].strip())
    assert {row.id: list(row.texts) for row in manifest.rows} == said


def test_real_pictures_of_coco_with_their_captions(real):
    spec = {"reader": "coco", "folder": "captions/coco_mini", "captions": "captions/coco_mini/captions.json"}
    manifest = read_data({**spec, "missing": "refuse"}, real)
    assert (len(manifest), sum(map(len, manifest.texts))) == (80, 400)
    assert all(row.sha256 for row in manifest.rows)
    assert min(manifest.read(0).size) > 100


def test_the_real_questions_of_vqa2(real):
    spec = {
        "reader": "vqa2",
        "folder": "questions",
        "questions": "questions/questions_valid.json.gz",
        "answers": "questions/annotations_valid.json.gz",
    }
    manifest = read_data({**spec, "texts_only": True}, real)
    assert len(manifest) == 8977
    assert {len(texts) for texts in manifest.texts} == {10}
    row = manifest.rows[0]
    assert (row.id, row.labels["question"]) == ("413918000", "What insurance company is a sponsor?")
    assert (row.labels["question_type"], row.labels["answer_type"], row.texts[0]) == ("what", "other", "state farm")
    known = set((real / "questions/mscoco_question_types.txt").read_text().splitlines())
    assert {str(kind).strip() for kind in manifest.labels("question_type")} <= {k.strip() for k in known} | {
        "none of the above"
    }
    assert set(manifest.labels("answer_type")) == {"yes/no", "number", "other"}
    few = read_data({**spec, "pictures": "captions/coco_mini/images", "missing": "skip"}, real)
    assert len(few) == 7  # COCO's pictures of 2014 and 2017 are the same ones under two names
    assert few.read(0).mode == "RGB"
