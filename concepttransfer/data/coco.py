"""COCO's captions: `annotations/captions_val2017.json` and pictures in `val2017`; or Karpathy's split of 2014's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import UnknownNameError
from ..manifest import Manifest, Row
from .annotations import Wanted, as_published, by_id, captions_by_picture, find_annotations, read_lists, to_manifest
from .descriptions import describe
from .karpathy import karpathy_rows, places

SPLITS = ("val2017", "train2017", "val2014", "train2014")
KARPATHY = ("test", "val", "restval", "train")


def coco(
    folder: Path,
    *,
    split: str = "val2017",
    captions: Path | None = None,
    pictures: Path | None = None,
    missing: str = "keep",
    texts_only: bool = False,
    hashes: bool = True,
    name: str | None = None,
) -> Manifest:
    """Read COCO's captions: a row a picture, in the file's order; its texts are its captions (five, seldom more).

    A row's id is the picture's id as text, such as `397133`; label: `image_id`, the same as a number.

    Args:
        folder: holds `annotations`, and the pictures in `val2017`, `images` or `val2017.zip`, or wherever below it.
        split: `val2017`, `train2017`, `val2014` or `train2014`; of Karpathy's dataset_coco.json `test`, `val` or
            `restval` (all three are pictures of val2014) or `train`.
        captions: the file, where it has another name or place; .json or .json.gz.
        pictures: the folder or zip of the pictures, where it is another one.
        missing: what becomes of a row whose picture is not there. `keep`: encoding it will say so; `skip`; `refuse`.
        texts_only: rows without pictures; none is looked for.
        hashes: take each picture's sha256 into its row.
        name: what to call the data; None: `coco-` and the split.

    Raises:
        MissingResourceError: the file of captions or the pictures are not there.
        UnknownNameError: there is no such split, or way with missing pictures.
        BadInputError: the file is not as published, or names a picture twice or outside the folder.
        EmptyDataError: it has no rows, or none of their pictures is there.
    """
    if split not in SPLITS + KARPATHY:
        raise UnknownNameError("split", split, SPLITS + KARPATHY, where="COCO")
    wanted = Wanted(pictures, missing, texts_only, hashes)
    description = describe("coco")
    of_karpathy = split in KARPATHY
    published = places("coco") if of_karpathy else [f"annotations/captions_{split}.json", f"captions_{split}.json"]
    path = captions or find_annotations(folder, published, "captions", description)
    rows = karpathy_rows(path, [split]) if of_karpathy else _rows(path)
    at = {"train": "train2014"}.get(split, "val2014") if of_karpathy else split
    source = {"reader": "coco", "split": split, **description.source}
    return to_manifest(
        name or f"coco-{split}", rows, folder, [at, f"images/{at}", f"{at}.zip", "images"], wanted, source
    )


def _rows(path: Path) -> list[Row]:
    images, annotations = read_lists(path, "images", "annotations")
    with as_published(path):
        listed = by_id(images, "id", path)
        texts = captions_by_picture(annotations, listed, path)
        return [_row(image_id, image["file_name"], texts[image_id]) for image_id, image in listed.items()]


def _row(image_id: int, picture: Any, texts: list[str]) -> Row:
    return Row(str(image_id), str(picture), tuple(filter(None, texts)), {"image_id": image_id})
