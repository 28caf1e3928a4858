"""Run one analysis of a study: give it the artifacts that it names, then provenance, pictures and fits."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..provenance import provenance
from .artifacts import make
from .selection import Selection

if TYPE_CHECKING:
    from ..analysis import Spec
    from ..result import Result
    from .study import Study

THUMBNAIL = 160
"""Pixels of the longer side of a picture that a result keeps."""


def run_analysis(
    study: Study, spec: Spec, encoders: Sequence[str], selection: Selection, options: dict[str, Any]
) -> Result:
    """Build what the analysis names, call it, and add where everything came from.

    Returns:
        The result, with thumbnails of the pictures that its figures show.
    """
    artifacts = [make(study, artifact, encoders, selection) for artifact in spec.artifacts]
    result = spec.function(*artifacts, **options)
    seeds = sorted({one.seed for made in artifacts if isinstance(made, list) for one in made if hasattr(one, "seed")})
    source = provenance(
        device=study.settings.device,
        seeds=seeds,
        study=study.name,
        on=selection.name,
        analysis=spec.name,
        encoders=list(encoders),
        palette=list(study.encoders),
        options=options,
        language_model=study.spec.language_model,
        manifest=selection.manifest.id,
        inputs=[i for artifact in artifacts if artifact is not None for i in _ids(artifact)],
        licence=selection.manifest.source.get("licence", ""),
    )
    result = result.with_provenance(**source)
    return result.with_pictures(_thumbnails(selection, result.wanted_pictures()))


def _ids(artifact: Any) -> list[str]:
    listed = artifact if isinstance(artifact, list) else [artifact]
    return [str(getattr(one, "key", None) or getattr(one, "id", "")) for one in listed]


def _thumbnails(selection: Selection, row_ids: Sequence[str]) -> dict[str, bytes]:
    """Small PNG pictures of the rows named."""
    at = {row_id: i for i, row_id in enumerate(selection.manifest.ids)}
    found = {}
    for row_id in row_ids:
        picture = selection.manifest.read(at[row_id])
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        held = io.BytesIO()
        picture.save(held, format="PNG", optimize=True)
        found[row_id] = held.getvalue()
    return found
