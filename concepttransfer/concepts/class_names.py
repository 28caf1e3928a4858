"""How a language model writes the names of classes into its input space: the mean word vector of each name's tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ShapeError
from ..storage import digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .concept_set import ConceptSet


@dataclass(frozen=True, eq=False)
class ClassNames:
    """Word vectors of the names that classes go by, and which row is of which class.

    Attributes:
        names: of the classes, a row of `vectors` each.
        vectors: [n, d_model] mean of the word vectors of the name's tokens.
        truth: row id -> name of its class.
        language_model_id: whose word vectors they are.
        key: names everything that changes a value.
    """

    names: tuple[str, ...]
    vectors: NDArray[np.float32]
    truth: Mapping[str, str]
    language_model_id: str
    key: str

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.names):
            raise ShapeError(f"{len(self.names)} names need as many word vectors; these are {self.vectors.shape}.")


def class_names_key(concepts: ConceptSet, language_model_id: str) -> str:
    """Names the word vectors of these concepts' first words in one language model."""
    return digest("class-names", [concept.words[0] for concept in concepts.concepts], language_model_id)


def word_vectors_of(texts: tuple[str, ...], language_model: Any) -> NDArray[np.float32]:
    """The mean word vector of each text's tokens, [len(texts), d_model], as the texts are written within a sentence.

    A name is read after another word, as it stands in a caption: most tokenizers have another token for ` zebra` than
    for a `zebra` at the start.
    """
    ids = language_model.tokens.continuations(list(texts), ["a"] * len(texts))
    vectors = language_model.word_vectors.detach().float().cpu().numpy()
    return np.stack([vectors[list(one)].mean(0) for one in ids]).astype(np.float32)
