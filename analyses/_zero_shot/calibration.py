"""How often is a classifier right when it says that it is 80 % sure? Expected calibration error. Arrays in and out.

Guo et al. 2017, equation 3: pictures are put into 15 bins of equal width by the probability of the class named; the
error is the mean over pictures of the distance, within their bin, of the share right from the mean probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concepttransfer.statistics import Floats

N_BINS = 15
N_DRAWS = 400
"""Of right and wrong by a classifier that is calibrated: their mean is what it would score with so many pictures."""


@dataclass(frozen=True)
class Calibration:
    """The calibration of one encoder.

    Attributes:
        error: expected calibration error.
        by_chance: [n_draws] errors that the same probabilities would have if they were right as often as they say.
        whole: [n_resamples] change of the error when classes are drawn anew.
        pictures: [n_resamples] the same when pictures are drawn within these classes.
        bins: [N_BINS, 3] pictures, mean probability, share right; NaN in an empty bin.
    """

    error: float
    by_chance: Floats
    whole: Floats
    pictures: Floats
    bins: Floats

    @property
    def floor(self) -> float:
        """What a calibrated classifier scores: above 0, since shares of few pictures scatter."""
        return float(self.by_chance.mean())


def calibration(
    confidence: Floats, right: NDArray[np.bool_], clusters: NDArray[np.int64], rng: np.random.Generator, n: int
) -> Calibration:
    """Measure it.

    Args:
        confidence: [n_rows] the probability of the class named, in 0 to 1.
        right: [n_rows] whether it is the right one.
        clusters: [n_rows] the class of each row.
        rng: of all draws.
        n: resamples of the interval.
    """
    at = np.minimum((confidence * N_BINS).astype(np.int64), N_BINS - 1)
    gaps = _table(at, right - confidence)
    codes = np.unique(clusters, return_inverse=True)[1]
    chance = np.stack([rng.random(len(confidence)) < confidence for _ in range(N_DRAWS)]) - confidence
    error = float(_error(gaps.sum(axis=0), len(at)))
    whole, pictures = _drawn(gaps, codes, rng, n)
    return Calibration(
        error,
        np.array([_error(_sums(at, one), len(at)) for one in chance]),
        whole - error,
        pictures - error,
        _bins(at, confidence, right),
    )


def expected_calibration_error(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """The error alone."""
    at = np.minimum((confidence * N_BINS).astype(np.int64), N_BINS - 1)
    return float(_error(_table(at, right - confidence).sum(axis=0), len(at)))


def _table(at: NDArray[np.int64], values: Floats) -> Floats:
    """Values [n] in the columns of their bins [n, N_BINS]."""
    found = np.zeros((len(at), N_BINS))
    found[np.arange(len(at)), at] = values
    return found


def _sums(at: NDArray[np.int64], values: Floats) -> Floats:
    """[N_BINS] the sum of the values [n] in each bin."""
    return np.asarray(np.bincount(at, weights=values, minlength=N_BINS), dtype=np.float64)


def _error(gaps: Floats, n: int | Floats) -> Floats:
    return np.asarray(np.abs(gaps).sum(axis=-1) / n)


def _drawn(gaps: Floats, codes: NDArray[np.int64], rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Errors [n] with classes drawn, and with pictures drawn within these classes."""
    sizes = np.bincount(codes)
    sums = np.stack([gaps[codes == code].sum(axis=0) for code in range(len(sizes))])
    times = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=n)
    within = np.zeros((n, gaps.shape[1]))
    for code, size in enumerate(sizes):
        drawn = rng.multinomial(size, np.full(size, 1 / size), size=n)
        stretch = np.sqrt(size / max(size - 1, 1))
        within += (1 + (drawn - 1) * stretch) @ gaps[codes == code]
    return _error(times @ sums, (times @ sizes).astype(np.float64)), _error(within, len(gaps))


def _bins(at: NDArray[np.int64], confidence: Floats, right: NDArray[np.bool_]) -> Floats:
    n = np.bincount(at, minlength=N_BINS).astype(np.float64)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(at, weights=one, minlength=N_BINS) / n for one in (confidence, right.astype(np.float64))]
    return np.stack([n, *means], axis=1)
