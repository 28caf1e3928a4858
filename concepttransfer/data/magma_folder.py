"""MAGMA's data folders: `images/<n>/<f>.jpg` beside `image_data/<n>/<f>.json`, which LiMBeR was trained from."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..errors import BadInputError, EmptyDataError, MissingResourceError
from ..manifest import FolderPictures, Label, Manifest, Row
from .pictures import picture_hashes

RECORDS_FOLDER = "image_data"


def magma_folder(folder: Path, *, hashes: bool = True, name: str | None = None) -> Manifest:
    """Read `{"image_path": ..., "captions": [...], "metadata": {...}}` from each json below `image_data`.

    Rows are sorted by the json's path. A row's id is the picture's path; `image_path` is relative to the folder.
    Metadata that are texts or numbers are its labels.

    Args:
        folder: holds `images` and `image_data`.
        hashes: take each picture's sha256 into its row. A picture that is missing has none; encoding it will say so.
        name: what to call the data; None: the folder's name.

    Raises:
        MissingResourceError: there is no such folder.
        EmptyDataError: it holds no records, or none of their pictures is there.
        BadInputError: a record is not as described, or its picture lies outside the folder.
    """
    if not (folder / RECORDS_FOLDER).is_dir():
        raise MissingResourceError(
            f"{folder} has no folder `{RECORDS_FOLDER}`. MAGMA's data hold images and image_data."
        )
    rows = [_row(path, folder) for path in _records(folder / RECORDS_FOLDER)]
    if not rows:
        raise EmptyDataError(
            f"{folder / RECORDS_FOLDER} holds no json. Convert some data into it, or name another folder."
        )
    source = FolderPictures(folder)
    if hashes:
        digests = picture_hashes(source, [row.id for row in rows])
        if not digests:
            raise EmptyDataError(f"{folder}: none of {len(rows)} pictures is there, such as `{rows[0].id}`.")
        rows = [Row(row.id, row.picture, row.texts, row.labels, digests.get(row.id)) for row in rows]
    described = {"reader": "magma_folder", "folder": folder.resolve().name}
    return Manifest(name or folder.resolve().name, tuple(rows), source, described)


def _records(folder: Path) -> list[str]:
    return sorted(
        os.path.join(at, name) for at, _, names in os.walk(folder) for name in names if name.endswith(".json")
    )


def _row(path: str, folder: Path) -> Row:
    try:
        with open(path, encoding="utf-8") as file:
            record: Any = json.load(file)
        key = os.path.normpath(str(record["image_path"])).replace(os.sep, "/")
        captions = record.get("captions") or []
        texts = tuple(str(text).strip() for text in ([captions] if isinstance(captions, str) else captions))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{path} is no record of MAGMA's ({type(error).__name__}: {error}). It holds image_path and captions."
        raise BadInputError(message) from error
    if key.startswith("../") or os.path.isabs(key):
        raise BadInputError(f"{path}: `{key}` lies outside {folder}. Pictures must lie inside their data's folder.")
    labels: dict[str, Label] = {
        str(k): v for k, v in (record.get("metadata") or {}).items() if isinstance(v, str | int | float | bool)
    }
    return Row(key, key, tuple(filter(None, texts)), labels)
