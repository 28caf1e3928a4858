"""Animals with Attributes 2: `JPEGImages/<class>/<picture>.jpg`, 50 classes of animals."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ..errors import BadInputError, UnknownNameError
from ..manifest import Manifest, Row
from .descriptions import describe, read_table
from .pictures import find_pictures, picture_hashes

PICTURES_FOLDER = "JPEGImages"


def awa2(folder: Path, *, split: str | None = None, hashes: bool = True, name: str | None = None) -> Manifest:
    """Read AwA2 as its authors pack it. Rows are sorted by path below `folder`, which is also their id.

    Labels: `class`, such as `grizzly bear`, and `split`, the standard split by class into `train` (40) and `test` (10).

    Args:
        folder: the unpacked Animals_with_Attributes2, its JPEGImages, or the zip as it was downloaded.
        split: `train` or `test`; None: all.
        hashes: take each picture's sha256 into its row.
        name: what to call the data.

    Raises:
        MissingResourceError, EmptyDataError: there is no such folder, or no picture in it.
        BadInputError: a folder is none of AwA2's classes.
        UnknownNameError: there is no such split.
    """
    description = describe("awa2")
    classes = {row["class"]: row for row in read_table("awa2", "classes.csv")}
    if split is not None and split not in description.splits:
        raise UnknownNameError("split", split, description.splits, where="AwA2")
    files = find_pictures(folder)
    labels = {key: _class(key, folder) for key in files.keys}
    if unknown := sorted(set(labels.values()) - set(classes)):
        message = f"`{unknown[0]}` in {folder} is none of AwA2's classes. Wanted are {description.layout[0].what}."
        raise BadInputError(message)
    kept = {key: label for key, label in labels.items() if split in (None, classes[label]["split"])}
    digests = picture_hashes(files.source, kept) if hashes else {}
    rows = tuple(
        Row(key, key, (), {"class": label, "split": classes[label]["split"]}, digests.get(key))
        for key, label in kept.items()
    )
    source = {"reader": "awa2", **description.source}
    return Manifest(name or "-".join(filter(None, ["awa2", split])), rows, files.source, source)


def _class(key: str, folder: Path) -> str:
    """`grizzly bear` for JPEGImages/grizzly+bear/grizzly+bear_10001.jpg, with or without what is above it."""
    parts = PurePosixPath(key).parts[:-1]
    below = parts[parts.index(PICTURES_FOLDER) + 1 :] if PICTURES_FOLDER in parts else parts
    return (below[0] if below else folder.name).replace("+", " ")
