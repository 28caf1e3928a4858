"""Fit linear probes at many strengths of regularisation at once: multinomial logistic regression, or many binary ones.

The features are rotated to their principal axes, each scaled by the curvature that it can have at most at a strength
(Böhning 1992, Theorem 1), and L-BFGS works on what results: the optimum is that of the plain problem, and the steps to
it are several times fewer. All problems share their matrix products, and each its own line search, in which logits are
linear and cost no product. Torch is loaded when a fit begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import BadInputError, ShapeError
from ..statistics import Floats

if TYPE_CHECKING:
    from .logistic import Problems

DType = Literal["float32", "float64"]
STRENGTHS = np.logspace(-6, 6, 97)
"""CLIP's sweep: 96 logarithmic steps from 1e-6 to 1e6. Radford et al. 2021, appendix A.3."""
START = 16
"""The sweep starts with every 16th strength, 1e-6, 1e-4, ..., 1e6, and halves that step around the best one."""

SMALL = 4_000_000
"""Values of features up to which float64 costs little."""


@dataclass(frozen=True)
class Probes:
    """Fitted probes of several strengths.

    Attributes:
        strengths: [k] of the ridge.
        weights: [k, dim, width], in the units of the features.
        biases: [k, width].
        objectives: [k, n_problems] the least value found: sum of log losses + strength / 2 * |weights|^2.
        n_steps: steps of L-BFGS.
    """

    strengths: Floats
    weights: Floats
    biases: Floats
    objectives: Floats
    n_steps: int

    def scores(self, features: ArrayLike) -> Floats:
        """Logits [k, n, width] of features [n, dim]."""
        x = np.asarray(features, dtype=np.float64)
        if x.shape[1:] != self.weights.shape[1:2]:
            raise ShapeError(f"These probes read features of width {self.weights.shape[1]}, not {x.shape[1:]}.")
        found: Floats = x @ self.weights + self.biases[:, None, :]
        return found


def fit_probes(
    features: ArrayLike,
    targets: ArrayLike,
    strengths: ArrayLike,
    *,
    n_classes: int | None = None,
    start: Probes | None = None,
    dtype: DType | None = None,
    device: str | None = None,
    tolerance: float = 1e-6,
    max_steps: int = 1000,
) -> Probes:
    """Minimise the sum of log losses plus strength / 2 times the squared weights, at all strengths in one batch.

    The bias is free. scikit-learn's `LogisticRegression(C=1 / strength)` has the same optimum. A step that is
    predicted to gain less than `tolerance` of the objective, twice in a row, is the last one.

    Args:
        features: [n, dim].
        targets: [n] codes of classes: one multinomial problem a strength; or [n, m] of 0 and 1: m binary ones.
        strengths: [k] of the ridge, above 0.
        n_classes: how many classes there are; None: one more than the largest code.
        start: one fit whose weights all problems start from, the first of its strengths.
        dtype: in which products are made; None: float64 up to 4 million values of features, float32 beyond, where it
            is twice as fast and ends up to 3e-4 above the optimum where strengths are so weak that every row is fitted.
        device: None is the GPU where there is one.
        tolerance: when to stop.
        max_steps: when to stop at the latest.

    Raises:
        ShapeError: features and targets do not belong together.
        BadInputError: a feature is not finite, fewer than two classes, or a strength that is not above 0.
    """
    from .logistic import minimise

    x, y, ridge = np.asarray(features), np.asarray(targets), np.atleast_1d(np.asarray(strengths, dtype=np.float64))
    check(x, y, ridge)
    n_classes = n_classes or (int(y.max()) + 1 if y.ndim == 1 else None)
    dtype = dtype or ("float64" if x.size <= SMALL else "float32")
    problems = _problems(x, y, ridge, n_classes, dtype, device)
    begin = None if start is None else problems.inward(start.weights[0], start.biases[0])
    found, objectives, n_steps = minimise(problems, begin, tolerance, max_steps)
    weights, biases = problems.outward(found)
    return Probes(ridge, weights, biases, objectives, n_steps)


