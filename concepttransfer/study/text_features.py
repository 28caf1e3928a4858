"""Captions as a fit reads them in the place of their pictures: by the text tower of the encoder's own CLIP."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import BadInputError
from . import towers

if TYPE_CHECKING:
    from ..features import Features
    from .selection import Selection
    from .study import Study

logger = logging.getLogger(__name__)


def text_features(study: Study, name: str, selection: Selection) -> Features:
    """Features `[n, 1, dim]` of all texts of a data set, ids `ROW#NUMBER`, from the cache or encoded now.

    Texts that are longer than the tower reads are cut, which is told.

    Raises:
        BadInputError: the encoder's features are in no space that texts share.
        EmptyDataError: there is no text.
    """
    if study.encoder_spec(name).features != towers.PROJECTED:
        _refuse(study, name)
    read = towers.texts(study, name, selection.manifest)
    if read.n_cut:
        n = sum(map(len, selection.manifest.texts))
        told = "%d of %d texts of `%s` are longer than %s's text tower reads; their ends are cut."
        logger.warning(told, read.n_cut, n, selection.name, name)
    return replace(read.features, encoder=name, on=selection.name, study=study.name)


def _refuse(study: Study, name: str) -> None:
    shared = [other for other in study.encoders if study.encoder_spec(other).features == towers.PROJECTED]
    known = f" Those that are: {', '.join(shared)}." if shared else ""
    raise BadInputError(
        f"`{name}` reads `{study.encoder_spec(name).features}`, which no text tower gives. Texts and pictures share a "
        f"CLIP's `features: projected`.{known}"
    )
