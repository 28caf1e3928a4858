"""Accuracy on shifted pictures against accuracy on plain ones: the line of ordinary encoders, and who stands above it.

On logit axes the accuracies of classifiers that were made alike lie on a line; effective robustness is how far one lies
above it, in points of accuracy on the shifted pictures. Taori et al. 2020, section 2 and figure 1.
"""

from __future__ import annotations

import numpy as np

from concepttransfer.statistics import Floats

LEAST = 3
"""Ordinary encoders that a line with a slope of its own is fitted to; with fewer the slope is 1 on logit axes."""
NARROWEST = 0.05
"""The least spread of their logits (standard deviation): where all are alike, there is no slope to be found."""


def logit(accuracy: Floats, n: float) -> Floats:
    """The logit of shares of n pictures; none and all of them are half a picture from there."""
    share = (np.clip(accuracy, 0, 1) * n + 0.5) / (n + 1)
    return np.asarray(np.log(share / (1 - share)))


def expit(x: Floats) -> Floats:
    """The share of a logit."""
    return np.asarray(1 / (1 + np.exp(-x)))


def fit_line(x: Floats, y: Floats) -> Floats:
    """Least squares of y on x [..., n], both logits: [..., 2] slope and intercept."""
    mean_x, mean_y = x.mean(axis=-1), y.mean(axis=-1)
    away = x - mean_x[..., None]
    square = (away**2).mean(axis=-1)
    own = (away * (y - mean_y[..., None])).mean(axis=-1) / np.maximum(square, 1e-300)
    slope = np.where((square >= NARROWEST**2) & (x.shape[-1] >= LEAST), own, 1.0)
    return np.stack([slope, mean_y - slope * mean_x], axis=-1)


def expected(line: Floats, x: Floats) -> Floats:
    """The accuracies [..., n] that a line [..., 2] expects at logits x [..., n]."""
    return expit(line[..., :1] * x + line[..., 1:])
