"""The stage that asks questions: each picture is encoded once, and every encoder is asked the same."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from ..answering import BLIND, Answers, answer
from ..answering.few_shot import Asked, ask
from ..errors import BadInputError
from . import keys, pipeline, rates
from .selection import Selection, select

if TYPE_CHECKING:
    from ..transfer import Transfer
    from .study import Study


def answers(study: Study, name: str, selection: Selection) -> list[Answers]:
    """What the language model answers to each question, one `Answers` a seed; `blind`: without any picture.

    Raises:
        BadInputError: the data ask nothing, or there are too few questions to draw examples from.
    """
    if BLIND in study.encoders:
        message = f"Study `{study.name}` calls an encoder `{BLIND}`, the name of answers without pictures. Rename it."
        raise BadInputError(message)
    found: list[Transfer | None] = [None] if name == BLIND else [*pipeline.transfers(study, name)]
    return [_answers(study, name, selection, transfer) for transfer in found]


def pictures_of(study: Study, selection: Selection) -> list[Selection]:
    """The pictures that must be encoded, each once: those of the questions, then those of their examples, if any."""
    source = examples(study)
    asked = _asked(study, selection)
    found = [selection.with_manifest(selection.manifest.pictures_only())]
    drawn = {row.id for one in asked for row in one.examples}
    if source is not None and drawn:
        found.append(source.with_manifest(source.manifest.take(sorted(drawn)).pictures_only()))
    return found


def examples(study: Study) -> Selection | None:
    """The data set that examples are drawn from: as `pool` says, whatever `--limit` says of the questions."""
    name = study.spec.answering.examples
    return _pool(study, name) if name else None


@cache
def _pool(study: Study, name: str) -> Selection:
    return select(name, study.spec, study.root, n=study.spec.answering.pool)[0]


def _asked(study: Study, selection: Selection) -> list[Asked]:
    how, source = study.spec.answering, examples(study)
    return ask(selection.manifest, how.passes, source.manifest if source else None, how.seed)


def _answers(study: Study, name: str, selection: Selection, transfer: Transfer | None) -> Answers:
    key = keys.answers(study, name, selection, examples(study), transfer)
    folder = pipeline.place("answers", key, forced="answer" in study.settings.force)
    if (folder / "index.json").is_file():
        return replace(Answers.load(folder), encoder=name, on=selection.name, study=study.name)
    asked = _asked(study, selection)
    stored = []
    if transfer is not None:
        tuned = transfer if study.encoder_spec(name).train else None
        stored = [pipeline.features(study, name, pictures, tuned) for pictures in pictures_of(study, selection)]
    language_model = study.language_model
    with rates.measured("answer", study, name, len(asked)) if transfer else contextlib.nullcontext():
        return answer(
            asked,
            language_model,
            folder,
            answering=study.spec.answering,
            key=key,
            manifest_id=selection.manifest.id,
            on=selection.name,
            study=study.name,
            transfer=transfer,
            features=stored[0] if stored else None,
            example_features=stored[1] if len(stored) > 1 else None,
            encoder=name,
            seed=transfer.seed if transfer else 0,
            batch_size=study.settings.batch_size or 32,
            quiet=study.settings.quiet,
        )
