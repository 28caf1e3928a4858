"""Which pictures and texts, in which order: what "the same data" means everywhere."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .errors import BadInputError, EmptyDataError, MismatchError
from .storage import digest

if TYPE_CHECKING:
    from PIL.Image import Image

Label = str | int | float | bool | None


@dataclass(frozen=True)
class Row:
    """One picture, its texts, or both.

    Attributes:
        id: names the row; unique in its manifest.
        picture: the key by which the manifest's picture source finds the picture, or None.
        texts: captions or other texts.
        labels: what is known about the row, such as `class`.
        sha256: of the picture's bytes, where the picture is a file.
    """

    id: str
    picture: str | None = None
    texts: tuple[str, ...] = ()
    labels: Mapping[str, Label] = field(default_factory=dict)
    sha256: str | None = None


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
        from PIL import Image

        path = (self.root / key).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise BadInputError(f"`{key}` lies outside {self.root}. Pictures must lie inside their data's folder.")
        with path.open("rb") as file:
            return _loaded(Image.open(io.BytesIO(file.read())))


@dataclass(frozen=True)
class ZipPictures:
    """Pictures inside a zip file that is never unpacked; a key is a member's name."""

    path: Path

    def read(self, key: str) -> Image:
        """Read one member. Each process and thread opens the file for itself."""
        from PIL import Image

        return _loaded(Image.open(io.BytesIO(self._archive().read(key))))

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


def _loaded(picture: Image) -> Image:
    picture.load()
    return picture


@dataclass(frozen=True)
class Manifest:
    """An ordered list of rows; its `id` is the sha256 of them, so "the same pictures" is a string comparison.

    Attributes:
        name: what people call it, such as `microworld-test`. Not part of `id`.
        rows: the rows, in their order.
        pictures: finds their pictures; None for texts alone.
        source: where the data come from: title, licence, citation, ... Not part of `id`.
    """

    name: str
    rows: tuple[Row, ...]
    pictures: PictureSource | None = None
    source: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.rows:
            raise EmptyDataError(f"`{self.name}` has no rows. Name a folder, table or split that holds some.")
        if len(set(self.ids)) != len(self.rows):
            twice = sorted(i for i in set(self.ids) if self.ids.count(i) > 1)[0]
            raise BadInputError(f"`{self.name}` names row `{twice}` more than once. Give each row an id of its own.")

    @cached_property
    def id(self) -> str:
        """sha256 of the rows: ids, pictures' hashes (or keys), texts and labels, in order."""
        return digest([(r.id, r.sha256 or r.picture, r.texts, sorted(r.labels.items())) for r in self.rows])

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The rows' ids, in order."""
        return tuple(row.id for row in self.rows)

    @cached_property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """Each row's texts, in order."""
        return tuple(row.texts for row in self.rows)

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
        kept = set(sorted(self.ids, key=digest)[:n])
        return replace(self, rows=tuple(row for row in self.rows if row.id in kept))

    def take(self, ids: Iterable[str]) -> Manifest:
        """The rows named, in the order named.

        Raises:
            MismatchError: an id is not in this manifest.
        """
        at = {row.id: row for row in self.rows}
        wanted = list(ids)
        if missing := [i for i in wanted if i not in at]:
            message = f"`{self.name}` has no row `{missing[0]}` ({len(missing)} of {len(wanted)} are missing)."
            raise MismatchError(message)
        return replace(self, rows=tuple(at[i] for i in wanted))


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
