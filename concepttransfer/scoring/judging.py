"""How near is a caption to the picture, and to the references, in the space of a CLIP that judges? Hessel et al. 2021.

CLIPScore is 2.5 times the cosine of picture and caption, at least 0. RefCLIPScore is the harmonic mean of CLIPScore and
the largest cosine of the caption with a reference, at least 0 too, a picture at a time. (The released code leaves
negative cosines in; their harmonic mean with a score of about their size has no bounds.) Every text stands behind `A
photo depicts`, but for judges of the microworld, which never read a text with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MismatchError
from ..statistics import Floats
from ..storage import digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..features import Features

WEIGHT = 2.5
PREFIX = "A photo depicts "
_BLOCK = 1 << 14


def prefix_of(model: str) -> str:
    """What stands before every text that a judge reads.

    The microworld's judges learnt from bare captions: on dev theirs finds a picture's caption among 200 in 72.5 %, and
    in 64.0 % when all stand behind the prefix.
    """
    return "" if model.startswith("microworld:") else PREFIX


@dataclass(frozen=True, eq=False)
class JudgeScores:
    """A judge's view of pictures, their references and what was said of them, as directions in one space.

    Attributes:
        model: the judge, such as `open_clip:ViT-B-32/openai`.
        prefix: what stands before every text.
        pictures: features of the pictures, one token each.
        references: of their references; ids are `ROW#NUMBER`.
        captions: `Captions.key` -> features of those captions; ids are `ROW#0`.
        shares: encoders whose weights are the judge's own.
        n_cut: how many texts were longer than the judge reads and were cut.
    """

    model: str
    prefix: str
    pictures: Features
    references: Features
    captions: Mapping[str, Features]
    shares: frozenset[str] = frozenset()
    n_cut: int = 0

    def __post_init__(self) -> None:
        spaces = {f.space for f in (self.pictures, self.references, *self.captions.values())}
        if len(spaces) > 1:
            raise MismatchError(f"A judge compares pictures and texts in one space; these are of {sorted(spaces)}.")

    @property
    def id(self) -> str:
        """Names everything that changes a score."""
        return digest("judge", self.pictures.key, self.references.key, sorted(f.key for f in self.captions.values()))

    def knows(self, row_ids: Sequence[str]) -> NDArray[np.bool_]:
        """[n] whether the judge could read each picture and has a reference of it."""
        return np.array([row in self._pictures_at and row in self._references_at for row in row_ids], dtype=bool)

    def score(self, captions: str, pictures: Sequence[str], said_of: Sequence[str]) -> tuple[Floats, Floats]:
        """CLIPScore and RefCLIPScore, each [n], of pictures with captions.

        Args:
            captions: the `Captions.key` of who said them.
            pictures: ids of the rows whose picture and references count.
            said_of: ids of the rows whose captions are given to them: the same rows for the captions' own score.

        Raises:
            MismatchError: a picture or a caption is not here.
        """
        spoken = self._unit(self.captions[captions], [f"{row}#0" for row in said_of])
        seen = self._unit(self.pictures, pictures)
        clip = WEIGHT * np.maximum(np.einsum("nd,nd->n", seen, spoken), 0)
        return clip, harmonic_mean(clip, np.maximum(self._best_reference(pictures, spoken), 0))

    def _best_reference(self, pictures: Sequence[str], spoken: Floats) -> Floats:
        """[n] the largest cosine of a caption with a reference of its picture."""
        listed = [self._references_at[row] for row in pictures]
        sizes = np.array([len(places) for places in listed])
        at, owner = np.concatenate(listed), np.repeat(np.arange(len(listed)), sizes)
        cosines = np.empty(len(at))
        for start in range(0, len(at), _BLOCK):
            part = slice(start, start + _BLOCK)
            cosines[part] = np.einsum("nd,nd->n", self._references[at[part]], spoken[owner[part]])
        return np.maximum.reduceat(cosines, np.cumsum(sizes) - sizes)

    @cached_property
    def _references(self) -> Floats:
        return _directions(self.references.values[:])

    @cached_property
    def _references_at(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for number, name in enumerate(self.references.row_ids):
            places.setdefault(name.rpartition("#")[0], []).append(number)
        return places

    @cached_property
    def _pictures_at(self) -> frozenset[str]:
        return frozenset(self.pictures.row_ids)

    def _unit(self, features: Features, ids: Sequence[str]) -> Floats:
        held = self.__dict__.setdefault("_held", {})
        if features.key not in held:
            held[features.key] = _directions(features.values[:])
        unit: Floats = held[features.key][features.indices(ids)]
        return unit


def harmonic_mean(a: Floats, b: Floats) -> Floats:
    """[n] 2ab / (a + b); 0 where both are 0 or the mean would not be defined."""
    below = a + b
    return np.divide(2 * a * b, below, out=np.zeros(below.shape), where=below > 0)


def _directions(values: Any) -> Floats:
    """Features `[n, 1, dim]` as rows of length 1, [n, dim]."""
    rows = np.asarray(values, dtype=np.float64)[:, 0]
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
