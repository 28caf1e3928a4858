"""What a study makes of the names of its data's classes: their word vectors, read once and kept."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import numpy as np

from ..concepts.class_names import ClassNames, class_names_key, word_vectors_of
from ..errors import BadInputError
from ..storage import cache_folder, write_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..concepts import ConceptSet
    from .selection import Selection
    from .study import Study

logger = logging.getLogger(__name__)


def class_names(study: Study, selection: Selection) -> ClassNames | None:
    """Word vectors of the classes of one data set; None, with the reason told, where no row's class is known."""
    try:
        concepts = selection.concepts
    except BadInputError as error:
        logger.warning("Encoders are not compared with the language model: %s", error)
        return None
    key = class_names_key(concepts, study.language_model_identity)
    return ClassNames(
        concepts.names, _vectors(study, concepts, key), concepts.truth, study.language_model_identity, key
    )


def _vectors(study: Study, concepts: ConceptSet, key: str) -> NDArray[np.float32]:
    """From the cache, which spares loading the language model, or read now."""
    place = cache_folder() / "class-names" / f"{key}.npy"
    if not place.is_file():
        held = io.BytesIO()
        texts = tuple(concept.words[0] for concept in concepts.concepts)
        np.save(held, word_vectors_of(texts, study.language_model), allow_pickle=False)
        write_bytes(place, held.getvalue())
    vectors: NDArray[np.float32] = np.load(place, allow_pickle=False)
    return vectors
