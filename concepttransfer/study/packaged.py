"""Studies that come with a package: with concepttransfer, or with one that declares a folder of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from types import ModuleType

from ..errors import ConceptTransferError
from ..plugins import STUDIES as GROUP
from ..plugins import declared, loaded

OURS = "concepttransfer.studies"


def studies_in(package: str) -> dict[str, Path]:
    """The studies in a package's folder, by name, which is that of the file."""
    return {path.stem: path for path in sorted(Path(str(files(package))).glob("*.yaml"))}


def packaged_studies() -> dict[str, Path]:
    """The studies of concepttransfer and of plug-ins, by name. A plug-in that is broken brings none.

    Raises:
        ConceptTransferError: two packages bring a study of one name.
    """
    found = studies_in(OURS)
    for package in _packages():
        for name, path in studies_in(package).items():
            if name in found:
                message = (
                    f"Two studies are named `{name}`: {found[name]} and {path}. Uninstall {package}, or rename it."
                )
                raise ConceptTransferError(message)
            found[name] = path
    return found


def is_packaged(path: Path) -> bool:
    """Whether a study's file came with a package, so that its relative paths are the working folder's."""
    return path in packaged_studies().values()


def _packages() -> Iterator[str]:
    """The packages of plug-ins that could be imported; `doctor` lists the others."""
    for name, entry in declared(GROUP).items():
        with contextlib.suppress(ConceptTransferError):
            found = loaded(GROUP, name, entry.value)
            if isinstance(found, ModuleType):
                yield found.__name__
