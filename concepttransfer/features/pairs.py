"""Pictures and their captions in the space that the two towers of one CLIP share. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import EmptyDataError
from ..statistics import Floats
from ..storage import digest
from .towers import Towers


@dataclass(frozen=True, eq=False)
class Aligned:
    """Directions of pictures and of their captions, caption by caption.

    Attributes:
        row_ids: the pictures that have a caption, in order.
        pictures: [n, dim].
        captions: [m, dim], those of one picture next to each other.
        of: [m] the number of each caption's picture, rising; every picture is there.
    """

    row_ids: tuple[str, ...]
    pictures: Floats
    captions: Floats
    of: NDArray[np.int64]

    @property
    def beside(self) -> Floats:
        """[m, dim] the picture of each caption."""
        return self.pictures[self.of]

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """[n] the number of each picture's first caption."""
        return np.searchsorted(self.of, np.arange(len(self.row_ids)))

    def mean_over_captions(self, values: Floats) -> Floats:
        """[n, ...] the mean over each picture's captions of `values [m, ...]`."""
        counts = np.diff(np.append(self.first, len(self.of)))
        sums = np.add.reduceat(values, self.first, axis=0)
        return np.asarray(sums / counts.reshape(-1, *[1] * (values.ndim - 1)))


@dataclass(frozen=True, eq=False)
class PairedTowers(Towers):
    """Pictures of a data set and all their captions, whose ids are `ROW#NUMBER`.

    Attributes:
        elsewhere: other pictures with captions, on which adapters are fitted; None: there are none.
    """

    elsewhere: PairedTowers | None = None

    @cached_property
    def key(self) -> str:
        """Names everything that changes a number."""
        other = self.elsewhere.key if self.elsewhere else None
        return digest("paired-towers", self.pictures.key, self.texts.key, other)

    @property
    def row_ids(self) -> list[str]:
        """The pictures that could be read and have a caption, in order."""
        captioned = {name.rpartition("#")[0] for name in self.texts.row_ids}
        return [row for row in self.pictures.row_ids if row in captioned]

    def aligned(self, row_ids: Sequence[str] | None = None) -> Aligned:
        """Directions of some pictures, by default of all, and of their captions.

        Raises:
            EmptyDataError: no picture has a caption.
            MismatchError: a picture is not here.
            BadInputError: a value is no number.
        """
        rows = list(self.row_ids if row_ids is None else row_ids)
        places: dict[str, list[str]] = {row: [] for row in rows}
        for name in self.texts.row_ids:
            if (own := places.get(name.rpartition("#")[0])) is not None:
                own.append(name)
        captions = [name for row in rows for name in places[row]]
        if not captions:
            raise EmptyDataError(f"No picture of `{self.on}` has a caption. Name data with captions with --on.")
        of = np.repeat(np.arange(len(rows)), [len(places[row]) for row in rows])
        return Aligned(tuple(rows), self.seen(rows), self.read(captions), of)
