"""Karpathy's splits: `dataset_coco.json` and its like for Flickr8k and Flickr30k, by Karpathy and Fei-Fei 2015."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import EmptyDataError, UnknownNameError
from ..manifest import Manifest, Row
from .annotations import Wanted, as_published, by_id, find_annotations, read_lists, to_manifest
from .descriptions import describe

SPLITS = ("train+restval", "train", "restval", "val", "test")
DATASETS: Mapping[str, str] = {"coco": "cocoid", "flickr8k": "imgid", "flickr30k": "imgid"}
"""The data sets that have such a file, and the field that names a picture in it."""


def karpathy(
    folder: Path,
    *,
    split: str = "train+restval",
    dataset: str = "coco",
    captions: Path | None = None,
    pictures: Path | None = None,
    missing: str = "keep",
    texts_only: bool = False,
    hashes: bool = True,
    name: str | None = None,
) -> Manifest:
    """Read Karpathy's split of COCO, Flickr8k or Flickr30k: a row a picture, in the file's order, texts its captions.

    A row's id is the picture's number as text; label: `image_id`, the same as a number.

    Args:
        folder: holds `dataset_coco.json` (or below it `annotations`, `karpathy` or `caption_datasets` does), and the
            pictures wherever below it.
        split: `train+restval`, the 113,287 pictures of COCO that captioning is trained on; `train`, `restval`, `val`
            or `test`. Flickr's have no `restval`.
        dataset: `coco`, `flickr8k` or `flickr30k`.
        captions: the file, where it has another name or place; .json or .json.gz.
        pictures: the folder or zip of the pictures, where it is another one.
        missing: what becomes of a row whose picture is not there. `keep`: encoding it will say so; `skip`; `refuse`.
        texts_only: rows without pictures; none is looked for.
        hashes: take each picture's sha256 into its row.
        name: what to call the data; None: the data set and the split.

    Raises:
        MissingResourceError: the file of captions or the pictures are not there.
        UnknownNameError: there is no such split, data set, or way with missing pictures.
        BadInputError: the file is not as published, or names a picture twice or outside the folder.
        EmptyDataError: it has no such rows, or none of their pictures is there.
    """
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS, where="Karpathy's")
    if dataset not in DATASETS:
        raise UnknownNameError("data set", dataset, DATASETS, where="Karpathy's")
    wanted = Wanted(pictures, missing, texts_only, hashes)
    description = describe("coco" if dataset == "coco" else "flickr30k")
    path = captions or find_annotations(folder, places(dataset), "captions", description)
    rows = karpathy_rows(path, split.split("+"), DATASETS[dataset])
    source = {"reader": "karpathy", "dataset": dataset, "split": split, **description.source}
    below = [f"{dataset}-images", f"{dataset}_images", f"{dataset}-images.zip"] if dataset != "coco" else []
    return to_manifest(name or f"{dataset}-{split}", rows, folder, below, wanted, source)


def places(dataset: str) -> list[str]:
    """Where below a data set's folder the file may lie."""
    return [f"{below}dataset_{dataset}.json" for below in ("", "annotations/", "karpathy/", "caption_datasets/")]


def karpathy_rows(path: Path, splits: Sequence[str], key: str = "cocoid") -> list[Row]:
    """The rows of some splits, which name their pictures as the file does.

    Raises:
        EmptyDataError: there are none.
        BadInputError: the file is not as published, or names a picture twice.
    """
    (images,) = read_lists(path, "images")
    with as_published(path):
        listed = by_id((image for image in images if image["split"] in splits), key, path)
        if not listed:
            said = "+".join(splits)
            raise EmptyDataError(f"{path} has no picture of split `{said}`. Name the file of the data set's own split.")
        return [_row(image_id, image) for image_id, image in listed.items()]


def _row(image_id: int, image: Mapping[str, Any]) -> Row:
    below = f"{image['filepath']}/" if image.get("filepath") else ""
    texts = tuple(text for sentence in image["sentences"] if (text := sentence["raw"].strip()))
    return Row(str(image_id), f"{below}{image['filename']}", texts, {"image_id": image_id})
