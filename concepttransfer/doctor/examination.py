"""All examinations in their order: the machine, the language resources, and what one study needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..plugins import any_installed
from ..progress import progress
from . import machine, plug_ins, resources, study_parts
from .finding import Finding, State

if TYPE_CHECKING:
    from ..study import Study


def examine(study: Study | None = None, *, quiet: bool = False) -> list[Finding]:
    """Look at everything. Nothing is downloaded, loaded onto a device, or written but small notes in the cache.

    Args:
        study: whose weights, data and needs are looked at as well; None: those of no study.
        quiet: no progress bar.
    """
    found: list[Finding] = []
    parts = _parts_of_machine() + (_parts_of_study(study) if study else [])
    with progress(len(parts), "look at", unit="part", quiet=quiet) as bar:
        for what, needs_libraries, look in parts:
            bar.set_description(f"look at {what}")
            found += [_not_looked(what)] if needs_libraries and _is_broken(found) else look()
            bar.update()
    return found


_Part = tuple[str, bool, Callable[[], Iterator[Finding]]]
"""What is looked at, whether the libraries must work for it, and how."""


def _parts_of_machine() -> list[_Part]:
    parts: list[_Part] = [
        ("libraries and devices", False, machine.examine),
        ("cache", False, machine.examine_cache),
        ("language resources", False, resources.examine),
    ]
    return [*parts, *([("plug-ins", True, plug_ins.examine)] if any_installed() else [])]


def _parts_of_study(study: Study) -> list[_Part]:
    return [
        ("weights", True, lambda: study_parts.examine_weights(study)),
        ("data", False, lambda: study_parts.examine_data(study)),
        ("size", True, lambda: study_parts.examine_size(study)),
    ]


def _is_broken(found: list[Finding]) -> bool:
    return any(one.area == "libraries" and one.state is State.MISSING for one in found)


def _not_looked(what: str) -> Finding:
    return Finding.warning(what, "all", "not looked at, because libraries are missing", "Mend the libraries first.")
