"""Find saved results below some folders, and say of those that cannot be shown why not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..analysis import place as reading_place
from ..errors import BadInputError, ConceptTransferError

if TYPE_CHECKING:
    from ..analysis import Spec
    from ..result import Result

MAKE_ONE = "Make one with: concepttransfer awa-errors --encoder beit"
MAKE_ALL = "Make all of a study's: concepttransfer report --study {study} --all"


@dataclass(frozen=True)
class Saved:
    """One result that could be read: where it lies, its name among the others, and what made it."""

    folder: Path
    name: str
    result: Result
    spec: Spec

    @property
    def is_microworld(self) -> bool:
        """It was measured in the embedded world, not on photographs."""
        return bool(self.result.provenance.get("microworld")) or any("microworld" in name for name in self.studies)

    @property
    def studies(self) -> tuple[str, ...]:
        """The names of the studies it is about."""
        return self._named("study")

    @property
    def data(self) -> tuple[str, ...]:
        """The names of the data it is about."""
        return self._named("on")

    def _named(self, what: str) -> tuple[str, ...]:
        known = self.result.provenance.get(what)
        names = [known] if isinstance(known, str) else []
        return tuple(dict.fromkeys([*names, *self.result.estimates[what].dropna()]))


@dataclass(frozen=True)
class Broken:
    """A result, a figure or a table that could not be shown, and why."""

    name: str
    reason: str

    @classmethod
    def by(cls, name: str, error: Exception, folder: Path | None = None) -> Broken:
        """What `error` did to `name`; where `folder` lies on this machine is left out, for a page travels."""
        said = str(error).strip() or "no more is known"
        if folder is not None:
            said = said.replace(str(folder), name)
        return cls(name, said if isinstance(error, ConceptTransferError) else f"{type(error).__name__}: {said}")


def gather(folders: Sequence[Path], *, study: str | None = None) -> tuple[list[Saved], list[Broken]]:
    """All results at or below `folders` in the order of reading, and those that could not be read.

    Args:
        folders: where to look.
        study: only results about this study; None: all.

    Raises:
        BadInputError: a folder is not there, there is no result, none about the study, or none that can be read.
    """
    where = ", ".join(str(folder) for folder in folders) or "no folder"
    if study is not None and not any(Path(folder).is_dir() for folder in folders):
        raise BadInputError(f"Study `{study}` has no saved result in {where}. {MAKE_ALL.format(study=study)}")
    places = list(_places(folders))
    if not places:
        raise BadInputError(f"No results in {where}. {MAKE_ALL.format(study=study) if study else MAKE_ONE}")
    saved, broken = list[Saved](), list[Broken]()
    for folder, name in places:
        read = _read(folder, name)
        (saved if isinstance(read, Saved) else broken).append(read)  # type: ignore[arg-type]
    refuse_nothing(saved, broken)
    if study is not None:
        saved = [one for one in saved if study in one.studies]
        if not saved:
            raise BadInputError(f"Study `{study}` has no saved result in {where}. {MAKE_ALL.format(study=study)}")
    return sorted(saved, key=lambda one: (*reading_place(one.spec.name), one.name)), broken


def refuse_nothing(left: Sequence[Any], broken: Sequence[Broken]) -> None:
    """Stop, with every reason, where nothing is `left` to show.

    Raises:
        BadInputError: nothing is left.
    """
    if not left:
        reasons = "\n".join(f"  {one.name}: {one.reason}" for one in broken)
        raise BadInputError(f"None of {len(broken)} result(s) can be shown:\n{reasons}\n{MAKE_ONE}")


def _places(folders: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Each folder that holds a result, once, with its name relative to where the search began."""
    seen = set[Path]()
    for start in map(Path, folders):
        if not start.is_dir():
            raise BadInputError(f"There is no folder {start} to gather results from. {MAKE_ONE}")
        for found in _below(start):
            if (place := found.resolve()) not in seen:
                seen.add(place)
                relative = found.relative_to(start)
                yield found, relative.as_posix() if relative.parts else place.name


def _below(start: Path) -> Iterator[Path]:
    """Folders with a `result.json`; hidden ones are half-written, and a result holds no other result."""
    for place, below, files in os.walk(start):
        if "result.json" in files:
            below.clear()
            yield Path(place)
        below[:] = sorted(name for name in below if not name.startswith("."))


def _read(folder: Path, name: str) -> Saved | Broken:
    from ..analysis import get
    from ..result import Result

    try:
        result = Result.load(folder)
        return Saved(folder, name, result, get(result.kind))
    except Exception as error:
        return Broken.by(name, error, folder)
