"""Published annotations: lists in a json file, plain or gzipped, and the pictures that their entries name."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import BadInputError, EmptyDataError, MissingResourceError, UnknownNameError
from ..manifest import Manifest, Row
from .descriptions import DataManifest
from .pictures import PictureFiles, find_pictures, picture_hashes

MISSING = ("keep", "skip", "refuse")
"""What becomes of a row whose picture is not there."""


@dataclass(frozen=True)
class Wanted:
    """How a reader of annotations was asked for its pictures.

    Attributes:
        pictures: the folder or zip that the user named; None: look below the data's folder.
        missing: `keep` a row whose picture is not there (encoding records it as unreadable), `skip` it, or `refuse`.
        texts_only: rows without pictures.
        hashes: take each picture's sha256 into its row.
    """

    pictures: Path | None
    missing: str
    texts_only: bool
    hashes: bool

    def __post_init__(self) -> None:
        if self.missing not in MISSING:
            raise UnknownNameError("way with missing pictures", self.missing, MISSING)


def find_annotations(folder: Path, places: Sequence[str], key: str, description: DataManifest) -> Path:
    """The first of some files that is there, plain or gzipped.

    Raises:
        MissingResourceError: none is.
    """
    for place in places:
        for path in (folder / place, folder / f"{place}.gz"):
            if path.is_file():
                return path
    comes_in = {entry.path: entry.comes_in for entry in description.layout}
    urls = [file.url for file in description.files if file.name == comes_in.get(places[0])]
    how = f"Unpack {urls[0]} into it" if urls else f"Put it there ({description.url})"
    message = f"There is no {places[0]} in {folder}. {how}, or name the file with `{key}:`."
    raise MissingResourceError(message)


def read_lists(path: Path, *keys: str, of: type = dict) -> list[list[Any]]:
    """Some of the lists in a json file, by default each of objects.

    Raises:
        MissingResourceError: there is no such file.
        BadInputError: it is no json, or has no such list.
    """
    values = read_json_file(path)
    lists = [values.get(key) if isinstance(values, dict) else None for key in keys]
    for key, found in zip(keys, lists, strict=True):
        if not isinstance(found, list) or not all(isinstance(entry, of) for entry in found):
            raise BadInputError(f"{path} is not as published: it has no list `{key}`. Name another file.")
    return [found for found in lists if found is not None]


def read_json_file(path: Path) -> Any:
    """What a json file holds, gzipped or not.

    Raises:
        MissingResourceError: there is no such file.
        BadInputError: it is no json, or cut short.
    """
    if not path.is_file():
        raise MissingResourceError(f"There is no file {path}. Put it there, or name another one.")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return json.load(file)
    except (OSError, EOFError, ValueError) as error:
        message = f"{path} cannot be read ({type(error).__name__}: {error}). Fetch it again."
        raise BadInputError(message) from error


@contextmanager
def as_published(path: Path) -> Iterator[None]:
    """Say of entries that lack a field, or hold another thing in it, which file they are in.

    Raises:
        BadInputError: such an entry came.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        what = f"an entry has no {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        raise BadInputError(f"{path} is not as published: {what}. Fetch it again, or name another file.") from error


def by_id(entries: Iterable[Mapping[str, Any]], key: str, path: Path) -> dict[int, Mapping[str, Any]]:
    """Entries by a whole number that names each.

    Raises:
        BadInputError: two have the same one.
    """
    found: dict[int, Mapping[str, Any]] = {}
    for entry in entries:
        if found.setdefault(int(entry[key]), entry) is not entry:
            raise BadInputError(f"{path} has two entries with {key} {entry[key]}. Fetch it again, or keep one of them.")
    return found


def captions_by_picture(entries: Iterable[Mapping[str, Any]], ids: Iterable[int], path: Path) -> dict[int, list[str]]:
    """The captions of each picture, in the file's order, without blanks around them; empty ones are left out.

    Raises:
        BadInputError: a caption is about a picture that the file does not list.
    """
    captions: dict[int, list[str]] = {image_id: [] for image_id in ids}
    for entry in entries:
        image_id, text = int(entry["image_id"]), entry["caption"].strip()
        if image_id not in captions:
            raise BadInputError(f"{path} has a caption of picture {image_id}, which it does not list. Fetch it again.")
        if text:
            captions[image_id].append(text)
    return captions


