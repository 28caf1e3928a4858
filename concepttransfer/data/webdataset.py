"""WebDataset tars, as img2dataset writes them: pictures and captions of one name side by side. Nothing is unpacked."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import weakref
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..errors import BadInputError, EmptyDataError, MissingResourceError
from ..manifest import Manifest, Row, Rows, open_picture
from ..progress import progress
from .tar_index import TarIndex, tar_index

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_OPEN = 128
"""Tars that a process holds open at once; systems allow it a thousand files."""

_THREADS = 4
logger = logging.getLogger(__name__)


def webdataset(
    folder: Path,
    *,
    shards: str = "*.tar",
    captions: str | None = "txt",
    hashes: bool = True,
    name: str | None = None,
) -> Manifest:
    """Read `000000000.jpg` with `000000000.txt` and `000000000.json` from tars, each picture by its place in its tar.

    Rows are in the order of the tars' names and, in a tar, of its members. A row's id is `00012.tar/000000123.jpg`.
    Each tar is read once from begin to end and what lies where is kept in the cache, until its size or time changes.
    Of a tar that is cut short what is whole is used; a warning and the manifest's source, under `cut_short`, say so.
    Members that are hidden, links, or climb with `..` are left out.

    Args:
        folder: holds the tars; or one tar.
        shards: which of its tars: a pattern such as `*.tar`, or a range such as `{00000..00331}.tar`.
        captions: where a picture's text is: `txt`, the member of this ending; `json:caption`, a key of the JSON object
            beside it, a text or a list of them; None: there are none.
        hashes: take each picture's sha256 into its row, so that the manifest's id changes when a picture does.
        name: what to call the data; None: the folder's name.

    Raises:
        MissingResourceError: there is no such folder, or a tar of the range is missing.
        BadInputError: a tar is compressed, names a member twice, or has a text that cannot be read.
        EmptyDataError: no tar, or no picture in any.
    """
    tars = _tars(folder, shards)
    indexes = _indexes(tars, captions, hashes)
    cut = _cut_short(indexes)
    rows = Rows.of(_rows(indexes))
    if not rows:
        raise EmptyDataError(f"{folder}: its {len(tars)} tars (`{shards}`) hold no pictures. Name others.")
    if captions not in (None, "txt") and not any(rows.texts):
        raise BadInputError(
            f"{folder}: no picture has a text `{captions}` beside it. Set `captions: txt`, or json:KEY."
        )
    source = {"reader": "webdataset", "folder": folder.resolve().name, "shards": shards} | cut
    return Manifest(name or folder.resolve().name.removesuffix(".tar"), rows, TarPictures(indexes), source)


class TarPictures:
    """Pictures inside tars that are never unpacked; a key is `TAR/MEMBER`.

    Reading moves no position in a file, so threads and forked processes may share what is open.
    """

    def __init__(self, indexes: Mapping[str, TarIndex]) -> None:
        """Read from the tars of these indexes, each by its name."""
        self._indexes = dict(indexes)
        self._opened = lru_cache(MAX_OPEN)(_OpenTar)

    def read(self, key: str) -> Image:
        """Read one picture where it lies.

        Raises:
            BadInputError: there is no such picture, or its tar was cut short since.
        """
        return open_picture(self.content(key))

    def content(self, key: str) -> bytes:
        """The bytes of a picture's file."""
        tar, _, member = key.partition(".tar/")
        index = self._indexes.get(f"{tar}.tar")
        if index is None:
            raise BadInputError(f"`{key}` lies in none of {len(self._indexes)} tars.")
        offset, size = index.find(member)
        content = self._opened(index.tar).read(offset, size)
        if len(content) != size:
            raise BadInputError(f"{index.tar} is shorter than when it was read first. Give the same command again.")
        return content

    def __reduce__(self) -> tuple[type[TarPictures], tuple[dict[str, TarIndex]]]:
        return TarPictures, (self._indexes,)


class _OpenTar:
    """A tar held open for as long as somebody reads it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._file, size, offset)


def _tars(folder: Path, shards: str) -> dict[str, Path]:
    """The tars by their names, in the names' order."""
    if folder.is_file():
        return {f"{folder.name.removesuffix('.tar')}.tar": folder}
    if not folder.is_dir():
        raise MissingResourceError(f"There is no folder of tars {folder}. Name the folder that holds the data's tars.")
    pattern = PurePosixPath(shards)
    if pattern.is_absolute() or ".." in pattern.parts or pattern.suffix != ".tar":
        raise BadInputError(f"`shards: {shards}` must name files inside the folder that end in .tar, such as `*.tar`.")
    wanted = _expanded(shards)
    if len(wanted) > 1 and (missing := [one for one in wanted if not (folder / one).is_file()]):
        raise MissingResourceError(
            f"{folder} lacks {len(missing)} of the {len(wanted)} tars `{shards}`, such as `{missing[0]}`."
        )
    found = sorted(path for one in wanted for path in folder.glob(one) if path.is_file())
    if not found:
        raise EmptyDataError(f"{folder} holds no tar `{shards}`. Put some into it, or name another folder.")
    return {path.relative_to(folder).as_posix(): path for path in found}


def _expanded(pattern: str) -> list[str]:
    """The names that a pattern with ranges such as `{000..331}` means."""
    found = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if found is None:
        return [pattern]
    first, last = found.groups()
    numbers = (f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1))
    return [one for n in numbers for one in _expanded(pattern[: found.start()] + n + pattern[found.end() :])]


def _indexes(tars: Mapping[str, Path], captions: str | None, hashes: bool) -> dict[str, TarIndex]:
    """The index of each tar; several tars are read side by side."""
    read = partial(tar_index, captions=captions, hashes=hashes)
    with (
        ThreadPoolExecutor(_THREADS) as threads,
        progress(len(tars), "index tars", unit="tar", quiet=not sys.stderr.isatty()) as bar,
    ):
        indexes = {}
        for name, index in zip(tars, threads.map(read, tars.values()), strict=True):
            indexes[name] = index
            bar.update()
    return indexes


def _rows(indexes: Mapping[str, TarIndex]) -> Iterator[Row]:
    for tar, index in indexes.items():
        for number, (member, texts) in enumerate(zip(index.names, index.texts, strict=True)):
            key = f"{tar}/{member}"
            sha256 = index.hashes[number].tobytes().hex() if len(index.hashes) else None
            yield Row(key, key, tuple(json.loads(texts)), sha256=sha256)


def _cut_short(indexes: Mapping[str, TarIndex]) -> dict[str, str]:
    cut = {tar: index for tar, index in indexes.items() if index.cut is not None}
    for tar, index in cut.items():
        logger.warning(
            "%s is cut short or damaged at byte %d: the %d pictures before it are used.", tar, index.cut, len(index)
        )
    said = ", ".join(f"{tar} at byte {index.cut}" for tar, index in cut.items())
    return {"cut_short": said} if cut else {}
