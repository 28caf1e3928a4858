"""Both clouds in the plane of their first two principal components, as they are and as adapters leave the captions."""

from __future__ import annotations

import numpy as np

from concepttransfer.statistics import Floats


def plane(values: Floats) -> tuple[Floats, Floats, Floats]:
    """The mean [dim], the axes [dim, 2] of most variance of `values [n, dim]`, and the share of each [2].

    An axis points to where its largest entry is positive, so that the map does not depend on the solver.
    """
    mean = values.mean(0)
    _, lengths, axes = np.linalg.svd(values - mean, full_matrices=False)
    axes = axes[:2].T
    signs = np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    shares = np.square(lengths) / max(np.square(lengths).sum(), 1e-12)
    if axes.shape[1] < 2:
        axes, signs, shares = np.pad(axes, ((0, 0), (0, 1))), np.append(signs, 1.0), np.append(shares, 0.0)
    return mean, axes * signs, shares[:2]


def placed(values: Floats, mean: Floats, axes: Floats) -> np.ndarray:
    """[n, 2] where values are in a plane."""
    return ((values - mean) @ axes).astype(np.float32)
