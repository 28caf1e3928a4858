"""Fit linear probes at many strengths of regularisation at once: multinomial logistic regression, or many binary ones.

The curvature of such a problem is nearly a product of two small matrices, that of the features and that of the classes
(`logistic.Curvature`). On their principal axes L-BFGS needs few steps, and from a good start (`start`) fewer still.
All problems share their matrix products, and each its own line search, in which logits are linear and cost no product.
Torch is loaded when a fit begins.
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
    from .rotation import Rotated

DType = Literal["float32", "float64"]
STRENGTHS = np.logspace(-6, 6, 97)
"""CLIP's sweep: 96 logarithmic steps from 1e-6 to 1e6. Radford et al. 2021, appendix A.3."""
START = 16
"""The sweep starts with every 16th strength, 1e-6, 1e-4, ..., 1e6, and halves that step around the best one."""

SMALL = 2**18
"""Values of features up to which exactness costs little."""
FINE, COARSE = 1e-9, 2e-5
"""When a fit ends, as a share of what its weights gain: for small features, and beyond."""
SEARCH = 1e-4
"""The same in a search, whose validation scores settle long before objectives do."""


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
    tolerance: float | None = None,
    max_steps: int = 1000,
) -> Probes:
    """Minimise the sum of log losses plus strength / 2 times the squared weights, at all strengths in one batch.

    The bias is free. scikit-learn's `LogisticRegression(C=1 / strength)` has the same optimum.

    Args:
        features: [n, dim].
        targets: [n] codes of classes: one multinomial problem a strength; or [n, m] of 0 and 1: m binary ones.
        strengths: [k] of the ridge, above 0.
        n_classes: how many classes there are; None: one more than the largest code.
        start: one fit whose weights all problems start from, the first of its strengths.
        dtype: in which products are made; None: float64 for small features, float32 beyond.
        tolerance: a fit ends when Newton's estimate of what is left to gain is less than this share of what was gained
            over no weights; None: 1e-9 for small features, beyond 2e-5. With that a fit ends no higher than
            scikit-learn's does (up to 1e-4 of the objective), and far lower where a line tells the classes apart.
        max_steps: when to stop at the latest.

    Raises:
        ShapeError: features and targets do not belong together.
        BadInputError: a feature is not finite, fewer than two classes, or a strength that is not above 0.
    """
    x, y, ridge = np.asarray(features), np.asarray(targets), np.atleast_1d(np.asarray(strengths, dtype=np.float64))
    check(x, y, ridge)
    rows = _rotated(x, dtype or ("float64" if x.size <= SMALL else "float32"), device)
    return _fit(rows, y, ridge, n_classes, start, _tolerance(x, tolerance), max_steps)


def _tolerance(x: NDArray[np.generic], wanted: float | None) -> float:
    return wanted if wanted is not None else FINE if x.size <= SMALL else COARSE


def _fit(
    rows: Rotated,
    y: NDArray[np.generic],
    ridge: Floats,
    n_classes: int | None,
    start: Probes | None,
    tolerance: float,
    max_steps: int,
) -> Probes:
    from .logistic import Problems
    from .minimise import minimise

    problems = Problems(rows, y, ridge, n_classes or (int(y.max()) + 1 if y.ndim == 1 else None))
    begin = None
    if start is not None:
        begin = rows.inward(start.weights[0], start.biases[0]).view(-1, problems.m, problems.c)
    found, objectives, n_steps = minimise(problems, begin, tolerance, max_steps)
    weights, biases = rows.outward(found.flatten(1))
    by_strength = weights.view(-1, len(ridge), problems.m * problems.c).transpose(0, 1).cpu().numpy()
    return Probes(ridge, by_strength, biases.view(len(ridge), -1).cpu().numpy(), objectives, n_steps)


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


def _rotated(x: NDArray[np.generic], dtype: DType, device: str | None) -> Rotated:
    import torch

    from .rotation import rotated

    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return rotated(x, getattr(torch, dtype), place)


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
    tolerance: float = SEARCH,
    max_steps: int = 1000,
    device: str | None = None,
) -> Sweep:
    """CLIP's search for the strength: seven fits two decades apart, then the step halved around the peak to 1/8 decade.

    The fits of the search stop early and are in float32.

    Args:
        features, targets, n_classes, tolerance, max_steps, device: as of `fit_probes`.
        validation: [n_validation, dim] features of the rows that judge.
        score: judges the logits of these rows.
    """
    x, y, held = np.asarray(features), np.asarray(targets), np.asarray(validation)
    check(x, y, STRENGTHS)
    rows = _rotated(x, "float32", device)
    found: dict[int, float] = {}
    start: Probes | None = None
    step, wanted = START, list(range(0, len(STRENGTHS), START))
    while wanted:
        probes = _fit(rows, y, STRENGTHS[wanted], n_classes, start, tolerance, max_steps)
        found |= dict(zip(wanted, score(probes.scores(held)).tolist(), strict=True))
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
