"""What `--on` means: a role or data set of the study, a data manifest, a folder, a zip, a picture or a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EmptyDataError, UnknownNameError
from ..manifest import Manifest

if TYPE_CHECKING:
    from ..concepts import ConceptSet
    from .file import StudySpec

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"})
MANIFEST_SUFFIXES = frozenset({".yaml", ".yml"})
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".jsonl"})


@dataclass(frozen=True)
class Selection:
    """One data set as the study or the user named it.

    Attributes:
        name: what results call it.
        entry: which reader, and what that reader needs.
        root: the folder that the entry's relative paths start from.
        n: at most so many rows; None: all.
    """

    name: str
    entry: Mapping[str, Any]
    root: Path
    n: int | None = None

    @cached_property
    def manifest(self) -> Manifest:
        """Its rows, read once."""
        from ..data import read_data

        return read_data(dict(self.entry), self.root).limit(self.n)

    def with_manifest(self, manifest: Manifest) -> Selection:
        """The same data set with these rows of it, such as its pictures, each once."""
        made = replace(self)
        vars(made)["manifest"] = manifest
        return made

    @cached_property
    def concepts(self) -> ConceptSet:
        """What counts as right for each of its rows: what its table of names or classes says, or AwA2's animals."""
        from ..concepts.sources import animals, from_classes_csv, from_names_csv
        from ..data.class_table import is_class_table

        if names := self.entry.get("names"):
            table = self.root / names
            return (from_classes_csv if is_class_table(table) else from_names_csv)(table, self.manifest)
        return animals(self.manifest)


def select(on: str, spec: StudySpec, root: Path, *, role: str | None = None, n: int | None = None) -> list[Selection]:
    """The data that `on` names: a role may have several data sets, everything else is one.

    Args:
        on: a role of the study, a data set of the study, or the path of a data manifest, folder, zip, picture or table.
        role: the role that a path stands in for; its data set lends the table of names.

    Raises:
        UnknownNameError: there is nothing of that name.
        EmptyDataError: the role has no data.
    """
    if on in spec.evaluate:
        if not spec.evaluate[on]:
            message = f"Role `{on}` of study `{spec.name}` has no data. Name some under `evaluate:` or with --on."
            raise EmptyDataError(message)
        return [_data_set(name, spec, root, n) for name in spec.evaluate[on]]
    if on in spec.data:
        return [_data_set(on, spec, root, n)]
    path = Path(on).expanduser()
    if not path.exists():
        known = [*spec.evaluate, *spec.data]
        raise UnknownNameError("role, data set or file", on, known, where=f"study `{spec.name}`")
    if path.suffix.lower() in MANIFEST_SUFFIXES:
        return [_described(path.stem, {"manifest": str(path.resolve())}, root, n)]
    return [Selection(path.stem or path.name, _entry(path.resolve(), spec, role), root, n)]


def training_data(data: str | Mapping[str, float], spec: StudySpec, root: Path, n: int | None = None) -> Selection:
    """The rows that a projection is fitted on: one data set, or several mixed by the share of each.

    Raises:
        UnknownNameError: there is no such data.
        BadInputError: shares that make no sense.
    """
    if isinstance(data, str):
        return select(data, spec, root, n=n)[0]
    from ..training.mixing import mixed

    parts = {name: select(name, spec, root)[0].manifest for name in data}
    name = "+".join(parts)
    return Selection(name, {}, root, n).with_manifest(mixed(name, parts, data).limit(n))


def _data_set(name: str, spec: StudySpec, root: Path, n: int | None) -> Selection:
    entry = spec.data[name]
    return _described(name, entry, root, n) if "manifest" in entry else Selection(name, entry, root, n)


def _described(name: str, entry: Mapping[str, Any], root: Path, n: int | None) -> Selection:
    """Data that a manifest in a file of its own describes, whose paths start from its folder; the study's keys win.

    Raises:
        MissingResourceError, BadInputError: there is no such manifest, or it has mistakes.
    """
    from ..data.descriptions import read_description

    path = root / Path(str(entry["manifest"])).expanduser()
    over = {key: value for key, value in entry.items() if key != "manifest"}
    return Selection(name, {**read_description(path).data, **over}, path.parent, n)


def _entry(path: Path, spec: StudySpec, role: str | None) -> dict[str, Any]:
    """The reader that fits a path; the names table of the role that it stands in for goes with it."""
    reader, key = _reader(path)
    replaced = spec.evaluate.get(role or "", [])
    names = next((spec.data[name]["names"] for name in replaced if "names" in spec.data[name]), None)
    return {"reader": reader, key: str(path)} | ({"names": names} if names else {})


def _reader(path: Path) -> tuple[str, str]:
    """The reader that fits a path, and the key under which it takes the path."""
    if path.suffix.lower() in TABLE_SUFFIXES:
        return "captions_table", "table"
    if {".tar", ".tgz"} & set(path.suffixes) or _holds_tars(path):
        return "webdataset", "folder"
    marks = ("state.json", "dataset_dict.json", "*.parquet")
    if path.suffix.lower() == ".parquet" or any(next(path.glob(mark), None) for mark in marks):
        return "hub", "folder"
    return "image_folder", "pictures"


def _holds_tars(path: Path) -> bool:
    """Are tars in a folder its data, not something that lies beside folders of pictures?"""
    return next(path.glob("*.tar"), None) is not None and not any(child.is_dir() for child in path.iterdir())
