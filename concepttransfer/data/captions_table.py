"""A table of pictures with captions: csv, tsv or jsonl."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import BadInputError, EmptyDataError, MissingResourceError, suggestion
from ..manifest import FolderPictures, Label, Manifest, PictureSource, Row, ZipPictures
from .pictures import picture_hashes

COLUMNS = ("id", "picture", "caption", "captions")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def captions_table(
    table: Path,
    *,
    pictures: Path | None = None,
    columns: Mapping[str, str] | None = None,
    hashes: bool = True,
    name: str | None = None,
) -> Manifest:
    """Read a table with the columns `picture`, `caption` or `captions`, `id`, each optional but one of the first three.

    Rows of one id (without ids: of one picture) are one row with several texts. `captions` is a list in jsonl; in csv
    its texts are divided by `|`. Every other column is a label; in jsonl, `labels` may hold some more.

    Args:
        table: the file; its ending says which of the three it is.
        pictures: what the pictures' paths are relative to, a folder or a zip; None: the table's folder.
        columns: where a column has another name in the file, as in {picture: file_name}.
        hashes: take each picture's sha256 into its row. A picture that is missing has none; encoding it will say so.
        name: what to call the data; None: the file's name.

    Raises:
        MissingResourceError: there is no such file.
        BadInputError: it cannot be parsed, has none of the columns, or a picture lies outside its folder.
        EmptyDataError: it has no rows, or none of its pictures is there.
    """
    if not table.is_file():
        raise MissingResourceError(f"There is no table {table}. Give a csv, tsv or jsonl with picture and caption.")
    renamed = {theirs: ours for ours, theirs in (columns or {}).items()}
    rows: dict[str, Row] = {}
    for number, record in _records(table):
        row = _row(record, renamed, f"{table}, line {number}")
        seen = rows.get(row.id)
        rows[row.id] = row if seen is None else Row(seen.id, seen.picture, seen.texts + row.texts, seen.labels)
    source = _source(pictures or table.parent)
    found = _hashed(rows, source, table) if hashes else tuple(rows.values())
    has_pictures = any(row.picture is not None for row in found)
    described = {"reader": "captions_table", "table": table.name}
    return Manifest(name or table.stem, found, source if has_pictures else None, described)


def _records(table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    suffix = table.suffix.lower()
    if suffix not in (*_DELIMITERS, ".jsonl"):
        raise BadInputError(f"{table} is neither csv, tsv nor jsonl. Save it as one of them.")
    with table.open(encoding="utf-8-sig", newline="") as file:
        try:
            if suffix == ".jsonl":
                yield from ((n, json.loads(line)) for n, line in enumerate(file, 1) if line.strip())
            else:
                yield from enumerate(csv.DictReader(file, delimiter=_DELIMITERS[suffix], strict=True), 2)
        except (ValueError, csv.Error) as error:
            raise BadInputError(f"{table} cannot be read: {error}") from error


def _row(values: Any, renamed: Mapping[str, str], where: str) -> Row:
    record = {renamed.get(k, k): v for k, v in values.items()} if isinstance(values, Mapping) else {}
    if None in record:
        raise BadInputError(f"{where} has more cells than there are columns. Quote texts that hold the delimiter.")
    if not {"picture", "caption", "captions"} & set(record):
        columns = list(record)
        near = next((f" `{c}`?{suggestion(str(c), COLUMNS)}" for c in columns if suggestion(str(c), COLUMNS)), "")
        raise BadInputError(f"{where} has neither `picture` nor `caption` nor `captions`.{near}")
    picture = str(record["picture"]) if record.get("picture") else None
    texts = _texts(record)
    row_id = str(record.get("id") or picture or "\n".join(texts))
    if not row_id:
        raise BadInputError(f"{where} has neither picture nor text.")
    others = {str(k): v for k, v in record.items() if k not in (*COLUMNS, "labels") and v is not None}
    return Row(row_id, picture, texts, _labels({**others, **(record.get("labels") or {})}, where))


def _texts(record: Mapping[str, Any]) -> tuple[str, ...]:
    several = record.get("captions") or []
    listed = several.split("|") if isinstance(several, str) else several
    one = [record["caption"]] if record.get("caption") else []
    return tuple(text for value in (*one, *listed) if (text := str(value).strip()))


def _labels(values: Mapping[str, Any], where: str) -> dict[str, Label]:
    for key, value in values.items():
        if not isinstance(value, str | int | float | bool):
            raise BadInputError(f"{where}: label `{key}` is a {type(value).__name__}. Labels are texts or numbers.")
    return dict(values)


def _source(pictures: Path) -> PictureSource:
    if pictures.is_dir():
        return FolderPictures(pictures)
    if pictures.is_file() and pictures.suffix.lower() == ".zip":
        return ZipPictures(pictures)
    raise MissingResourceError(f"There is no folder or zip of pictures {pictures}.")


def _hashed(rows: Mapping[str, Row], source: PictureSource, table: Path) -> tuple[Row, ...]:
    keys = [row.picture for row in rows.values() if row.picture is not None]
    if isinstance(source, FolderPictures):
        root = source.root.resolve()
        if outside := [key for key in keys if not (source.root / key).resolve().is_relative_to(root)]:
            raise BadInputError(f"{table}: `{outside[0]}` lies outside {source.root}. Pictures must lie inside it.")
    digests = picture_hashes(source, keys)
    if keys and not digests:
        raise EmptyDataError(
            f"{table}: none of its {len(keys)} pictures is there, such as `{keys[0]}`. Set `pictures:`."
        )
    return tuple(
        Row(row.id, row.picture, row.texts, row.labels, digests.get(row.picture or "")) for row in rows.values()
    )
