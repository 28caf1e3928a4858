"""Which pictures find their captions among all captions, and which captions find their picture? Arrays in and out.

Equal scores come in an order drawn once, the same for all queries: features that are all alike score exactly chance.

Chance is that the captions of each picture belong to another one, all together. A caption then finds its picture among
the first k of n with probability k / n, whatever the features. A picture finds one of its captions with a probability
of the number of pictures that the first k captions come from, over n: less than five captions each at a random place
would give, for captions of one picture lie near each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concepttransfer.features.pairs import Aligned
from concepttransfer.statistics import Floats

Ints = NDArray[np.int64]
AT = (1, 5, 10)
"""The numbers of results that are looked at."""
DECIMALS = 9
"""Cosines that differ by less are equal: products of equal vectors differ by rounding."""
BLOCK = 1 << 22
"""Cosines computed and sorted at a time."""


@dataclass(frozen=True)
class Search:
    """One direction: queries, and the gallery that they search.

    Attributes:
        ranks: [q] the place of the first right result; 1: it comes first.
        nearest: [q] which one of the gallery comes first.
        owners: [q, 10] the pictures that the first results are or belong to.
        others: [10, q] of how many pictures the first 1, 2, ... results are.
        places: [gallery] how many pairs of a query and a picture first meet at each place.
        n_pictures: how many there are.
    """

    ranks: Ints
    nearest: Ints
    owners: Ints
    others: Ints
    places: Ints
    n_pictures: int

    def hits(self, k: int) -> Floats:
        """[q] 1 where a right one is among the first k."""
        return (self.ranks <= k).astype(np.float64)

    def by_chance(self, k: int) -> Floats:
        """[q] the same with the captions of each picture given to another one; k of `AT`."""
        return np.asarray(self.others[min(k, len(self.others)) - 1] / self.n_pictures)

    @property
    def chance(self) -> Floats:
        """[gallery] the mean over queries of that, for every k."""
        return np.asarray(self.places.cumsum() / (len(self.ranks) * self.n_pictures))

    @property
    def median_by_chance(self) -> float:
        """The median rank by chance."""
        return float(np.searchsorted(self.chance, 0.5 - 1e-12) + 1)


def captions_of_pictures(pairs: Aligned, rng: np.random.Generator, bar: Any) -> Search:
    """Each picture searches all captions; any of its own counts."""
    return _search((pairs.pictures, np.arange(len(pairs.pictures))), (pairs.captions, pairs.of), rng, bar)


def pictures_of_captions(pairs: Aligned, rng: np.random.Generator, bar: Any) -> Search:
    """Each caption searches all pictures."""
    return _search((pairs.captions, pairs.of), (pairs.pictures, np.arange(len(pairs.pictures))), rng, bar)


def _search(queries: tuple[Floats, Ints], gallery: tuple[Floats, Ints], rng: np.random.Generator, bar: Any) -> Search:
    """Both are directions and the picture that each one is or belongs to."""
    (asked, owner), (searched, owners) = queries, gallery
    order = rng.permutation(len(searched))
    n_pictures = int(owners.max()) + 1
    places = np.zeros(len(searched) + 1, dtype=np.int64)
    step = max(1, BLOCK // len(searched))
    found = []
    for start in range(0, len(asked), step):
        rows = np.arange(start, min(start + step, len(asked)))
        cosines = np.round(asked[rows] @ searched[order].T, DECIMALS)
        sorted_by = order[np.argsort(-cosines, axis=1, kind="stable")]
        met = owners[sorted_by]
        first = _first_places(met, n_pictures)
        places += np.bincount(first.ravel(), minlength=len(places))
        others = np.stack([(first <= k).sum(axis=1) for k in range(1, min(max(AT), len(searched)) + 1)])
        found.append((first[np.arange(len(rows)), owner[rows]], sorted_by[:, 0], met[:, : max(AT)], others.T))
        bar.update(len(rows))
    ranks, nearest, top, others = (np.concatenate(part) for part in zip(*found, strict=True))
    return Search(ranks, nearest, top, others.T, places[1:], n_pictures)


def _first_places(met: Ints, n_pictures: int) -> Ints:
    """[b, n_pictures] the first place, from 1, of each picture in rows `met` [b, gallery] that hold every one."""
    first = np.empty((len(met), n_pictures), dtype=np.int64)
    places = np.broadcast_to(np.arange(met.shape[1], 0, -1), met.shape)
    np.put_along_axis(
        first, met[:, ::-1], places, axis=1
    )  # of places written twice the last, which is the first, stays
    return first
