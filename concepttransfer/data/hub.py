"""Tables of the library `datasets`: saved on disk, as parquet files, or in its cache under the name of a hub."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInputError, EmptyDataError, MissingResourceError, UnknownNameError
from ..manifest import FolderPictures, Label, Manifest, Row, Rows, open_picture
from ..progress import progress
from ..storage import cache_folder, digest, write_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

TEXT_COLUMNS = ("caption", "captions", "text", "texts", "sentences")
_BATCH = 1000


def hub(
    folder: Path | None = None,
    *,
    dataset: str | None = None,
    config: str | None = None,
    split: str | None = None,
    image: str | None = "image",
    text: str | None = None,
    label: str | None = None,
    row_id: str | None = None,
    pictures: Path | None = None,
    hashes: bool = True,
    name: str | None = None,
) -> Manifest:
    """Read a table of pictures and texts, each row by its number, from a file that is mapped into memory.

    A row's id is its number, counted from 0. Parquet files cannot be read so: `datasets` copies them once into an Arrow
    file in the cache, which is as large. Code that comes with a data set is never run.

    Args:
        folder: what `save_to_disk` wrote, or a folder of parquet files, or one such file.
        dataset: instead of a folder, a name on a hub, such as `nlphuji/flickr30k`.
        config: the configuration of that data set, where it has several.
        split: such as `train`; None: the only one.
        image: the column of pictures: an Image, the bytes of a file, or a path; None: there are no pictures.
        text: the column of texts, each one text or a list of them; None: the first of caption, captions, text, texts,
            sentences that there is.
        label: a column that becomes the label `class`, by its name where it is a ClassLabel.
        row_id: a column that names the rows.
        pictures: the folder that paths in the table start from and may not leave; None: the table's.
        hashes: take each picture's sha256 into its row, so that the manifest's id changes when a picture does.
        name: what to call the data; None: the folder's or data set's name, and the split's.

    Raises:
        MissingResourceError: `datasets` is not installed, there is no such folder, or the data set cannot be fetched.
        UnknownNameError: there is no such split or column.
        BadInputError: the table cannot be read, or a column holds something else.
        EmptyDataError: it has no rows.
    """
    library = _library()
    if (folder is None) == (dataset is None):
        raise BadInputError("A table is read from `folder:` on disk or from `dataset:` on a hub. Give one of the two.")
    found = _from_disk(library, folder) if folder is not None else _from_hub(library, str(dataset), config)
    where = str(folder or dataset)
    table = _split(found, split, where)
    columns = {"image": image, "text": text or _text_column(table), "label": label, "row_id": row_id}
    for column in filter(None, columns.values()):
        if column not in table.column_names:
            raise UnknownNameError("column", column, table.column_names, where=where)
    root = pictures or _root(library, folder)
    source = TablePictures(table, image, root) if image else None
    digests = _hashes(source, where) if source and hashes else None
    rows = Rows.of(_rows(table, columns, digests, where))
    if not rows:
        raise EmptyDataError(f"{where} has no rows. Name another split or table.")
    called = folder.resolve().name.removesuffix(".parquet") if folder else str(dataset).replace("/", "-")
    described = {"reader": "hub", "table": called} | ({"split": split} if split else {})
    return Manifest(name or "-".join(filter(None, [called, split])), rows, source, described)


class TablePictures:
    """Pictures in a table that is mapped into memory; a key is a row's number."""

    def __init__(self, table: Any, column: str, root: Path) -> None:
        """Read from a `datasets.Dataset`; paths in it start from `root`."""
        self._column, self._files = column, FolderPictures(root)
        self.table = _undecoded(table.select_columns([column]), column)

    def read(self, key: str) -> Image:
        """Read one picture.

        Raises:
            BadInputError: the row holds none, or a path that leaves the root.
        """
        return open_picture(self.content(int(key)))

    def content(self, number: int) -> bytes:
        """The bytes of the picture of one row."""
        value = self.table[number][self._column]
        if isinstance(value, dict):
            value = value["path"] if value.get("bytes") is None else value["bytes"]
        if isinstance(value, bytes):
            return value
        if isinstance(value, str):
            return self._files.content(value)
        raise BadInputError(f"Column `{self._column}` holds {type(value).__name__} in row {number}, not a picture.")

    def __len__(self) -> int:
        return len(self.table)


def _library() -> Any:
    try:
        return import_module("datasets")
    except ImportError as error:
        raise MissingResourceError("Tables are read with the library datasets. Get it: pip install datasets") from error


def _from_disk(library: Any, folder: Path) -> Any:
    """A table or several splits that lie on disk."""
    if not folder.exists():
        raise MissingResourceError(f"There is no table {folder}. Name what `save_to_disk` wrote, or parquet files.")
    try:
        if any((folder / mark).is_file() for mark in ("state.json", "dataset_dict.json")):
            return library.load_from_disk(str(folder))
        if not (files := _parquet_files(folder)):
            raise EmptyDataError(f"{folder} holds neither what `save_to_disk` writes nor parquet files.")
        return library.load_dataset("parquet", data_files=files, cache_dir=str(cache_folder() / "datasets"))
    except (OSError, ValueError, library.exceptions.DatasetsError) as error:  # pyarrow's errors are ValueErrors
        if isinstance(error, BadInputError):
            raise
        reason = str(error.__cause__ or error).split("\n")[0]
        raise BadInputError(f"{folder} cannot be read as a table: {reason}") from error


