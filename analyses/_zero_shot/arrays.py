"""What the figures draw and no table of pictures holds: a row a class, reliability, example rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concepttransfer.statistics import LEVEL, Floats

from .calibration import Calibration
from .named import Codes, Named

N_EXAMPLES = 8
BY_CLASS = ("n", "right", "low", "high", "chance", "wrong", "share of wrong")
"""What is known of each class: its pictures, the share named right with the interval of these pictures, that by chance,
the wrong class named most often (-1: none) and the share of pictures that it was given to."""


def figure_arrays(all_named: Sequence[Named], calibrations: Sequence[Calibration], seed: int) -> dict[str, Any]:
    """`by_class` [encoders, classes, len(BY_CLASS)], all classes in order; `reliability` [encoders, bins, 5]: pictures,
    mean probability, share right and its interval; `by_template` [encoders, templates] top-1 of each alone, NaN where
    there is no such template; `examples`: places of rows.
    """
    most = max(len(one.by_template) for one in all_named)
    alone = np.full((len(all_named), most), np.nan)
    for row, one in zip(alone, all_named, strict=True):
        row[: len(one.by_template)] = one.by_template.mean(axis=1)
    return {
        "by_class": np.stack([_by_class(one) for one in all_named]),
        "reliability": np.stack([_reliability(one.bins) for one in calibrations]),
        "by_template": alone,
        "examples": _examples(all_named[0], np.random.default_rng([seed, 2])),
    }


def wilson(right: Floats, n: Floats) -> tuple[Floats, Floats]:
    """The 95 % score interval of a share of n independent pictures; NaN where n is 0. Wilson 1927."""
    from scipy import stats

    z = float(stats.norm.ppf((1 + LEVEL) / 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(n > 0, right / n, np.nan)
        middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return middle - half, middle + half


def _by_class(one: Named) -> Floats:
    k = one.n_classes
    n = np.bincount(one.truth, minlength=k).astype(np.float64)
    right = np.bincount(one.truth[one.right], minlength=k).astype(np.float64)
    low, high = wilson(right, n)
    chance = np.bincount(one.first[:, 0], minlength=k) / len(one.truth)
    wrong, share = np.full(k, -1.0), np.zeros(k)
    for code in np.unique(one.truth[~one.right]):
        said = np.bincount(one.first[(one.truth == code) & ~one.right, 0], minlength=k)
        wrong[code], share[code] = said.argmax(), said.max() / n[code]
    with np.errstate(invalid="ignore"):
        return np.stack([n, right / n, low, high, chance, wrong, share], axis=1)


def _reliability(bins: Floats) -> Floats:
    n, share = bins[:, 0], bins[:, 2]
    low, high = wilson(np.nan_to_num(share) * n, n)
    return np.stack([n, bins[:, 1], share, low, high], axis=1)


def _examples(one: Named, rng: np.random.Generator) -> NDArray[np.int64]:
    """Half of them right ones drawn at random, half the surest mistakes, each of another class as far as there are."""
    right = _of_each_class(rng.permutation(np.flatnonzero(one.right)), one.truth)
    wrong = np.flatnonzero(~one.right)
    wrong = _of_each_class(wrong[np.argsort(-one.confidence[wrong], kind="stable")], one.truth)
    return np.concatenate([right[: N_EXAMPLES // 2], wrong[: N_EXAMPLES // 2]]).astype(np.int64)


def _of_each_class(rows: Codes, truth: Codes) -> Codes:
    """The same rows, the first of each class before all others."""
    _, first = np.unique(truth[rows], return_index=True)
    first = np.sort(first)
    return np.concatenate([rows[first], np.delete(rows, first)])
