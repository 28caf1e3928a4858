"""Which pictures and texts, in which order: what "the same data" means everywhere."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from .errors import BadInputError, EmptyDataError, MismatchError
from .rows import Label, Row, Rows, repeated
from .storage import digest, digest_of_list

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "FolderPictures",
    "Label",
    "Manifest",
    "PictureSource",
    "Row",
    "Rows",
    "ZipPictures",
    "open_picture",
    "to_rgb",
]

COMPACT_FROM = 10_000
"""Rows from which on a manifest keeps them in buffers."""


class PictureSource(Protocol):
    """Finds a picture by its key. Must survive pickling, so that loading can be spread over processes."""

    def read(self, key: str) -> Image:
        """The picture of `key`, in whatever mode it is stored in."""


@dataclass(frozen=True)
class FolderPictures:
    """Pictures that are files below `root`; a key is a path relative to it."""

    root: Path

    def read(self, key: str) -> Image:
        """Open one file below the root."""
        return open_picture(self.content(key))

    def content(self, key: str) -> bytes:
        """The bytes of a picture's file.

        Raises:
            BadInputError: it lies outside the root.
        """
        path = (self.root / key).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise BadInputError(f"`{key}` lies outside {self.root}. Pictures must lie inside their data's folder.")
        return path.read_bytes()


@dataclass(frozen=True)
class ZipPictures:
    """Pictures inside a zip file that is never unpacked; a key is a member's name."""

    path: Path

    def read(self, key: str) -> Image:
        """Read one member. Each process and thread opens the file for itself."""
        return open_picture(self._archive().read(key))

    def _archive(self) -> zipfile.ZipFile:
        import os
        import threading

        owner = (os.getpid(), threading.get_ident())
        held: tuple[tuple[int, int], zipfile.ZipFile] | None = self.__dict__.get("_held")
        if held is None or held[0] != owner:
            held = (owner, zipfile.ZipFile(self.path))
            self.__dict__["_held"] = held
        return held[1]

    def __getstate__(self) -> dict[str, Path]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Path]) -> None:
        object.__setattr__(self, "path", state["path"])


def open_picture(content: bytes) -> Image:
    """The picture that a file of these bytes holds, read to its end."""
    from PIL import Image

    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture


@dataclass(frozen=True)
class Manifest:
    """An ordered list of rows; its `id` is the sha256 of them, so "the same pictures" is a string comparison.

    Attributes:
        name: what people call it, such as `microworld-test`. Not part of `id`.
        rows: the rows, in their order. Many (10,000 and more) are kept as `Rows`, which make each when asked for.
        pictures: finds their pictures; None for texts alone.
        source: where the data come from: title, licence, citation, ... Not part of `id`.
    """

    name: str
    rows: Sequence[Row]
    pictures: PictureSource | None = None
    source: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.rows:
            raise EmptyDataError(f"`{self.name}` has no rows. Name a folder, table or split that holds some.")
        if len(self.rows) >= COMPACT_FROM and not isinstance(self.rows, Rows):
            object.__setattr__(self, "rows", Rows.of(self.rows))
        if (twice := repeated(self.ids)) is not None:
            raise BadInputError(f"`{self.name}` names row `{twice}` more than once. Give each row an id of its own.")

    @cached_property
    def id(self) -> str:
        """sha256 of the rows: ids, pictures' hashes (or keys), texts and labels, in order."""
        return digest_of_list((r.id, r.sha256 or r.picture, r.texts, sorted(r.labels.items())) for r in self.rows)

    @cached_property
    def ids(self) -> Sequence[str]:
        """The rows' ids, in order."""
        return self.rows.ids if isinstance(self.rows, Rows) else tuple(row.id for row in self.rows)

    @cached_property
    def texts(self) -> Sequence[tuple[str, ...]]:
        """Each row's texts, in order."""
        return self.rows.texts if isinstance(self.rows, Rows) else tuple(row.texts for row in self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def labels(self, name: str) -> list[Label]:
        """Each row's label `name`, None where a row has none."""
        return [row.labels.get(name) for row in self.rows]

    def read(self, index: int) -> Image:
        """The picture of row `index`, in RGB.

        Raises:
            BadInputError: the row has no picture, or it cannot be read.
        """
        row = self.rows[index]
        if self.pictures is None or row.picture is None:
            raise BadInputError(f"Row `{row.id}` of `{self.name}` has no picture.")
        try:
            return to_rgb(self.pictures.read(row.picture))
        except Exception as error:
            raise BadInputError(f"{type(error).__name__}: {error}") from error

    def limit(self, n: int | None) -> Manifest:
        """`n` rows drawn by their ids, in their order: no order of classes can bias it, and fewer are part of more.

        None keeps all.

        Raises:
            BadInputError: `n` leaves nothing.
        """
        if n is None or n >= len(self):
            return self
        if n < 1:
            raise BadInputError(f"A limit of {n} rows leaves nothing. Give 1 or more.")
        drawn = np.fromiter((int(digest(row_id)[:16], 16) for row_id in self.ids), np.uint64, len(self))
        return self._chosen(np.sort(np.argsort(drawn, kind="stable")[:n]).tolist())

    def take(self, ids: Iterable[str]) -> Manifest:
        """The rows named, in the order named.

        Raises:
            MismatchError: an id is not in this manifest.
        """
        wanted = ids if isinstance(ids, Sequence) else list(ids)
        if (numbers := _in_order(self.ids, wanted)) is None:
            at = {row_id: number for number, row_id in enumerate(self.ids)}
            if missing := [i for i in wanted if i not in at]:
                message = f"`{self.name}` has no row `{missing[0]}` ({len(missing)} of {len(wanted)} are missing)."
                raise MismatchError(message)
            numbers = [at[i] for i in wanted]
        return self._chosen(numbers)

    def pictures_only(self) -> Manifest:
        """Its pictures, each once, named by their keys: what is encoded where several rows are about one picture.

        Raises:
            EmptyDataError: no row has a picture.
        """
        each = {row.picture: Row(row.picture, row.picture, sha256=row.sha256) for row in self.rows if row.picture}
        return replace(self, rows=tuple(each.values()))

    def _chosen(self, numbers: list[int]) -> Manifest:
        rows = self.rows.take(numbers) if isinstance(self.rows, Rows) else tuple(self.rows[n] for n in numbers)
        return replace(self, rows=rows)


def _in_order(ids: Sequence[str], wanted: Iterable[str]) -> list[int] | None:
    """Where the wanted ids stand, if they stand in the same order, as those of encoded rows do; otherwise None."""
    numbers, left = [], enumerate(ids)
    for row_id in wanted:
        if (number := next((n for n, found in left if found == row_id), None)) is None:
            return None
        numbers.append(number)
    return numbers


def to_rgb(picture: Image) -> Image:
    """Any picture in RGB: 16-bit greys are scaled, transparency laid on white, an animation's first frame."""
    from PIL import Image, ImageMath

    if picture.mode.startswith("I;16") or picture.mode == "I":
        picture = ImageMath.lambda_eval(lambda args: args["convert"](args["a"] / 257, "L"), a=picture.convert("I"))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return picture.convert("RGB")
