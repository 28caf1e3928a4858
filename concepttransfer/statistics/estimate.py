"""What a claim carries: an estimate with interval, chance and p; how the last three are computed from draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LEVEL = 0.95
"""Share of intervals that are to hold what they are about."""
MEASURABLE_ROWS = 20
MEASURABLE_CLUSTERS = 5
"""With fewer rows or clusters behind a claim no p is given."""


@dataclass(frozen=True)
class Estimate:
    """One claim: a value, its interval, and what chance would give.

    Attributes:
        value: the estimate.
        low, high: its 95 % interval.
        chance: what unrelated inputs would give; NaN where there is no such thing.
        p: two-sided, of chance (or of no difference); NaN where it cannot be given.
        q: p corrected for the false discovery rate over its family.
        n: rows behind it.
        n_clusters: classes behind it.
        n_seeds: seeds behind it.
        method: how interval and p were found.
    """

    value: float
    low: float = np.nan
    high: float = np.nan
    chance: float = np.nan
    p: float = np.nan
    q: float = np.nan
    n: int = 0
    n_clusters: int = 0
    n_seeds: int = 1
    method: str = ""


def bca(deviations: Floats, influence: Floats) -> tuple[float, float]:
    """Both ends of the bias-corrected and accelerated bootstrap interval. Efron 1987, equations 2.3 and 6.6.

    Args:
        deviations: [n_resamples] resampled values less the estimate.
        influence: [n_units] first-order effect of each unit on the estimate.

    Returns:
        low and high, as deviations from the estimate.
    """
    from scipy import stats

    n, spread = len(deviations), float(deviations.std())
    if spread < 1e-12:
        return 0.0, 0.0
    below = ((deviations < -1e-12).sum() + (np.abs(deviations) <= 1e-12).sum() / 2) / n
    bias = stats.norm.ppf(np.clip(below, 1 / n, 1 - 1 / n))
    acceleration = (influence**3).sum() / (6 * spread**3)
    z = bias + stats.norm.ppf(np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    at = stats.norm.cdf(bias + z / np.maximum(1 - acceleration * z, 0.1))
    low, high = np.quantile(deviations, at)
    return float(low), float(high)


def permutation_p(observed: float, null: ArrayLike) -> float:
    """How often is a value under permutation as far out as the one observed? Two-sided, counting the observed one.

    (1 + as extreme) / (1 + drawn), doubled for the smaller tail, at most 1. Phipson & Smyth 2010.
    """
    drawn = np.asarray(null, dtype=np.float64)
    tolerance = 1e-9 * max(1.0, abs(observed))
    above, below = int((drawn >= observed - tolerance).sum()), int((drawn <= observed + tolerance).sum())
    return min(1.0, 2 * (1 + min(above, below)) / (1 + len(drawn)))


def false_discovery(p: ArrayLike) -> Floats:
    """q of each p over one family, by Benjamini & Hochberg; missing p stay missing and do not count."""
    from scipy import stats

    p = np.asarray(p, dtype=np.float64)
    q, known = np.full(p.shape, np.nan), np.isfinite(p)
    if known.any():
        q[known] = stats.false_discovery_control(p[known])
    return q
