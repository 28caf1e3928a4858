"""What a study makes of its CLIPs for the gap between pictures and captions: both, and pairs to fit adapters on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import EmptyDataError, MissingResourceError
from ..features.pairs import PairedTowers
from . import towers

if TYPE_CHECKING:
    from .selection import Selection
    from .study import Study

MOST_PAIRS = 10_000
"""Pictures with captions on which adapters are fitted, at most: their covariance is then known well."""


def paired_towers(study: Study, encoders: Sequence[str], selection: Selection) -> list[PairedTowers]:
    """Each CLIP's pictures of a data set and their captions; encoders without a text tower are left out, and told.

    Entries of a study that read the same features, such as systems that differ in their recipe, are one.

    Raises:
        BadInputError: no encoder reads texts.
        EmptyDataError: the data have no captions.
    """
    kept, left_out = towers.with_texts(study, encoders)
    if not any(selection.manifest.texts):
        raise EmptyDataError(f"The pictures of `{selection.name}` have no captions. Name data that do with --on.")
    other = other_pairs(study, selection)
    made: dict[str, PairedTowers] = {}
    for name in kept:
        one = _paired(study, name, selection, left_out, _paired(study, name, other, {}) if other else None)
        made.setdefault(one.key, one)
    return list(made.values())


def _paired(
    study: Study,
    name: str,
    selection: Selection,
    left_out: Mapping[str, str],
    elsewhere: PairedTowers | None = None,
) -> PairedTowers:
    texts, n_cut, scale = towers.texts(study, name, selection.manifest)
    return PairedTowers(
        encoder=name,
        on=selection.name,
        study=study.name,
        pictures=towers.pictures(study, name, selection),
        texts=texts,
        scale=scale,
        n_cut=n_cut,
        left_out=left_out,
        elsewhere=elsewhere,
    )


def other_pairs(study: Study, selection: Selection) -> Selection | None:
    """The data on which adapters are fitted: pictures with captions that are not those which are evaluated.

    The first of these that is there: what the study's feature adapters name as `paired`, what probes learn from, what
    projections are fitted on.
    """
    for name in dict.fromkeys(_candidates(study, selection)):
        try:
            found = study.select(name)[0]
            manifest = found.manifest
        except (MissingResourceError, EmptyDataError):
            continue
        is_other = found.name != selection.name and manifest.id != selection.manifest.id
        if is_other and manifest.pictures is not None and any(manifest.texts):
            return found.with_manifest(manifest.limit(MOST_PAIRS))
    return None


def _candidates(study: Study, selection: Selection) -> Iterator[str]:
    for encoder in study.spec.encoders.values():
        adapter = study.spec.recipe(encoder).feature_adapter
        if adapter is not None and adapter.paired:
            yield adapter.paired
    if selection.name in study.spec.splits:
        yield study.spec.splits[selection.name].train
    yield from study.spec.fitted_on
