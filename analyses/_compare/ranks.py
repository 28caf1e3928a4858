"""Which encoders can be told apart, and between which ranks each of them lies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from concepttransfer.statistics import LEVEL, Floats

Ints = NDArray[np.int64]


def step_down(values: Sequence[float], nulls: Floats) -> Floats:
    """p of each difference, corrected so that of all true null hypotheses together one is refused in 5 %.

    The largest difference, in units of its own spread under random signs, is held against the largest of all under the
    same signs; then the next one against the largest of those that are left. Two-sided. Romano & Wolf 2005, section 4.

    Args:
        values: of n differences.
        nulls: [n_draws, n] the same differences under random signs, drawn together.

    Returns:
        [n], NaN where a difference has no null.
    """
    differences = np.asarray(values, dtype=np.float64)
    found: Floats = np.full(len(differences), np.nan)
    spread = nulls.std(0) if len(nulls) else found
    known = np.flatnonzero(np.isfinite(spread) & np.isfinite(differences))
    scale = np.where(spread[known] > 0, spread[known], np.inf)
    observed, drawn = np.abs(differences[known]) / scale, np.abs(nulls[:, known]) / scale
    order = np.argsort(-observed, kind="stable")
    # the largest of those that are left: from the smallest observed one upwards
    largest = np.maximum.accumulate(drawn[:, order[::-1]], axis=1)[:, ::-1]
    reached = (largest >= observed[order] - 1e-9).sum(0)
    found[known[order]] = np.maximum.accumulate((1 + reached) / (1 + len(nulls)))
    return found


def rank_limits(n: int, pairs: Sequence[tuple[int, int]], values: Sequence[float], p: Floats) -> tuple[Ints, Ints]:
    """The best and the worst rank that each of n systems may have; 1 is the highest value.

    All of these intervals hold the true ranks together in 95 %, for at most so often is a pair told apart in the wrong
    direction. Resampled ranks would not: equal systems would seem ranked. Mogstad, Romano, Shaikh & Wilhelm 2024,
    section 3.

    Args:
        n: how many systems.
        pairs: of places of systems.
        values: of each pair, the first less the second.
        p: of each pair, from `step_down`; NaN tells nothing apart.

    Returns:
        [n] best, [n] worst.
    """
    better, worse = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for (one, other), value, how_likely in zip(pairs, values, p, strict=True):
        if how_likely <= 1 - LEVEL:
            high, low = (one, other) if value > 0 else (other, one)
            worse[high] += 1
            better[low] += 1
    return 1 + better, n - worse
