"""How far apart are the centroids of pictures and captions, beyond what finite samples make of no distance at all?

The squared distance of two sample means is too large by their scatter over n. Taken over pairs of different pictures it
is not: 0 is then what pictures and captions of one cloud have. Liang et al. 2022 (the modality gap) take the plain one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from concepttransfer.features.pairs import Aligned
from concepttransfer.statistics import LEVEL, Estimate, Floats, permutation_p

JACKKNIFE = "delete-one jackknife over pictures, pairs counted once; p: picture and caption swapped, the sign drawn"


@dataclass(frozen=True)
class Gap:
    """The distance of the centroids, and the share of the variance of both clouds together that it makes."""

    distance: Estimate
    share: Estimate


def gap(aligned: Aligned, n_permutations: int, rng: np.random.Generator) -> Gap:
    """Measure the gap. The centroid of captions is that of the pictures' mean captions.

    Args:
        aligned: pictures and captions.
        n_permutations: draws of the signs behind p.
        rng: of the draws.
    """
    means = aligned.mean_over_captions(aligned.captions)
    differences, middles = aligned.pictures - means, (aligned.pictures + means) / 2
    squared = _mean_of_pairs(differences)
    total = _variance(middles)
    without = _without_one(differences)
    twice = _pairs_counted_twice(differences)
    p = permutation_p(squared, _flipped(differences, n_permutations, rng))
    low, high = _interval(squared, without, twice)
    share = squared / (4 * total)
    share_ends = _interval(share, without / (4 * _variance_without_one(middles)), twice / (4 * total) ** 2)
    root = [float(np.sqrt(max(value, 0.0))) for value in (squared, low, high)]
    ends = [float(np.clip(value, 0.0, 1.0)) for value in (share, *share_ends)]
    return Gap(_estimate(root, p, len(differences)), _estimate(ends, p, len(differences)))


def _estimate(value_and_ends: list[float], p: float, n: int) -> Estimate:
    value, low, high = value_and_ends
    return Estimate(value=value, low=low, high=high, chance=0.0, p=p, n=n, n_clusters=n, method=JACKKNIFE)


def _mean_of_pairs(d: Floats) -> float:
    """The mean inner product of different rows of `d [n, dim]`: the square of their mean, without bias."""
    n = len(d)
    return float((np.square(d.sum(0)).sum() - np.square(d).sum()) / (n * (n - 1)))


def _without_one(d: Floats) -> Floats:
    """[n] `_mean_of_pairs` with each row left out."""
    n, total, own = len(d), d.sum(0), np.square(d).sum(1)
    sums = np.square(total).sum() - 2 * d @ total + own - (own.sum() - own)
    found: Floats = sums / ((n - 1) * (n - 2))
    return found


def _variance(middles: Floats) -> float:
    """Of all directions together, whose squares are 1: 1 less the square of the mean, which pairs tell without bias."""
    return max(1 - _mean_of_pairs(middles), 1e-12)


def _variance_without_one(middles: Floats) -> Floats:
    return np.maximum(1 - _without_one(middles), 1e-12)


def _pairs_counted_twice(d: Floats) -> float:
    """What the jackknife of `_mean_of_pairs` counts twice: the variance that pairs of rows add, 2 tr(S^2) / n^2.

    The trace of the sample's squared covariance is too large by tr(S)^2 / n, which is taken off.
    """
    n = len(d)
    centred = d - d.mean(0)
    products = centred @ centred.T if n < d.shape[1] else centred.T @ centred
    squared = np.square(products).sum() / (n - 1) ** 2
    trace = np.square(centred).sum() / (n - 1)
    return float(max(2 * (squared - trace**2 / n) / n**2, 0.0))


def _interval(value: float, without: Floats, twice: float) -> tuple[float, float]:
    """Both ends of the 95 % interval, by Student's t."""
    from scipy import stats

    n = len(without)
    variance = (n - 1) / n * np.square(without - without.mean()).sum()
    reach = stats.t.ppf((1 + LEVEL) / 2, n - 1) * np.sqrt(max(variance - twice, twice))
    return float(value - reach), float(value + reach)


def _flipped(d: Floats, n_permutations: int, rng: np.random.Generator) -> Floats:
    """[n_permutations] `_mean_of_pairs` with the sign of each row drawn."""
    n, own = len(d), np.square(d).sum()
    signs = rng.choice((-1.0, 1.0), size=(n_permutations, n))
    found: Floats = (np.square(signs @ d).sum(1) - own) / (n * (n - 1))
    return found