def to_manifest(
    name: str, rows: Sequence[Row], folder: Path, places: Sequence[str], wanted: Wanted, source: Mapping[str, str]
) -> Manifest:
    """Find the rows' pictures, which they name as the annotations do.

    A picture is found by its path, or else by its name alone, below the first of the places that is there. COCO's
    pictures have two names: those of 2014 say their split as well (COCO_val2014_000000000042.jpg).

    Args:
        name: of the data.
        rows: in their order, each with a picture.
        folder: the data's.
        places: folders and zips in it that may hold the pictures, the likeliest first.
        wanted: what the user said of pictures.
        source: where the data come from.

    Raises:
        MissingResourceError: there are no pictures.
        EmptyDataError: there are no rows, or none of their pictures is there.
        BadInputError: a picture lies outside the folder, is missing though that was refused, or there are two of it.
    """
    for row in rows:
        _check_inside(str(row.picture), name)
    if wanted.texts_only or not rows:
        return Manifest(name, tuple(replace(row, picture=None) for row in rows), None, source)
    files = _find(name, folder, places, wanted.pictures)
    keys = _Keys(files)
    found = [keys.find(str(row.picture)) for row in rows]
    lost = [str(row.picture) for row, key in zip(rows, found, strict=True) if key is None]
    if len(lost) == len(rows):
        what = f"{files.path} holds none of the {len(rows)} pictures of `{name}`, such as `{lost[0]}`."
        raise EmptyDataError(f"{what} Name their folder or zip with `pictures:`.")
    if lost and wanted.missing == "refuse":
        what = f"{files.path} lacks {len(lost)} of {len(rows)} pictures of `{name}`, such as `{lost[0]}`."
        raise BadInputError(f"{what} Put them there, or say `missing: skip` to leave their rows out.")
    pairs = [(r, k or str(r.picture)) for r, k in zip(rows, found, strict=True) if k or wanted.missing == "keep"]
    digests = picture_hashes(files.source, dict.fromkeys(key for _, key in pairs)) if wanted.hashes else {}
    kept = tuple(replace(row, picture=key, sha256=digests.get(key)) for row, key in pairs)
    told = {"skipped": f"{len(lost)} of {len(rows)} rows, whose pictures are missing"} if len(kept) < len(rows) else {}
    return Manifest(name, kept, files.source, {**source, **told})


def _find(name: str, folder: Path, places: Sequence[str], given: Path | None) -> PictureFiles:
    """The pictures below the place that the user named, or below the first that is there."""
    if given is not None:
        return find_pictures(given)
    for place in (*(folder / place for place in places), folder):
        if place.exists():
            try:
                return find_pictures(place)
            except EmptyDataError:
                continue
    where = " or ".join(places[:3])
    raise MissingResourceError(
        f"There are no pictures of `{name}` in {folder}. Put {where} into it, name their folder or zip with "
        "`pictures:`, or say `texts_only: true`."
    )


def _check_inside(picture: str, name: str) -> None:
    if PurePosixPath(picture).is_absolute() or ".." in PurePosixPath(picture).parts or "\\" in picture:
        message = f"`{name}`: `{picture}` lies outside its folder. Pictures must lie inside their data's folder."
        raise BadInputError(message)


class _Keys:
    """Finds a picture by the path or name that annotations give it."""

    def __init__(self, files: PictureFiles) -> None:
        self.files = files
        self.keys = frozenset(files.keys)
        self.named: dict[str, list[str]] = {}
        for key in files.keys:
            self.named.setdefault(PurePosixPath(key).name, []).append(key)

    def find(self, picture: str) -> str | None:
        """Its key, or None if it is not there."""
        if picture in self.keys:
            return picture
        name = PurePosixPath(picture).name
        found = self.named.get(name) or (self.named.get(name.rsplit("_", 1)[-1]) if name.startswith("COCO_") else None)
        if found and len(found) > 1:
            what = f"{self.files.path} holds two pictures called {name}: {found[0]} and {found[1]}."
            raise BadInputError(f"{what} Name the folder that is meant with `pictures:`.")
        return found[0] if found else None
