"""Pictures as files: which ones lie below a folder or in a zip, and the sha256 of each, looked up once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import BadInputError, EmptyDataError, MissingResourceError
from ..manifest import FolderPictures, PictureSource, ZipPictures
from ..progress import progress
from ..storage import cache_folder, digest, read_json, write_json

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"})
_THREADS = 8
_REMEMBERED_FROM = 200  # fewer files are hashed faster than a file of hashes is kept


@dataclass(frozen=True)
class PictureFiles:
    """Pictures that lie together.

    Attributes:
        path: the folder, zip file or single picture they are in.
        keys: where each lies, relative to the folder or in the zip, with `/` between parts, sorted.
        source: reads one by its key.
    """

    path: Path
    keys: tuple[str, ...]
    source: PictureSource

    @property
    def name(self) -> str:
        """What to call data read from here."""
        return self.path.stem if self.path.is_file() else self.path.resolve().name


def find_pictures(path: Path) -> PictureFiles:
    """All pictures below a folder (links to folders are not followed), in a zip, or the one picture named.

    Raises:
        MissingResourceError: there is nothing at `path`.
        BadInputError: it is neither folder, zip nor picture.
        EmptyDataError: it holds no picture.
    """
    if path.is_dir():
        found = PictureFiles(path, tuple(sorted(_walk(path))), FolderPictures(path))
    elif not path.is_file():
        raise MissingResourceError(f"There is no {path}. Name a folder of pictures, a zip of them, or one picture.")
    elif path.suffix.lower() in PICTURE_SUFFIXES:
        found = PictureFiles(path, (path.name,), FolderPictures(path.parent))
    elif zipfile.is_zipfile(path):
        found = PictureFiles(path, tuple(sorted(filter(is_picture, _members(path)))), ZipPictures(path))
    else:
        raise BadInputError(f"{path} is neither a folder, a zip nor a picture ({', '.join(sorted(PICTURE_SUFFIXES))}).")
    if not found.keys:
        kinds = ", ".join(sorted(PICTURE_SUFFIXES))
        raise EmptyDataError(f"{path} holds no pictures. Put some into it ({kinds}), or name another folder.")
    return found


def picture_hashes(files: PictureSource, keys: Iterable[str]) -> dict[str, str]:
    """The sha256 (hexadecimal) of each picture's bytes; those that cannot be read are left out.

    Hashes are kept in the cache together with each file's size and time (in a zip: its checksum), so that a data set of
    many gigabytes is read for them only once.

    Args:
        files: `FolderPictures` or `ZipPictures`; other sources have no files and give nothing.
        keys: the pictures wanted.
    """
    if isinstance(files, FolderPictures):
        return _remembered(files.root, keys, _stamps_of_files(files.root), lambda key: (files.root / key).read_bytes())
    if isinstance(files, ZipPictures):
        with zipfile.ZipFile(files.path) as archive:
            stamps = {info.filename: [info.file_size, info.CRC] for info in archive.infolist()}
            return _remembered(files.path, keys, stamps.get, archive.read)
    return {}


def is_picture(key: str) -> bool:
    """Is this the name of a picture, by its ending, that is neither hidden nor lies in a hidden folder or in `..`?"""
    path = PurePosixPath(key)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return path.suffix.lower() in PICTURE_SUFFIXES and not hidden


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except zipfile.BadZipFile as error:
        raise BadInputError(f"{path} is a damaged zip ({error}). Fetch it again.") from error


def _walk(root: Path) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        below = Path(folder).relative_to(root)
        yield from filter(is_picture, ((below / name).as_posix() for name in names))


def _stamps_of_files(root: Path) -> Callable[[str], list[int] | None]:
    inside = root.resolve()

    def stamp(key: str) -> list[int] | None:
        """Size and time of a file below the root; None for one that is not there, or lies outside."""
        path = root / key
        try:
            status = path.stat()
        except OSError:
            return None
        linked_or_outside = path.is_symlink() or ".." in PurePosixPath(key).parts or os.path.isabs(key)
        if linked_or_outside and not path.resolve().is_relative_to(inside):
            return None
        return [status.st_size, status.st_mtime_ns]

    return stamp


def _remembered(
    where: Path, keys: Iterable[str], stamp: Callable[[str], list[int] | None], read: Callable[[str], bytes]
) -> dict[str, str]:
    stamps = {key: found for key in keys if (found := stamp(key)) is not None}
    store = cache_folder() / "picture-hashes" / f"{digest(str(where.resolve()))[:16]}.json"
    known: dict[str, list[Any]] = {}
    if len(stamps) >= _REMEMBERED_FROM:
        with contextlib.suppress(OSError, ValueError):
            known = read_json(store)
    new = [key for key, value in stamps.items() if known.get(key, [None])[0] != value]
    known |= {key: [stamps[key], value] for key, value in _hash_all(new, read, where.name)}
    if len(new) >= _REMEMBERED_FROM:
        with contextlib.suppress(OSError):
            write_json(store, known)
    return {key: known[key][1] for key in stamps if key in known and known[key][0] == stamps[key]}


def _hash_all(keys: list[str], read: Callable[[str], bytes], what: str) -> Iterator[tuple[str, str]]:
    def one(key: str) -> str | None:
        try:
            return hashlib.sha256(read(key)).hexdigest()
        except (OSError, zipfile.BadZipFile, RuntimeError):  # RuntimeError: an encrypted member
            return None

    with (
        ThreadPoolExecutor(_THREADS) as threads,
        progress(len(keys), f"hash {what}", unit="picture", quiet=not sys.stderr.isatty()) as bar,
    ):
        for key, value in zip(keys, threads.map(one, keys), strict=True):
            bar.update()
            if value is not None:
                yield key, value
