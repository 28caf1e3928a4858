"""When is a saved result exactly what would be computed now? A key of everything that changes one of its numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..language.parts_of_speech import CHAIN, is_there
from ..provenance import LIBRARIES, version
from ..storage import digest, file_digest

if TYPE_CHECKING:
    from ..analysis import Spec
    from .selection import Selection
    from .study import Study

NEVER_COUNTS = ("cli", "doctor", "export", "report", "reproduce")
"""Parts of the package that no number goes through."""


def result_key(
    study: Study, spec: Spec, encoders: Sequence[str], selection: Selection, options: Mapping[str, Any], inputs: Any
) -> str:
    """Names one result: what it is about, the artifacts it is computed from, its options, and the code and libraries.

    Args:
        study: whose analysis it is.
        spec: of the analysis.
        encoders: with their random controls.
        selection: the data.
        options: those given; the others have their defaults.
        inputs: the keys and ids of the artifacts, in order.
    """
    return digest(
        "result",
        spec.name,
        study.name,
        list(encoders),
        list(study.encoders),
        [selection.name, selection.manifest.id],
        {option.name: options.get(option.name, option.default) for option in spec.options},
        inputs,
        {name: version(name) for name in ("concepttransfer", *LIBRARIES)},
        next((name for name in CHAIN if is_there(name)), None),
        _code(),
        _own_code(spec.function.__module__),
    )


@cache
def _code() -> str:
    """Of the package's own files: a change of code is another version, whatever the version's number says."""
    root = Path(__file__).parents[1]
    files = (path for path in root.rglob("*.py") if path.relative_to(root).parts[0] not in NEVER_COUNTS)
    return digest(sorted((path.relative_to(root).as_posix(), file_digest(path)) for path in files))


@cache
def _own_code(module: str) -> str:
    """Of the analysis: its file and all that lie below the same folder, which is its package."""
    return digest(sorted((path.name, file_digest(path)) for path in _files(module)))


def _files(module: str) -> Iterator[Path]:
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is not None:
        path = Path(file)
        yield from path.parent.rglob("*.py") if "." in module else [path]
