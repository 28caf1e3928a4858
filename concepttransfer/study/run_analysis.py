"""Run one analysis of a study: give it the artifacts that it names, then provenance, pictures and fits."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ConceptTransferError
from ..provenance import provenance
from . import pipeline
from .selection import Selection

if TYPE_CHECKING:
    from ..analysis import Artifact, Spec
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
    artifacts = [_artifact(study, artifact, encoders, selection) for artifact in spec.artifacts]
    result = spec.function(*artifacts, **options)
    seeds = sorted({one.seed for made in artifacts if isinstance(made, list) for one in made if hasattr(one, "seed")})
    source = provenance(
        device=study.settings.device,
        seeds=seeds,
        study=study.name,
        on=selection.name,
        analysis=spec.name,
        encoders=list(encoders),
        options=options,
        language_model=study.spec.language_model,
        manifest=selection.manifest.id,
        inputs=[i for artifact in artifacts for i in _ids(artifact)],
        licence=selection.manifest.source.get("licence", ""),
    )
    result = result.with_provenance(**source)
    return result.with_pictures(_thumbnails(selection, result.wanted_pictures()))


def _artifact(study: Study, artifact: Artifact, encoders: Sequence[str], selection: Selection) -> Any:
    """One artifact that an analysis names, or a list of one for each encoder (and seed)."""
    kind = artifact.kind.__name__
    if kind == "ConceptSet":
        return selection.concepts
    if kind == "Manifest":
        return selection.manifest
    makers: dict[str, Callable[[str], Sequence[Any]]] = {
        "Captions": lambda name: pipeline.captions(study, name, selection),
        "Features": lambda name: [pipeline.features(study, name, selection)],
        "Transfer": lambda name: pipeline.transfers(study, name),
    }
    if kind not in makers:
        message = (
            f"An analysis asks for `{kind}`, which a study cannot make. It makes: ConceptSet, Manifest, "
            + ", ".join(makers)
        )
        raise ConceptTransferError(message)
    made = [one for name in encoders for one in makers[kind](name)]
    if not artifact.many and len(made) > 1:
        message = f"This analysis takes one encoder with one seed; {len(made)} were given."
        raise ConceptTransferError(message)
    return made if artifact.many else made[0]


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
