"""The key of each artifact: a digest of everything that changes it, known without loading a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..encoders.spec import LATER
from ..language_models.placement import QUANTISED
from ..storage import digest

if TYPE_CHECKING:
    from ..transfer import Transfer
    from .selection import Selection
    from .study import Study

STORE_DTYPE = "float16"


def encoder(study: Study, name: str, transfer: Transfer | None = None) -> str:
    """What one encoder computes: its identity, and for a tuned one that of the fit that tuned it."""
    identity = study.encoder_spec(name).identity(study.root)
    return digest("tuned", identity, transfer.id) if transfer else identity


def features(study: Study, name: str, selection: Selection, transfer: Transfer | None = None) -> str:
    """Features of one data set: encoder, rows and the dtype in which they are stored."""
    from ..features import features_key

    return features_key(selection.manifest.id, encoder(study, name, transfer), STORE_DTYPE)


def fit(study: Study, name: str, training: Selection, seed: int) -> str:
    """One fit: encoder, language model, rows, recipe, prompt and seed."""
    spec = study.encoder_spec(name)
    recipe = study.recipe(name)
    adapter = recipe.feature_adapter
    paired = [study.select(adapter.paired)[0].manifest.id] if adapter and adapter.paired else []
    return digest(
        "transfer",
        training.manifest.id,
        encoder(study, name),
        {"prompt_tokens": spec.prompt_tokens, "tuned": spec.train},
        study.language_model_identity,
        recipe.identity(),
        training_prompt(study, name),
        seed,
        *paired,
    )


def imported(study: Study, name: str) -> str:
    """A projection that was fitted elsewhere: for an encoder and a language model as the study's file names them."""
    spec = study.written_spec(name)
    dtype = study.settings.dtype or study.spec.dtype
    bits = [dtype] if dtype in QUANTISED else []
    unsaid = {name for name in LATER if not getattr(spec, name)}
    said = spec.model_dump(mode="json", exclude={"supervision", *unsaid})  # supervision changes no value
    return digest("imported", said, study.spec.language_model, str(study.root), *bits)


def captions(study: Study, name: str, selection: Selection, transfer: Transfer) -> str:
    """Captions of one data set by one fit: features, fit, language model and its dtype, prompt, decoding."""
    tuned = transfer if study.encoder_spec(name).train else None
    return digest(
        "captions",
        features(study, name, selection, tuned),
        transfer.id,
        study.language_model_identity,
        study.settings.dtype or study.spec.dtype,
        study.spec.prompt,
        study.spec.decoding.model_dump(mode="json"),
    )


def answers(
    study: Study, name: str, selection: Selection, examples: Selection | None, transfer: Transfer | None
) -> str:
    """Answers to one set of questions: their pictures' features, fit (neither for the blind), examples, how asked."""
    tuned = transfer if transfer and study.encoder_spec(name).train else None
    return digest(
        "answers",
        selection.manifest.id,
        [encoder(study, name, tuned), STORE_DTYPE, transfer.id] if transfer else name,
        study.language_model_identity,
        study.settings.dtype or study.spec.dtype,
        study.spec.answering.model_dump(mode="json"),
        examples.manifest.id if examples else None,
    )


def token_scores(
    study: Study, name: str, selection: Selection, transfer: Transfer, blank: Selection, others: Mapping[str, str]
) -> str:
    """Scores of captions' tokens: the captions, the blank picture's features, and who stands in for whom."""
    tuned = transfer if study.encoder_spec(name).train else None
    said = captions(study, name, selection, transfer)
    return digest("token-scores", said, features(study, name, blank, tuned), others)


def prompt_readings(study: Study, name: str, selection: Selection, transfer: Transfer) -> str:
    """Readings of soft prompts: the captions of the same pictures, and how closely one looks."""
    said = captions(study, name, selection, transfer)
    return digest("prompt-readings", said, study.spec.lens.model_dump(mode="json"))


def training_prompt(study: Study, name: str) -> str:
    """The text between picture and caption in an encoder's fit."""
    prompt = study.recipe(name).prompt
    return study.spec.prompt if prompt is None else prompt
