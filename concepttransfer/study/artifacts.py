"""How a study makes each artifact that an analysis may name: a new one is a function and a line in `MAKERS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..analysis import Of
from ..errors import BadInputError, ConceptTransferError, MissingResourceError
from . import pipeline, scoring

if TYPE_CHECKING:
    from ..analysis import Artifact
    from .selection import Selection
    from .study import Study

Maker = Callable[..., Any]
"""`(study, encoders, selection)` to an artifact: a list of those of all encoders and seeds, or one thing. That of
Results takes the name of their analysis too."""


def _answers(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    """Those of the blind language model first: what it answers needs no picture."""
    from ..answering import BLIND
    from .answers import answers

    return [one for name in (BLIND, *encoders) for one in answers(study, name, selection)]


def _captions(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    return [one for name in encoders for one in pipeline.captions(study, name, selection)]


def _captions_there(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    """Of first fits that are there: nothing is fitted for what an analysis can do without."""
    return [one for name in encoders for one in pipeline.captions_there(study, name, selection)]


def _captioned(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    from .towers import captioned

    return captioned(study, encoders, selection)


def _class_names(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    from .class_names import class_names

    return class_names(study, selection)


def _class_texts(study: Study, encoders: Sequence[str], selection: Selection, templates: str = "") -> Any:
    from .towers import class_texts

    return class_texts(study, encoders, selection, templates=templates)


def _features(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    """Those of a tuned encoder are as its first fit left it."""
    tuned = {name: pipeline.transfers(study, name)[0] for name in encoders if study.encoder_spec(name).train}
    return [pipeline.features(study, name, selection, tuned.get(name)) for name in encoders]


def _paired_towers(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    from .pairs import paired_towers

    return paired_towers(study, encoders, selection)


def _probed_sets(study: Study, encoders: Sequence[str], selection: Selection, **options: str) -> Any:
    from .probed_sets import probed_sets

    return probed_sets(study, encoders, selection, **options)


def _prompt_readings(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    from .token_scores import prompt_readings

    return [one for name in encoders for one in prompt_readings(study, name, selection)]


def _results(
    study: Study, encoders: Sequence[str], selection: Selection, kind: str = Of.default, runs: Path | None = None
) -> Any:
    """Of all encoders in one; one that is saved below `runs` and would come out the same is read."""
    from .. import analysis
    from .run_analysis import Prepared

    spec = analysis.get(kind)
    if spec.of:
        raise BadInputError(f"`{kind}` is about results of other analyses. Name one of those, such as `{Of.default}`.")
    prepared = Prepared(study, spec, encoders, selection, {})
    return [(prepared.saved_below(runs / kind) if runs else None) or prepared.run()]


def _splits(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    from .splits import splits

    return splits(study, encoders, selection)


def _stitching_losses(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    """Of the fits that are there: nothing is fitted for them."""
    from ..stitching import stitching_losses

    return stitching_losses([one for name in encoders for one in pipeline.transfers_there(study, name)])


def _token_scores(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    from .token_scores import token_scores

    return [one for name in encoders for one in token_scores(study, name, selection)]


def _transfers(study: Study, encoders: Sequence[str], selection: Selection) -> Any:
    return [one for name in encoders for one in pipeline.transfers(study, name)]


MAKERS: dict[str, Maker] = {
    "Answers": _answers,
    "Captioned": _captioned,
    "Captions": _captions,
    "ClassNames": _class_names,
    "ClassTexts": _class_texts,
    "ConceptSet": lambda study, encoders, selection: selection.concepts,
    "ExternalScores": scoring.external_scores,
    "Features": _features,
    "JudgeScores": scoring.judge_scores,
    "Manifest": lambda study, encoders, selection: selection.manifest,
    "PairedTowers": _paired_towers,
    "ProbedSets": _probed_sets,
    "PromptReadings": _prompt_readings,
    "Result": _results,
    "Splits": _splits,
    "StitchingLosses": _stitching_losses,
    "TokenScores": _token_scores,
    "TrainingCaptions": scoring.training_captions,
    "TrainingTexts": scoring.training_texts,
    "Transfer": _transfers,
}
"""By the name of the artifact's type."""
LONG = ("Features", "Splits", "Captions", "Answers", "TokenScores", "PromptReadings", "JudgeScores", "ExternalScores")
"""Those that take long, in the order in which they are best made before any analysis; the cache keeps them."""
TOGETHER = ("ExternalScores",)
"""Of these, those made for all encoders at once, since starting what makes them takes longest."""
OPTIONS: dict[str, tuple[str, ...]] = {
    "ClassTexts": ("templates",),
    "ProbedSets": ("also", "reads", "templates"),
}
"""The options of an analysis that say how an artifact is made."""
WITHOUT: dict[str, Maker] = {"Captions": _captions_there}
"""The same for artifacts that the analysis can do without, where making them all could take a fit."""


def make(
    study: Study,
    artifact: Artifact,
    encoders: Sequence[str],
    selection: Selection,
    options: Mapping[str, Any],
    runs: Path | None = None,
) -> Any:
    """One artifact that an analysis names, built where it is missing.

    Args:
        study: whose artifact it is.
        artifact: what the analysis says of it.
        encoders: all those that it is about.
        selection: the data.
        options: of the analysis; they say which Results it is about, and how some artifacts are made.
        runs: where Results that are saved already may lie.

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
    try:
        named = {name: options[name] for name in OPTIONS.get(kind, ()) if name in options}
        named |= {"kind": artifact.of.kind(options), "runs": runs} if artifact.of else {}
        maker = WITHOUT.get(kind, MAKERS[kind]) if artifact.optional else MAKERS[kind]
        made = maker(study, encoders, selection, **named)
    except BadInputError:
        if kind != "ConceptSet" or not artifact.optional:
            raise
        made = None  # no class of these data is known, and the analysis can do without
    if made is None and not artifact.optional:
        raise MissingResourceError(f"Study `{study.name}` has no `{kind}` for `{selection.name}`.")
    if isinstance(made, list) and not artifact.many:
        if len(made) != 1:
            raise BadInputError(f"This analysis takes one encoder with one seed; {len(made)} were given.")
        return made[0]
    return made
