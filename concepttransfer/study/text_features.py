"""Features of a data set's texts, by the text tower of an encoder's CLIP."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import BadInputError, MissingResourceError
from . import keys, pipeline

if TYPE_CHECKING:
    from ..encoders.spec import EncoderSpec
    from ..features import Features
    from .selection import Selection
    from .study import Study


def text_tower(study: Study, name: str) -> EncoderSpec:
    """The text tower that shares the space of an encoder's features.

    Raises:
        BadInputError: the encoder's features are in no space that texts share.
    """
    spec = study.encoder_spec(name)
    if spec.features != "projected":
        shared = [other for other in study.encoders if study.encoder_spec(other).features == "projected"]
        known = f" Those that are: {', '.join(shared)}." if shared else ""
        raise BadInputError(
            f"`{name}` reads `{spec.features}`, which no text tower gives. Texts and pictures share a CLIP's "
            f"`features: projected`.{known}"
        )
    return spec.model_copy(update={"modality": "text", "blind": False})


def text_features(study: Study, name: str, selection: Selection) -> Features:
    """Features `[n, 1, dim]` of all texts of a data set, ids `ROW#NUMBER`, from the cache or encoded now.

    Raises:
        BadInputError: see `text_tower`.
        EmptyDataError: there is no text.
    """
    from ..encoders import fetch, load_encoder
    from ..features import Features, encode, features_key

    spec = text_tower(study, name)
    fetch(spec, study.root)
    key = features_key(selection.manifest.id, spec.identity(study.root), keys.STORE_DTYPE)
    folder = pipeline.place("features", key, forced="encode" in study.settings.force)
    with contextlib.suppress(MissingResourceError, BadInputError):
        return replace(Features.load(folder), encoder=name, on=selection.name, study=study.name)
    encoder = load_encoder(spec, study.root, device=study.settings.torch_device())
    batch_size, quiet = study.settings.batch_size or 64, study.settings.quiet
    made = encode(selection.manifest, encoder, folder, key=key, batch_size=batch_size, quiet=quiet)
    return replace(made, encoder=name, on=selection.name, study=study.name)
