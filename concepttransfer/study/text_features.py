"""Features of a data set's texts, by the text tower of an encoder's CLIP."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadInputError, MissingResourceError
from ..storage import cache_folder, read_json, write_json
from . import keys, pipeline
from .scoring import count_cut

if TYPE_CHECKING:
    from ..encoders.base import Encoder
    from ..encoders.spec import EncoderSpec
    from ..features import Features
    from .selection import Selection
    from .study import Study


logger = logging.getLogger(__name__)


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

    Texts that are longer than the tower reads are cut, which is told.

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
    with contextlib.suppress(MissingResourceError, BadInputError, FileNotFoundError):
        found = Features.load(folder)
        _tell_cut(name, selection, int(read_json(_note(key))["n_cut"]))
        return _named(found, study, name, selection)
    encoder = load_encoder(spec, study.root, device=study.settings.torch_device())
    batch_size, quiet = study.settings.batch_size or 64, study.settings.quiet
    made = encode(selection.manifest, encoder, folder, key=key, batch_size=batch_size, quiet=quiet)
    _tell_cut(name, selection, _count(selection, encoder, key))
    return _named(made, study, name, selection)


def _named(features: Features, study: Study, name: str, selection: Selection) -> Features:
    return replace(features, encoder=name, on=selection.name, study=study.name)


def _note(key: str) -> Path:
    """Where it is written down how many texts of a store were cut, which only the loaded tower can tell."""
    return cache_folder() / "cut-texts" / f"{key}.json"


def _count(selection: Selection, encoder: Encoder, key: str) -> int:
    n_cut = count_cut([text for texts in selection.manifest.texts for text in texts], encoder.transform)
    write_json(_note(key), {"n_cut": n_cut})
    return n_cut


def _tell_cut(name: str, selection: Selection, n_cut: int) -> None:
    if n_cut:
        n = sum(map(len, selection.manifest.texts))
        logger.warning(
            "%d of %d texts of `%s` are longer than %s's text tower reads; their ends are cut.",
            n_cut,
            n,
            selection.name,
            name,
        )
