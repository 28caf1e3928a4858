"""Cosines of pictures with their captions and with those of others: a number a picture, and chance.

A mean over pairs of different pictures, such as the cosine of a picture with the captions of another one, moves with
both pictures of a pair. The number of a picture is what it adds on either side, so that drawing pictures anew moves the
mean as it should (Hájek's projection).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from concepttransfer.features.pairs import Aligned
from concepttransfer.statistics import Floats

FEWEST = 4
"""Pictures that are needed."""


@dataclass(frozen=True)
class Cosines:
    """How near captions are to pictures.

    Attributes:
        matched: [n] mean cosine of a picture with its captions.
        others: [n] what each picture adds to the mean cosine of pictures with the captions of other pictures.
        nearest: [n] share of being the picture nearest to its first caption: 1, or less where others are as near.
        null_matched: [n_permutations] the mean cosine of matched pairs with captions given to drawn pictures.
        null_nearest: [n_permutations] the share of captions whose nearest picture is the one that they were given to.
    """

    matched: Floats
    others: Floats
    nearest: Floats
    null_matched: Floats
    null_nearest: Floats


def cosines(pictures: Floats, captions: Floats, aligned: Aligned, permutations: np.ndarray) -> Cosines:
    """How near the captions are to the pictures.

    Args:
        pictures: [n, dim] directions.
        captions: [m, dim] directions, moved or not.
        aligned: whose captions they are.
        permutations: [n_permutations, n] which picture each picture's captions are given to.
    """
    means = aligned.mean_over_captions(captions)
    by_pair = pictures @ means.T
    matched = by_pair.diagonal().copy()
    first = pictures @ captions[aligned.first].T
    nearest = _is_nearest(first)
    rows = np.arange(len(pictures))
    return Cosines(
        matched=matched,
        others=_both_sides(by_pair),
        nearest=nearest.diagonal().copy(),
        null_matched=np.array([by_pair[given, rows].mean() for given in permutations]),
        null_nearest=np.array([nearest[given, rows].mean() for given in permutations]),
    )


def among(values: Floats) -> Floats:
    """[n] what each row of `values [n, dim]` adds to the mean inner product of different rows."""
    return _both_sides(values @ values.T)


def _both_sides(by_pair: Floats) -> Floats:
    """[n] of a matrix of all pairs: mean over the others of row and of column, less the mean of all."""
    n = len(by_pair)
    own = by_pair.diagonal()
    rows, columns = by_pair.sum(1) - own, by_pair.sum(0) - own
    found: Floats = (rows + columns) / (n - 1) - rows.sum() / (n * (n - 1))
    return found


def _is_nearest(by_pair: Floats) -> Floats:
    """[pictures, captions] 1 where the picture is the nearest one to the caption, shared out where several are."""
    is_best = by_pair >= by_pair.max(axis=0) - 1e-12
    found: Floats = is_best / is_best.sum(axis=0)
    return found
