"""Pictures beside texts in the space that the two towers of one CLIP share. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInputError, MismatchError, ShapeError
from ..statistics import Floats
from ..storage import digest

if TYPE_CHECKING:
    from . import Features

PUBLISHED_SCALE = 100.0
"""What cosines are multiplied by before a softmax, where a model's own scale is not known: CLIP's, at which it was held
in training. Radford et al. 2021, section 2.5."""
SHORTEST = 1e-12


@dataclass(frozen=True, eq=False)
class Towers:
    """Features of pictures and of texts by the two towers of one CLIP.

    Attributes:
        encoder, on, study: names of the encoder, the data and the study.
        pictures: one token each.
        texts: one token each; ids are `OWNER#NUMBER`.
        scale: what cosines are multiplied by before a softmax.
        n_cut: how many texts were longer than the text tower reads and were cut.
        left_out: encoders that were asked for and have no text tower, each with the reason.

    Raises:
        MismatchError: the two are not of one space.
        ShapeError: they have several tokens.
    """

    encoder: str
    on: str
    study: str
    pictures: Features
    texts: Features
    scale: float = PUBLISHED_SCALE
    n_cut: int = 0
    left_out: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        a, b = self.pictures, self.texts
        if a.space != b.space or a.dim != b.dim:
            raise MismatchError(
                f"The pictures of {self.encoder} are in the space `{a.space}` ({a.dim} wide), its texts in `{b.space}` "
                f"({b.dim} wide). Only what the two towers of one CLIP give as `projected` can be compared."
            )
        if (a.tokens, b.tokens) != (1, 1):
            raise ShapeError(f"Pictures and texts are compared by one token each; here are {a.tokens} and {b.tokens}.")

    @cached_property
    def key(self) -> str:
        """Names everything that changes a number."""
        return digest("towers", self.pictures.key, self.texts.key, self.scale)

    def seen(self, row_ids: Sequence[str]) -> Floats:
        """[n, dim] the directions of pictures.

        Raises:
            MismatchError: one of them is not here.
            BadInputError: a value is no number.
        """
        return directions(self.pictures, row_ids, self.encoder)

    def read(self, text_ids: Sequence[str]) -> Floats:
        """[n, dim] the directions of texts."""
        return directions(self.texts, text_ids, self.encoder)


def directions(features: Features, ids: Sequence[str], encoder: str) -> Floats:
    """Rows of length 1, [n, dim].

    Raises:
        BadInputError: a value is no number.
    """
    rows: Any = np.asarray(features.take(ids), dtype=np.float64)[:, 0]
    if (bad := ~np.isfinite(rows).all(axis=1)).any():
        raise BadInputError(
            f"The features of `{ids[int(np.argmax(bad))]}` by {encoder} hold a value that is no number "
            f"({int(bad.sum())} rows do). Encode again: concepttransfer encode --force encode"
        )
    return unit(rows)


def unit(rows: Floats) -> Floats:
    """Vectors along the last axis, divided by their lengths."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), SHORTEST))
