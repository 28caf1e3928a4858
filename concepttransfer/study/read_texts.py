"""Texts as a text tower reads them: each once, kept in the store, with what only the loaded tower can tell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import BadInputError, MissingResourceError
from ..features.towers import PUBLISHED_SCALE
from ..manifest import Manifest
from ..storage import cache_folder, read_json, write_json

if TYPE_CHECKING:
    from ..encoders.base import Encoder
    from ..encoders.spec import EncoderSpec
    from ..features import Features
    from .study import Study

DTYPE = "float32"
"""How texts, and pictures of a judge, are stored: their cosines are computed from unrounded ones."""


class Read(NamedTuple):
    """Texts that were read.

    Attributes:
        features: [n, 1, dim], ids `ROW#NUMBER`.
        n_cut: how many were longer than the tower reads.
        scale: what the model multiplies cosines by.
    """

    features: Features
    n_cut: int
    scale: float


def read_texts(study: Study, spec: EncoderSpec, manifest: Manifest) -> Read:
    """All texts of a manifest by a text tower, from the store or read now."""
    from ..encoders import load_encoder
    from ..features import features_key

    note = cache_folder() / "read-texts" / f"{features_key(manifest.id, spec.identity(study.root), DTYPE)}.json"
    if note.is_file():
        known = read_json(note)
        return Read(encoded(study, spec, manifest), int(known["n_cut"]), float(known["scale"]))
    encoder = load_encoder(spec, study.root, device=study.settings.torch_device())
    n_cut = count_cut([text for texts in manifest.texts for text in texts], encoder.transform)
    scale = PUBLISHED_SCALE if spec.init == "random" else _scale_of(encoder.module)
    features = encoded(study, spec, manifest, encoder)
    write_json(note, {"n_cut": n_cut, "scale": scale})
    return Read(features, n_cut, scale)


def encoded(study: Study, spec: EncoderSpec, manifest: Manifest, encoder: Encoder | None = None) -> Features:
    """Features in float32, from the store or encoded now; an encoder that is loaded already may be given."""
    from ..encoders import load_encoder
    from ..features import Features, encode, features_key

    key = features_key(manifest.id, spec.identity(study.root), DTYPE)
    folder = cache_folder() / "features" / key
    with contextlib.suppress(MissingResourceError, BadInputError):
        return Features.load(folder)
    encoder = encoder or load_encoder(spec, study.root, device=study.settings.torch_device())
    return encode(
        manifest,
        encoder,
        folder,
        key=key,
        dtype=DTYPE,
        batch_size=study.settings.batch_size or 64,
        quiet=study.settings.quiet,
    )


def count_cut(texts: Iterable[str], transform: Any) -> int:
    """How many texts are longer than a text tower reads: its input stays the same when their end is taken away.

    Args:
        texts: to be read.
        transform: a text to its input, ids `[context]` filled up after the end of shorter ones, or ids and mask
            `[2, context]`.
    """
    filler = np.atleast_2d(np.asarray(transform("a")))[0, -1]

    def is_cut(text: str) -> bool:
        read = np.asarray(transform(text))
        ids, *masks = np.atleast_2d(read)
        if not masks[0][-1] if masks else ids[-1] == filler:  # a filler may be the end itself: the mask knows
            return False
        start = text.rfind(" ") + 1
        return any(np.array_equal(read, np.asarray(transform(text[:end]))) for end in range(max(start, 1), len(text)))

    return sum(is_cut(text) for text in dict.fromkeys(texts))


def _scale_of(module: Any) -> float:
    """What a CLIP multiplies cosines by: its learnt temperature, at most the paper's; else the paper's."""
    network = getattr(module, "network", module)
    learnt = getattr(network, "logit_scale", None)
    return PUBLISHED_SCALE if learnt is None else round(min(float(learnt.exp()), PUBLISHED_SCALE), 6)
