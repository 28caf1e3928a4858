"""A manifest is its rows: equal rows, equal id; every picture is read rightly or not at all."""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.manifest import FolderPictures, Manifest, Row, ZipPictures, to_rgb

ROWS = tuple(Row(str(i), f"{i}.png", (f"a {i}",), {"class": "cat" if i % 2 else "dog"}) for i in range(10))


def test_the_id_is_the_rows_and_nothing_else():
    one = Manifest("one", ROWS)
    assert one.id == Manifest("other", ROWS, source={"licence": "MIT"}).id
    for changed in (
        ROWS[::-1],
        ROWS[:9],
        (replace(ROWS[0], texts=("b",)), *ROWS[1:]),
        (replace(ROWS[0], labels={"class": "cow"}), *ROWS[1:]),
        (replace(ROWS[0], sha256="0"), *ROWS[1:]),
    ):
        assert Manifest("one", changed).id != one.id


def test_a_name_of_a_picture_does_not_matter_where_its_bytes_are_known():
    a, b = (Manifest("m", (Row("x", key, sha256="same"),)) for key in ("a.png", "b.png"))
    assert a.id == b.id


def test_take_and_limit_keep_rows_whole():
    manifest = Manifest("m", ROWS)
    assert manifest.take(["7", "2"]).rows == (ROWS[7], ROWS[2])
    fewer, more = manifest.limit(3), manifest.limit(6)
    assert set(fewer.ids) < set(more.ids)
    assert list(more.rows) == [row for row in ROWS if row in more.rows]
    assert manifest.limit(None) is manifest
    with pytest.raises(MismatchError, match="no row `zebra`"):
        manifest.take(["zebra"])
    with pytest.raises(BadInputError, match="leaves nothing"):
        manifest.limit(0)


def test_no_rows_and_rows_of_one_id_are_refused():
    with pytest.raises(EmptyDataError, match="has no rows"):
        Manifest("m", ())
    with pytest.raises(BadInputError, match="row `0` more than once"):
        Manifest("m", (*ROWS, ROWS[0]))


@pytest.mark.parametrize(
    ("mode", "colour"),
    [("RGB", (255, 0, 0)), ("RGBA", (255, 0, 0, 255)), ("P", 0), ("CMYK", (0, 255, 255, 0)), ("L", 76)],
)
def test_every_mode_becomes_rgb(mode, colour):
    picture = Image.new(mode, (4, 4), colour)
    if mode == "P":
        picture.putpalette([255, 0, 0] * 256)
    rgb = to_rgb(picture)
    assert rgb.mode == "RGB"
    wanted = (76, 76, 76) if mode == "L" else (255, 0, 0)
    assert np.abs(np.asarray(rgb)[0, 0].astype(int) - wanted).max() <= 3


def test_sixteen_bits_are_scaled_and_transparency_is_laid_on_white():
    deep = Image.fromarray(np.array([[0, 32896, 65535]], dtype=np.uint16))
    assert np.asarray(to_rgb(deep))[0, :, 0].tolist() == [0, 128, 255]
    clear = Image.new("RGBA", (1, 1), (10, 20, 30, 0))
    assert to_rgb(clear).getpixel((0, 0)) == (255, 255, 255)


def test_folders_and_zips_give_the_same_pictures_also_after_pickling(tmp_path):
    Image.new("RGB", (3, 2), (1, 2, 3)).save(tmp_path / "0.png")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(tmp_path / "0.png", "0.png")
    for source in (FolderPictures(tmp_path), ZipPictures(tmp_path / "all.zip")):
        manifest = Manifest("m", ROWS[:1], source_pictures := source)
        again = pickle.loads(pickle.dumps(manifest))
        assert manifest.read(0).getpixel((0, 0)) == again.read(0).getpixel((0, 0)) == (1, 2, 3)
        assert source_pictures is source


def test_what_cannot_be_read_says_why_and_nothing_outside_the_root_is_read(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.png").write_bytes(b"")
    (tmp_path / "in" / "0.png").write_bytes(b"no picture")
    rows = (ROWS[0], Row("out", "../secret.png"), Row("none"))
    manifest = Manifest("m", rows, FolderPictures(tmp_path / "in"))
    with pytest.raises(BadInputError, match="cannot identify"):
        manifest.read(0)
    with pytest.raises(BadInputError, match="outside"):
        manifest.read(1)
    with pytest.raises(BadInputError, match="has no picture"):
        manifest.read(2)
