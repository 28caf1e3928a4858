"""A folder or zip of pictures, one folder a class; a flat folder; one picture."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ..errors import UnknownNameError
from ..manifest import Manifest, Row
from .pictures import PictureFiles, find_pictures, picture_hashes

SPLITS = frozenset({"train", "training", "val", "valid", "validation", "dev", "test"})


def image_folder(pictures: Path, *, split: str | None = None, hashes: bool = True, name: str | None = None) -> Manifest:
    """Read `<class>/<picture>`, `<split>/<class>/.../<picture>`, or pictures without classes.

    Rows are sorted by path, which is also their id. Labels: `class`, the name of the folder (a word, or a WordNet id
    such as n02084071), and `split`, both where there is one.

    Args:
        pictures: a folder, a zip with folders in it (never unpacked), or one picture.
        split: only what lies below the folder of this name.
        hashes: take each picture's sha256 into its row, so that the manifest's id changes when a picture does.
        name: what to call the data; None: the folder's name, and the split's.

    Raises:
        MissingResourceError, BadInputError, EmptyDataError: there is no such folder, zip or picture, or it is empty.
        UnknownNameError: there is no such split.
    """
    files = find_pictures(pictures)
    places = _places(files, split)
    digests = picture_hashes(files.source, places) if hashes else {}
    rows = tuple(Row(key, key, (), labels, digests.get(key)) for key, labels in places.items())
    source = {"reader": "image_folder", "pictures": files.name} | ({"split": split} if split else {})
    return Manifest(name or "-".join(filter(None, [files.name, split])), rows, files.source, source)


def _places(files: PictureFiles, split: str | None) -> dict[str, dict[str, str]]:
    """For each picture wanted, its class and split as its folders name them."""
    folders = {key: PurePosixPath(key).parts[:-1] for key in files.keys}
    if split is not None:
        below = {key: parts[parts.index(split) + 1 :] for key, parts in folders.items() if split in parts}
        if not below:
            raise UnknownNameError("split", split, {p[0] for p in folders.values() if p}, where=str(files.path))
        return {key: {"split": split} | _class(parts) for key, parts in below.items()}
    folders = _without_wrapper(folders)
    if all(parts and parts[0] in SPLITS for parts in folders.values()):
        return {key: {"split": parts[0]} | _class(parts[1:]) for key, parts in folders.items()}
    return {key: _class(parts) for key, parts in folders.items()}


def _without_wrapper(folders: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Leave out a folder that wraps all the others: many zips have one."""
    if len({parts[:1] for parts in folders.values()}) == 1 and all(len(parts) > 1 for parts in folders.values()):
        return {key: parts[1:] for key, parts in folders.items()} if not _is_split(folders) else folders
    return folders


def _is_split(folders: dict[str, tuple[str, ...]]) -> bool:
    return next(iter(folders.values()))[0] in SPLITS


def _class(parts: tuple[str, ...]) -> dict[str, str]:
    return {"class": parts[0]} if parts else {}
