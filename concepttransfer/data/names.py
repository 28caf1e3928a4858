"""A plain word for each class, from a table; and some pictures of each class held out."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from ..errors import BadInputError, EmptyDataError, MissingResourceError, UnknownNameError
from ..manifest import Manifest
from ..storage import digest
from .class_table import decided, is_class_table, read_class_table

SUBSETS = ("fit", "dev")
NAME_COLUMNS = ("wordnet_id", "name")


def read_names(path: Path) -> dict[str, str]:
    """Class -> word, from a csv with the columns `wordnet_id` (the class's folder) and `name` (its word).

    A table of classes, as `concepttransfer data add` makes it, gives each class its first word.

    Raises:
        MissingResourceError: there is no such file.
        BadInputError: a column is missing, or a class has two words; a table of classes is not yet decided.
    """
    if not path.is_file():
        raise MissingResourceError(f"There is no table of names {path}. Give a csv with columns wordnet_id and name.")
    if is_class_table(path):
        return {label: row.words[0] for label, row in decided(path, read_class_table(path)).items()}
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        if missing := [column for column in NAME_COLUMNS if column not in (table.fieldnames or [])]:
            raise BadInputError(f"{path} has no column `{missing[0]}`. A table of names has wordnet_id and name.")
        rows = [(row["wordnet_id"].strip(), (row["name"] or "").strip()) for row in table]
    words: dict[str, str] = {}
    for label, word in rows:
        if word and words.setdefault(label, word) != word:
            raise BadInputError(f"{path} gives class `{label}` two words, `{words[label]}` and `{word}`. Keep one.")
    return words


def with_names(manifest: Manifest, path: Path) -> Manifest:
    """Give each row the word of its class: label `name`, and the text `NAME.`, which a fit learns to say.

    Rows of a class without a word are left out; rows without a class stay as they are.

    Raises:
        EmptyDataError: no class has a word.
    """
    words = read_names(path)
    rows = []
    for row in manifest.rows:
        label = row.labels.get("class")
        if label is None:
            rows.append(row)
        elif word := words.get(str(label)):
            rows.append(replace(row, texts=(f"{word}.",), labels={**row.labels, "name": word}))
    if not rows:
        raise EmptyDataError(
            f"{path} has a word for no class of `{manifest.name}`, such as `{manifest.rows[0].labels['class']}`."
            " Its column wordnet_id must hold the names of their folders."
        )
    return replace(manifest, rows=tuple(rows), source={**manifest.source, "names": path.name})


def hold_out(manifest: Manifest, per_class: int, subset: str) -> Manifest:
    """Split each class in two: `dev`, so many rows chosen by their ids' hashes, and `fit`, the others.

    The choice depends on nothing but the rows' ids: not on their order, not on other rows being there, not on a seed.

    Raises:
        UnknownNameError: `subset` is neither `fit` nor `dev`.
        BadInputError: a class has no more rows than are held out.
    """
    if subset not in SUBSETS:
        raise UnknownNameError("subset", subset, SUBSETS, where="data with holdout_per_class")
    classes: dict[str, list[str]] = defaultdict(list)
    for row in manifest.rows:
        classes[str(row.labels.get("class"))].append(row.id)
    held: set[str] = set()
    for label, ids in classes.items():
        if not 0 < per_class < len(ids):
            raise BadInputError(f"Class `{label}` has {len(ids)} rows; {per_class} of them cannot be held out.")
        held |= set(sorted(ids, key=digest)[:per_class])
    rows = tuple(row for row in manifest.rows if (row.id in held) == (subset == "dev"))
    return replace(manifest, name=f"{manifest.name}-{subset}", rows=rows)
