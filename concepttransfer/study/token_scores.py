"""What a study makes of captions and soft prompts for the analyses that look into the language model."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadInputError, MissingResourceError
from ..scoring.blank import blank_manifest
from ..scoring.partners import chosen, partners
from ..storage import cache_folder
from . import keys, pipeline, rates
from .selection import Selection

if TYPE_CHECKING:
    from ..captioning import Captions
    from ..features import Features
    from ..scoring.prompt_readings import PromptReadings
    from ..scoring.token_scores import TokenScores
    from ..transfer import Transfer
    from .study import Study

SCORE, READ = "score", "read"
"""The stages, as `--dry-run` and `--force` name them."""
KINDS = {SCORE: "token-scores", READ: "prompt-readings"}
"""Their folders in the cache."""


def token_scores(study: Study, name: str, selection: Selection) -> list[TokenScores]:
    """How likely the words of captions are with and without their pictures, one `TokenScores` a seed."""
    return [_token_scores(study, name, selection, transfer) for transfer in pipeline.transfers(study, name)]


def prompt_readings(study: Study, name: str, selection: Selection) -> list[PromptReadings]:
    """How the language model reads the soft prompts of some pictures, one `PromptReadings` a seed."""
    few = looked_at(study, selection)
    return [_prompt_readings(study, name, few, transfer) for transfer in pipeline.transfers(study, name)]


def looked_at(study: Study, selection: Selection) -> Selection:
    """The pictures whose prompts are read: as many as the study's `lens` says, by class where classes are known."""
    lens, manifest = study.spec.lens, selection.manifest
    if len(manifest) <= lens.pictures:
        return selection
    rows = chosen(manifest.ids, classes(selection), lens.pictures, lens.seed)
    return selection.with_manifest(manifest.take(rows))


def classes(selection: Selection) -> dict[str, str]:
    """The class of each row whose class is known: what its concepts say, else its label `class`."""
    with contextlib.suppress(BadInputError, MissingResourceError):
        return dict(selection.concepts.truth)
    rows = zip(selection.manifest.ids, selection.manifest.labels("class"), strict=True)
    return {row: str(label) for row, label in rows if label is not None}


def _token_scores(study: Study, name: str, selection: Selection, transfer: Transfer) -> TokenScores:
    from ..scoring.token_scores import TokenScores

    key = _key(study, name, selection, transfer, SCORE)
    folder = pipeline.place(KINDS[SCORE], key, forced=SCORE in study.settings.force)
    if (folder / "index.json").is_file():
        return replace(TokenScores.load(folder), encoder=name, on=selection.name, study=study.name)
    from ..scoring.token_scoring import score_tokens

    captions, stored = _captioned(study, name, selection, transfer)
    tuned = transfer if study.encoder_spec(name).train else None
    grey = pipeline.features(study, name, _blank(study), tuned)
    language_model = study.language_model
    with rates.measured(SCORE, study, name, len(captions.row_ids)):
        return score_tokens(
            captions,
            stored,
            grey,
            transfer,
            language_model,
            folder,
            others=_others(study, selection, stored.row_ids),
            key=key,
            batch_size=study.settings.batch_size,
            quiet=study.settings.quiet,
        )


def _prompt_readings(study: Study, name: str, selection: Selection, transfer: Transfer) -> PromptReadings:
    from ..scoring.prompt_readings import PromptReadings

    key = _key(study, name, selection, transfer, READ)
    folder = pipeline.place(KINDS[READ], key, forced=READ in study.settings.force)
    if (folder / "index.json").is_file():
        return replace(PromptReadings.load(folder), encoder=name, on=selection.name, study=study.name)
    from ..scoring.prompt_reading import read_prompts

    captions, stored = _captioned(study, name, selection, transfer)
    language_model = study.language_model
    with rates.measured(READ, study, name, len(captions.row_ids)):
        return read_prompts(
            captions,
            stored,
            transfer,
            language_model,
            folder,
            lens=study.spec.lens,
            key=key,
            batch_size=study.settings.batch_size,
            quiet=study.settings.quiet,
        )


def _captioned(study: Study, name: str, selection: Selection, transfer: Transfer) -> tuple[Captions, Features]:
    captions = pipeline.captions_of(study, name, selection, transfer)
    tuned = transfer if study.encoder_spec(name).train else None
    return captions, pipeline.features(study, name, selection, tuned)


def place_of(study: Study, name: str, selection: Selection, transfer: Transfer, stage: str) -> Path:
    """Where the scores (`score`) or readings (`read`) of one Transfer lie or will lie."""
    return cache_folder() / KINDS[stage] / _key(study, name, selection, transfer, stage)


def _key(study: Study, name: str, selection: Selection, transfer: Transfer, stage: str) -> str:
    if stage == READ:
        return keys.prompt_readings(study, name, selection, transfer)
    others = _others(study, selection, selection.manifest.ids)
    return keys.token_scores(study, name, selection, transfer, _blank(study), others)


def _others(study: Study, selection: Selection, row_ids: Sequence[str]) -> dict[str, str]:
    """Whose prompt stands in whose place: drawn anew among those that could be read, where some could not."""
    return partners(row_ids, classes(selection), study.spec.lens.seed)


def _blank(study: Study) -> Selection:
    return Selection("blank", {}, study.root).with_manifest(blank_manifest())
