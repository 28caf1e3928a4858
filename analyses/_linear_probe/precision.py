"""Average precision of many attributes at once, and what each picture adds to it. Arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concepttransfer.statistics import Floats


def average_precision(scores: Floats, truth: NDArray[np.bool_]) -> Floats:
    """Average precision [m] of scores [n, m] for attributes [n, m]; NaN where all pictures, or none, have one.

    The sum over the thresholds of precision times gain in recall; equal scores share a threshold. This is
    scikit-learn's `average_precision_score`.
    """
    precision, _, _, positive = _ranked(scores, truth)
    return _mean(precision, positive)


def influence(scores: Floats, truth: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Average precision [m], and its derivative by the weight of each picture [n, m].

    The derivatives sum to 0, so that n times the derivative, added to the average precision, is a value a picture whose
    mean is the average precision, and which can be resampled as any mean. NaN where the average precision is.
    """
    precision, first, order, positive = _ranked(scores, truth)
    value = _mean(precision, positive)
    rank = _ends(np.take_along_axis(scores, order, 0)) + 1
    below = _suffix(positive / rank, first)
    lost = _suffix(positive * precision / rank, first)
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = (positive * (precision - value + below) - lost) / positive.sum(0)
    found = np.empty_like(slopes)
    np.put_along_axis(found, order, slopes, 0)
    found[:, np.isnan(value)] = np.nan
    return value, found


def _ranked(scores: Floats, truth: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64], Floats]:
    """By falling score: precision at each place's threshold, the first place of it, the order, and who is positive."""
    order = np.argsort(-scores, axis=0, kind="stable")
    ranked, positive = np.take_along_axis(scores, order, 0), np.take_along_axis(truth, order, 0).astype(np.float64)
    ends = _ends(ranked)
    precision = np.take_along_axis(positive.cumsum(0), ends, 0) / (ends + 1)
    return precision, len(scores) - 1 - _ends(ranked[::-1])[::-1], order, positive


def _ends(ranked: Floats) -> NDArray[np.int64]:
    """The last place with the same score, for each place [n, m]."""
    n = len(ranked)
    places = np.broadcast_to(np.arange(n)[:, None], ranked.shape)
    is_last = np.concatenate([ranked[1:] != ranked[:-1], np.ones((1, ranked.shape[1]), dtype=bool)])
    return np.minimum.accumulate(np.where(is_last, places, n)[::-1], axis=0)[::-1].astype(np.int64)


def _suffix(values: Floats, first: NDArray[np.int64]) -> Floats:
    """The sum of the values from place `first` on, for each place."""
    sums = np.cumsum(values[::-1], axis=0)[::-1]
    return np.take_along_axis(sums, first, 0)


def _mean(precision: Floats, positive: Floats) -> Floats:
    """The mean precision of the positives; NaN where there are none, or nothing else."""
    number = positive.sum(0)
    known = (number > 0) & (number < len(positive))
    return np.where(known, (precision * positive).sum(0) / np.maximum(number, 1), np.nan)
