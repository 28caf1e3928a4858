"""What `--on` means: a role of the study, one of its data sets, a folder, a zip, a picture or a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EmptyDataError, UnknownNameError
from ..manifest import Manifest

if TYPE_CHECKING:
    from ..concepts import ConceptSet
    from .file import StudySpec

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"})
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

    @cached_property
    def concepts(self) -> ConceptSet:
        """What counts as right for each of its rows: the words of its names table, or AwA2's animals."""
        from ..concepts import animals, from_names_csv

        if names := self.entry.get("names"):
            return from_names_csv(self.root / names, self.manifest)
        return animals(self.manifest)


def select(on: str, spec: StudySpec, root: Path, *, role: str | None = None, n: int | None = None) -> list[Selection]:
    """The data that `on` names: a role may have several data sets, everything else is one.

    Args:
        on: a role of the study, a data set of the study, or the path of a folder, zip, picture or table.
        role: the role that a path stands in for; its data set lends the table of names.

    Raises:
        UnknownNameError: there is nothing of that name.
        EmptyDataError: the role has no data.
    """
    if on in spec.evaluate:
        if not spec.evaluate[on]:
            message = f"Role `{on}` of study `{spec.name}` has no data. Name some under `evaluate:` or with --on."
            raise EmptyDataError(message)
        return [Selection(name, spec.data[name], root, n) for name in spec.evaluate[on]]
    if on in spec.data:
        return [Selection(on, spec.data[on], root, n)]
    path = Path(on).expanduser()
    if not path.exists():
        known = [*spec.evaluate, *spec.data]
        raise UnknownNameError("role, data set or file", on, known, where=f"study `{spec.name}`")
    return [Selection(path.stem or path.name, _entry(path.resolve(), spec, role), root, n)]


def _entry(path: Path, spec: StudySpec, role: str | None) -> dict[str, Any]:
    """The reader that fits a path; the names table of the role that it stands in for goes with it."""
    reader = "captions_table" if path.suffix.lower() in TABLE_SUFFIXES else "image_folder"
    key = "table" if reader == "captions_table" else "pictures"
    replaced = spec.evaluate.get(role or "", [])
    names = next((spec.data[name]["names"] for name in replaced if "names" in spec.data[name]), None)
    return {"reader": reader, key: str(path)} | ({"names": names} if names else {})
