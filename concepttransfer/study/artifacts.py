"""How a study makes each artifact that an analysis may name: a new one is a function and a line in `MAKERS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import BadInputError, ConceptTransferError, MissingResourceError
from . import pipeline, scoring

if TYPE_CHECKING:
    from ..analysis import Artifact
    from .selection import Selection
    from .study import Study

Maker = Callable[["Study", Sequence[str], "Selection"], Any]
"""Makes an artifact for some encoders on some data: a list of those of all encoders and seeds, or one thing."""


def _answers(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    """Those of the blind language model first: what it answers needs no picture."""
    from ..answering import BLIND
    from .answers import answers

    return [one for name in (BLIND, *encoders) for one in answers(study, name, selection)]


def _captions(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    return [one for name in encoders for one in pipeline.captions(study, name, selection)]


def _class_names(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    from .class_names import class_names

    return class_names(study, selection)


def _features(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    """Those of a tuned encoder are as its first fit left it."""
    tuned = {name: pipeline.transfers(study, name)[0] for name in encoders if study.encoder_spec(name).train}
    return [pipeline.features(study, name, selection, tuned.get(name)) for name in encoders]


def _splits(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    from .splits import splits

    return splits(study, encoders, selection)


def _stitching_losses(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    """Of the fits that are there: nothing is fitted for them."""
    from ..stitching import stitching_losses

    return stitching_losses([one for name in encoders for one in pipeline.transfers_there(study, name)])


def _transfers(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    return [one for name in encoders for one in pipeline.transfers(study, name)]


MAKERS: dict[str, Maker] = {
    "Answers": _answers,
    "Captions": _captions,
    "ClassNames": _class_names,
    "ConceptSet": lambda study, encoders, selection: selection.concepts,
    "ExternalScores": scoring.external_scores,
    "Features": _features,
    "JudgeScores": scoring.judge_scores,
    "Manifest": lambda study, encoders, selection: selection.manifest,
    "Splits": _splits,
    "StitchingLosses": _stitching_losses,
    "TrainingTexts": scoring.training_texts,
    "Transfer": _transfers,
}
"""By the name of the artifact's type."""


def make(study: Study, artifact: Artifact, encoders: Sequence[str], selection: Selection) -> Any:
    """One artifact that an analysis names, built where it is missing.

    Raises:
        ConceptTransferError: a study cannot make it.
        BadInputError: the analysis takes one, and several were made.
        MissingResourceError: the study does not have what it takes, and the analysis needs it.
    """
    kind = artifact.kind.__name__
    if kind not in MAKERS:
        raise ConceptTransferError(
            f"An analysis asks for `{kind}`, which a study cannot make. It makes: {', '.join(MAKERS)}."
        )
    made = MAKERS[kind](study, encoders, selection)
    if made is None and not artifact.optional:
        raise MissingResourceError(f"Study `{study.name}` has no `{kind}` for `{selection.name}`.")
    if isinstance(made, list) and not artifact.many:
        if len(made) != 1:
            raise BadInputError(f"This analysis takes one encoder with one seed; {len(made)} were given.")
        return made[0]
    return made