def check(x: NDArray[np.generic], y: NDArray[np.generic], strengths: Floats) -> None:
    """Refuse what no probe can be fitted to; see `fit_probes`."""
    if x.ndim != 2 or len(x) != len(y) or y.ndim not in (1, 2):
        raise ShapeError(f"Probes need features [n, dim] and targets [n] or [n, m]; got {x.shape} and {y.shape}.")
    if len(x) and not np.isfinite(x).all():
        row = int(np.argmax(~np.isfinite(x).all(axis=1)))
        raise BadInputError(f"Row {row} of the features holds a value that is no number. Encode its picture again.")
    if y.ndim == 1 and len(np.unique(y)) < 2:
        raise BadInputError(f"A probe tells classes apart; {len(np.unique(y))} of them has pictures. Give two or more.")
    if y.ndim == 2 and not np.isin(y, (0, 1)).all():
        raise BadInputError("Targets of binary probes are 0 or 1.")
    if len(strengths) == 0 or not (np.isfinite(strengths).all() and (strengths > 0).all()):
        raise BadInputError("Every strength of regularisation is a number above 0.")


def _problems(
    x: NDArray[np.generic],
    y: NDArray[np.generic],
    ridge: Floats,
    n_classes: int | None,
    dtype: DType,
    device: str | None,
) -> Problems:
    import torch

    from .logistic import Problems

    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return Problems(x, y, ridge, n_classes, getattr(torch, dtype), place)


Score = Callable[[Floats], Floats]
"""From logits of the validation rows [k, n, width] to how good each strength is [k]; more is better."""


@dataclass(frozen=True)
class Sweep:
    """Which strength is best on the validation rows.

    Attributes:
        strength: the best one; of equals the strongest.
        tried: [t] all that were tried, in ascending order.
        scores: [t] of each.
    """

    strength: float
    tried: Floats
    scores: Floats


def sweep(
    features: ArrayLike,
    targets: ArrayLike,
    validation: ArrayLike,
    score: Score,
    *,
    n_classes: int | None = None,
    tolerance: float = 1e-4,
    max_steps: int = 1000,
    device: str | None = None,
) -> Sweep:
    """CLIP's search for the strength: seven fits two decades apart, then the step halved around the peak to 1/8 decade.

    Validation scores settle long before objectives do, so the fits of the search stop early and are in float32.

    Args:
        features, targets, n_classes, tolerance, max_steps, device: as of `fit_probes`.
        validation: [n_validation, dim] features of the rows that judge.
        score: judges the logits of these rows.
    """
    rows = np.asarray(validation)
    found: dict[int, float] = {}
    start: Probes | None = None
    step, wanted = START, list(range(0, len(STRENGTHS), START))
    while wanted:
        probes = fit_probes(
            features,
            targets,
            STRENGTHS[wanted],
            n_classes=n_classes,
            start=start,
            dtype="float32",
            tolerance=tolerance,
            max_steps=max_steps,
            device=device,
        )
        found |= dict(zip(wanted, score(probes.scores(rows)).tolist(), strict=True))
        best = max(found, key=lambda at: (found[at], at))
        if best in wanted:
            start = _one(probes, wanted.index(best))
        step //= 2
        wanted = [at for at in (best - step, best + step) if 0 <= at < len(STRENGTHS)] if step else []
    tried = sorted(found)
    return Sweep(float(STRENGTHS[best]), STRENGTHS[tried], np.array([found[at] for at in tried]))


def _one(probes: Probes, k: int) -> Probes:
    one = slice(k, k + 1)
    return Probes(
        probes.strengths[one], probes.weights[one], probes.biases[one], probes.objectives[one], probes.n_steps
    )


def accuracy_of(truth: Sequence[int] | NDArray[np.int64]) -> Score:
    """A score: the share of rows whose largest logit is that of their class."""
    codes = np.asarray(truth)
    return lambda logits: np.asarray((logits.argmax(2) == codes).mean(1), dtype=np.float64)
