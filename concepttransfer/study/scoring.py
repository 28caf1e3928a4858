"""What a study makes for the scores of its captions: the judge's features, other programs' counts, training texts."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import BadInputError, EmptyDataError, MissingResourceError
from ..manifest import Manifest, Row
from ..storage import cache_folder
from . import imports, pipeline
from .read_texts import encoded, read_texts
from .selection import Selection

if TYPE_CHECKING:
    from ..encoders.spec import EncoderSpec
    from ..scoring.external_scores import ExternalScores
    from ..scoring.judging import JudgeScores
    from ..scoring.training_captions import TrainingCaptions
    from ..scoring.training_texts import TrainingTexts
    from .study import Study

logger = logging.getLogger(__name__)

JUDGE = "clipscore"
"""The judge's name in a study's `judges:`."""


def judge_scores(study: Study, encoders: Sequence[str], selection: Selection) -> JudgeScores | None:
    """The study's judge on pictures, references and captions; None where it has none or it cannot judge here, told why.

    Pictures and texts go through the store of features, so they are judged once.
    """
    if JUDGE not in study.spec.judges:
        return None
    if selection.manifest.pictures is None or not any(selection.manifest.texts):
        logger.warning("No CLIPScore: `%s` lacks pictures or references.", selection.name)
        return None
    captions = [one for name in encoders for one in pipeline.captions(study, name, selection)]
    try:
        return _judge(study, study.spec.judges[JUDGE], encoders, selection.manifest, captions)
    except MissingResourceError as error:
        logger.warning("No CLIPScore: the judge is not on this machine. %s", error)
        return None


def _judge(
    study: Study, spec: EncoderSpec, encoders: Sequence[str], manifest: Manifest, captions: Sequence[Any]
) -> JudgeScores:
    from ..encoders import fetch
    from ..scoring.judging import JudgeScores, prefix_of

    judge = spec.model_copy(update={"features": "projected", "modality": "image"})
    reader = spec.model_copy(update={"features": "projected", "modality": "text"})
    fetch(judge, study.root)
    prefix = prefix_of(spec.model)
    texts = [_texts(f"references of {manifest.name}", prefix, zip(manifest.ids, manifest.texts, strict=True))]
    texts += [
        _texts(f"captions of {c.encoder}, seed {c.seed}", prefix, ((row, (t,)) for row, t in c.texts().items()))
        for c in captions
    ]
    references, *spoken = [read_texts(study, reader, one) for one in texts]
    return JudgeScores(
        model=spec.model,
        prefix=prefix,
        pictures=encoded(study, judge, manifest),
        references=references.features,
        captions={c.key: read.features for c, read in zip(captions, spoken, strict=True)},
        shares=frozenset(name for name in encoders if _has_weights_of(study, name, judge)),
        n_cut=sum(read.n_cut for read in (references, *spoken)),
    )


def _texts(name: str, prefix: str, rows: Iterable[tuple[str, Sequence[str]]]) -> Manifest:
    return Manifest(name, tuple(Row(row, texts=tuple(prefix + text.strip() for text in texts)) for row, texts in rows))


def _has_weights_of(study: Study, name: str, judge: EncoderSpec) -> bool:
    """Whether an encoder's weights are the judge's, trained further or not."""
    spec = study.encoder_spec(name)
    if spec.init == "random":
        return False
    mine, its = spec.weights_id(study.root), judge.weights_id(study.root)
    return mine == its and (spec.model == judge.model or mine.startswith("sha256:"))


def external_scores(study: Study, encoders: Sequence[str], selection: Selection) -> ExternalScores:
    """METEOR and SPICE where this machine can compute them, each with a reason where it cannot."""
    from ..scoring.external_scores import count_all

    captions = [one for name in encoders for one in pipeline.captions(study, name, selection)]
    place = cache_folder() / "external-scores"
    return count_all(captions, selection.manifest, place, quiet=study.settings.quiet)


def training_texts(study: Study, encoders: Sequence[str], selection: Selection) -> TrainingTexts | None:
    """The captions that the projections were fitted on; None where nobody knows them."""
    from ..scoring.training_texts import TrainingTexts

    fitted = frozenset(name for name in encoders if imports.find(study, name) is None)
    if not fitted:
        return None
    try:
        manifest = study.training.manifest
    except (MissingResourceError, EmptyDataError):
        return None
    texts = manifest.texts
    return TrainingTexts(study.training.name, manifest.id, fitted, texts) if any(texts) else None


MOST_TRAINING = 500
"""Training pictures that are captioned, at most; never more than there are other pictures."""


def training_captions(study: Study, encoders: Sequence[str], selection: Selection) -> TrainingCaptions | None:
    """What is said of pictures that the fits learnt from, at most as many as `selection` has; None: nobody knows them.

    Raises:
        BadInputError: the encoders were fitted on different data.
    """
    from ..scoring.training_captions import TrainingCaptions
    from ..training.batch_plan import hold_out

    fitted = [name for name in encoders if imports.find(study, name) is None]
    if not fitted:
        return None
    if len({str(study.recipe(name).data) for name in fitted}) > 1:
        raise BadInputError("These encoders were fitted on different data. Name those of one data set.")
    learnt = study.training_of(fitted[0])
    rows, _ = hold_out(learnt.manifest.texts, study.recipe(fitted[0]).validation)
    some = learnt.manifest.take([learnt.manifest.ids[row] for row in rows])
    chosen = learnt.with_manifest(some.limit(min(MOST_TRAINING, len(selection.manifest), len(some))))
    captions = [one for name in fitted for one in pipeline.captions(study, name, chosen)]
    try:
        classes = chosen.concepts
    except BadInputError:  # no class of these data is known
        classes = None
    return TrainingCaptions(tuple(captions), chosen.manifest, classes)
