"""What other packages add: whether each plug-in really imports, and which package to mend where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from typing import Any

from .. import analysis, plugins
from ..errors import ConceptTransferError
from ..plugins import GROUPS, Group
from .finding import Finding


def examine() -> Iterator[Finding]:
    """Each plug-in, imported: a broken one is a warning, for nothing else fails with it; two of one name are not."""
    for group in GROUPS:
        try:
            _listed(group)
            entries = plugins.declared(group)
        except ConceptTransferError as error:
            yield Finding.missing("plug-ins", group.many, str(error), "Uninstall one of the packages, or rename it.")
            continue
        for name, entry in entries.items():
            if not plugins.is_ours(entry):
                yield _examined(group, name, entry)


def _listed(group: Group) -> None:
    """List a group as those do who use it: names that are taken are told then."""
    from ..data import readers
    from ..encoders import libraries
    from ..projections import kinds
    from ..study.packaged import packaged_studies

    lists: dict[Group, Callable[[], object]] = {
        plugins.ANALYSES: analysis.names,
        plugins.ENCODERS: libraries,
        plugins.PROJECTIONS: kinds,
        plugins.READERS: readers,
        plugins.STUDIES: packaged_studies,
    }
    lists[group]()


def _examined(group: Group, name: str, entry: EntryPoint) -> Finding:
    what, package = f"{group.one} `{name}`", plugins.package_of(entry)
    try:
        if group is plugins.ANALYSES:
            analysis.get(name)
        elif fault := _CHECKS[group.name](plugins.loaded(group, name, entry.value)):
            return Finding.warning("plug-ins", what, f"{entry.value} {fault}", f"Mend or uninstall {package}.")
    except Exception as error:
        return Finding.warning("plug-ins", what, str(error), f"Mend or uninstall {package}.")
    return Finding.ok("plug-ins", what, f"{package} ({entry.value})")


def _library(found: Any) -> str:
    return "" if callable(getattr(found, "build", None)) else "has no function `build(spec, root)`"


def _projection(found: Any) -> str:
    from ..projections import Projection

    is_one = isinstance(found, type) and issubclass(found, Projection)
    return "" if is_one else "is no class of concepttransfer.projections.Projection"


def _reader(found: Any) -> str:
    return "" if callable(found) else "is no function"


def _studies(found: Any) -> str:
    from ..study.file import read_study
    from ..study.packaged import studies_in

    for path in studies_in(found.__name__).values():
        read_study(path)
    return "" if studies_in(found.__name__) else "holds no study: a package with YAML files is wanted"


_CHECKS: dict[str, Callable[[Any], str]] = {
    plugins.ENCODERS.name: _library,
    plugins.PROJECTIONS.name: _projection,
    plugins.READERS.name: _reader,
    plugins.STUDIES.name: _studies,
}
