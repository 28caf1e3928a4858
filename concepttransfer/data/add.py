"""A data manifest of somebody's own folder of classes: a table of words and synsets, and a yaml that joins them."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadInputError
from ..storage import write_text
from .class_table import mistakes, read_class_table, write_class_table
from .image_folder import image_folder
from .own_classes import Proposal, propose, revise

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_HEAD = """\
# A data set of one's own, by `concepttransfer data add`. Use it: `--on {file}`, or in a study: data: {{{name}: {file}}}
# What each class is stands in {table}: correct it there, and give the same command again.
"""


@dataclass(frozen=True)
class Added:
    """What came of it.

    Attributes:
        table: the csv of classes, written.
        manifest: the yaml, written unless a class is still open.
        proposals: all classes, those decided by their owner included.
        n_pictures: of all classes together.
    """

    table: Path
    manifest: Path | None
    proposals: tuple[Proposal, ...]
    n_pictures: int

    @property
    def open(self) -> list[Proposal]:
        """Classes of which nobody has said what they are."""
        return [one for one in self.proposals if one.row.is_open]

    @property
    def doubtful(self) -> list[Proposal]:
        """Classes whose owner should look at what was proposed."""
        return [one for one in self.proposals if one.row.is_doubtful]


def add_classes(
    pictures: Path, *, name: str | None = None, table: Path | None = None, split: str | None = None, into: Path = Path()
) -> Added:
    """Propose, or bring up to date, what the classes of a folder are; write the data manifest when none is open.

    Args:
        pictures: a folder or zip with a folder for each class.
        name: what to call the data; None: as the folder is called.
        table: the csv; None: `NAME.csv`. One that is there is kept, with what its owner corrected.
        split: only what lies below the folder of this name.
        into: the folder of `NAME.csv` and `NAME.yaml`.

    Raises:
        MissingResourceError, EmptyDataError: there is no such folder, or no picture in it.
        BadInputError: it has no folders of classes; the table has mistakes (all are listed); the name is none.
    """
    found = image_folder(pictures, split=split, hashes=False)
    name = name or re.sub(r"\s+", "-", pictures.resolve().stem)
    if not _NAME.fullmatch(name):
        raise BadInputError(f"`{name}` is no name for data. Give one of letters, digits, - and _ with --name.")
    labels = [row.labels.get("class") for row in found.rows]
    if None in labels:
        n = labels.count(None)
        message = f"{n:,} of {len(labels):,} pictures in {pictures} lie in no folder of a class, such as "
        raise BadInputError(f"{message}{found.rows[labels.index(None)].id}. Wanted is {pictures.name}/CLASS/PICTURE.")
    table = table or into / f"{name}.csv"
    counts = dict(sorted(Counter(map(str, labels)).items()))
    proposals = tuple(_proposals(table, counts))
    write_class_table(table, [one.row for one in proposals])
    if any(one.row.is_open for one in proposals):
        return Added(table, None, proposals, len(labels))
    manifest = into / f"{name}.yaml"
    _write_manifest(manifest, name, pictures, table, split, counts)
    return Added(table, manifest, proposals, len(labels))


def _proposals(table: Path, counts: dict[str, int]) -> list[Proposal]:
    if not table.exists():
        return propose(counts)
    rows = read_class_table(table)
    if wrong := mistakes(row for row in rows if not row.is_open):
        told = "\n".join(f"  {one}" for one in wrong)
        raise BadInputError(f"{table} has {len(wrong)} mistake{'s' * (len(wrong) != 1)}; it was left as it is:\n{told}")
    return revise(rows, counts)


def _write_manifest(
    path: Path, name: str, pictures: Path, table: Path, split: str | None, counts: dict[str, int]
) -> None:
    """Write the yaml; a title, licence and whatever else its owner wrote there stay."""
    import yaml

    held = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    data: dict[str, Any] = {"reader": "image_folder", "pictures": _from(path, pictures), "names": _from(path, table)}
    where = f"**/{split}/**" if split else "**"
    layout = {"glob": f"{where}/*", "what": "pictures, a folder for each class", "count": sum(counts.values())}
    values = {
        "title": name,
        "licence": "not said",
        **(held if isinstance(held, dict) else {}),
        "counts": {"pictures": sum(counts.values()), "classes": len(counts)},
        "data": {**data, **({"split": split} if split else {})},
        "layout": [layout],
    }
    written = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)
    write_text(path, _HEAD.format(name=name, file=path.name, table=table.name) + written)


def _from(manifest: Path, path: Path) -> str:
    """A path as it is from the manifest's folder, so that both can be moved together."""
    return Path(os.path.relpath(path.resolve(), manifest.resolve().parent)).as_posix()