def _parquet_files(folder: Path) -> dict[str, list[str]]:
    """The parquet files of each split, named as hubs do, `train-00000-of-00004.parquet`; others are `train`."""
    files: dict[str, list[str]] = {}
    for path in [folder] if folder.is_file() else sorted(folder.rglob("*.parquet")):
        named = re.fullmatch(r"(\w+)-\d+-of-\d+", path.stem)
        files.setdefault(named[1] if named and folder.is_dir() else "train", []).append(str(path))
    return files


def _from_hub(library: Any, dataset: str, config: str | None) -> Any:
    """All splits of a data set in the library's cache, fetched now where that is possible."""
    try:
        return library.load_dataset(dataset, config)
    except (OSError, ValueError, library.exceptions.DatasetsError) as error:
        reason = str(error).split("\n")[0]
        named = f'"{dataset}", "{config}"' if config else f'"{dataset}"'
        message = f"`{dataset}` is not in the cache of datasets and cannot be fetched: {reason}."
        remedy = f"`datasets.load_dataset({named}).save_to_disk(FOLDER)`"
        raise MissingResourceError(
            f"{message} Where there is a network, run {remedy}, bring FOLDER here, and set `folder: FOLDER`."
        ) from error


def _split(found: Any, split: str | None, where: str) -> Any:
    if not isinstance(found, dict):
        if split is not None and str(found.split) != split:
            raise UnknownNameError("split", split, [str(found.split)] if found.split else [], where=where)
        return found
    if split is None and len(found) == 1:
        return next(iter(found.values()))
    if split is None:
        raise BadInputError(f"{where} has several splits: {', '.join(sorted(found))}. Set `split:` to one of them.")
    if split not in found:
        raise UnknownNameError("split", split, found, where=where)
    return found[split]


def _text_column(table: Any) -> str | None:
    return next((column for column in TEXT_COLUMNS if column in table.column_names), None)


def _root(library: Any, folder: Path | None) -> Path:
    if folder is None:
        return Path(library.config.HF_CACHE_HOME)
    return folder.parent if folder.is_file() else folder


def _undecoded(table: Any, column: str) -> Any:
    """The table with files rather than pictures in the column: we read them like all others."""
    images = _library().Image
    return table.cast_column(column, images(decode=False)) if isinstance(table.features[column], images) else table


def _rows(table: Any, columns: dict[str, str | None], digests: NDArray[np.uint8] | None, where: str) -> Iterator[Row]:
    text, label, row_id = columns["text"], columns["label"], columns["row_id"]
    wanted = list(dict.fromkeys(filter(None, (text, label, row_id))))
    names = getattr(table.features[label], "names", None) if label else None
    light = table.select_columns(wanted)
    for start in range(0, len(table), _BATCH):
        stop = min(start + _BATCH, len(table))
        batch = light[start:stop] if wanted else {}
        for number in range(start, stop):
            at = number - start
            yield Row(
                str(batch[row_id][at]) if row_id else str(number),
                str(number) if columns["image"] else None,
                _texts(batch[text][at], f"{where}, column `{text}`, row {number}") if text else (),
                _labels(batch[label][at], names) if label else {},
                _hexadecimal(digests, number),
            )


def _texts(value: Any, where: str) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if wrong := [one for one in listed if one is not None and not isinstance(one, str)]:
        raise BadInputError(f"{where}: a {type(wrong[0]).__name__}, not a text or a list of texts. Set `text:`.")
    return tuple(stripped for one in listed if one is not None and (stripped := one.strip()))


def _labels(value: Any, names: list[str] | None) -> dict[str, Label]:
    return {} if value is None else {"class": names[value] if names is not None else value}


def _hexadecimal(digests: NDArray[np.uint8] | None, number: int) -> str | None:
    """A sha256 in hexadecimal; None for the zeros of a picture that could not be read."""
    if digests is None or not (found := digests[number]).any():
        return None
    return bytes(found).hex()


def _hashes(pictures: TablePictures, where: str) -> NDArray[np.uint8]:
    """The sha256 of each picture's file, `[n, 32]`, zeros where there is none; kept in the cache."""
    stamps = [(file["filename"], Path(file["filename"]).stat().st_mtime_ns) for file in pictures.table.cache_files]
    key = digest(pictures.table._fingerprint, stamps)  # the fingerprint names the rows and the column
    path = cache_folder() / "picture-hashes" / f"{key[:24]}.npy"
    with contextlib.suppress(OSError, ValueError):
        kept: NDArray[np.uint8] = np.load(path, mmap_mode="r")
        return kept
    digests = np.zeros((len(pictures), 32), np.uint8)
    with progress(len(pictures), f"hash {where}", unit="picture", quiet=not sys.stderr.isatty()) as bar:
        for number in range(len(pictures)):
            with contextlib.suppress(OSError, BadInputError):
                digests[number] = np.frombuffer(hashlib.sha256(pictures.content(number)).digest(), np.uint8)
            bar.update()
    buffer = io.BytesIO()
    np.save(buffer, digests)
    with contextlib.suppress(OSError):
        write_bytes(path, buffer.getvalue())
    return digests
