"""A linear probe at many strengths of regularisation, against scikit-learn's, one strength after another."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import NotTheSame, in_child
from benchmarks.record import Measurement, at_least

HELD_OUT = 0.2
"""Share of the rows that accuracy is compared on, beside those that are fitted."""
MOST_STEPS = 1000
"""As CLIP's protocol says. Radford et al. 2021, appendix A.3."""
OBJECTIVE, ACCURACY = 1e-4, 0.002
"""How much higher our objective may be, relative, and how far apart accuracies, at each strength."""
EXACT = 1e-7
"""scikit-learn's tolerance where accuracies are compared: its default ends up to 0.9 points from its optimum's."""
STRONG = 1.0
"""Accuracies are compared from this strength up: below, scikit-learn needs thousands of steps to its optimum."""

Data = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True)
class Size:
    """Rows that are fitted, their width, classes, and how many strengths from 1e-6 to 1e6."""

    rows: int
    dim: int
    classes: int
    strengths: int


FULL = Size(rows=20_000, dim=1024, classes=50, strengths=12)
TINY = Size(rows=300, dim=16, classes=5, strengths=3)


@dataclass(frozen=True)
class Fits:
    """Seconds of all fits; objective and held-out accuracy of each."""

    seconds: float
    objectives: NDArray[np.float64]
    accuracies: NDArray[np.float64]


def data(size: Size) -> tuple[Data, Data]:
    """Features like an encoder's: classes overlap, variances fall as a power; to fit, and held out."""
    rng = np.random.default_rng(0)
    n = round(size.rows * (1 + HELD_OUT))
    y = rng.integers(0, size.classes, n)
    scales = np.arange(1, size.dim + 1) ** -0.5
    x = (0.35 * rng.normal(size=(size.classes, size.dim))[y] + rng.normal(size=(n, size.dim))) * scales
    x = x.astype(np.float32)
    return (x[: size.rows], y[: size.rows]), (x[size.rows :], y[size.rows :])


def strengths(size: Size) -> NDArray[np.float64]:
    """The ridge of each fit."""
    return np.logspace(-6, 6, size.strengths)


def ours(size: Size) -> Fits:
    """All strengths in one batch."""
    import torch  # noqa: F401 - loading is no part of the fit, as for the other side

    from concepttransfer.probing import fit_probes

    (x, y), held = data(size)
    start = time.perf_counter()
    probes = fit_probes(x, y, strengths(size), max_steps=MOST_STEPS)
    return _judged(time.perf_counter() - start, size, probes.weights, probes.biases, (x, y), held)


def baseline(size: Size, dtype: str, along: bool) -> Fits:
    """scikit-learn with its default tolerance, one strength after the other; `along`: each starts from the stronger."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    (x, y), held = data(size)
    given = x.astype(dtype)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if along:
            fit = LogisticRegression(max_iter=MOST_STEPS, warm_start=True)
            fits = [_copied(fit.set_params(C=1 / s).fit(given, y)) for s in strengths(size)[::-1]][::-1]
        else:
            fits = [_copied(LogisticRegression(C=1 / s, max_iter=MOST_STEPS).fit(given, y)) for s in strengths(size)]
    seconds = time.perf_counter() - start
    weights, biases = (np.stack(each) for each in zip(*fits, strict=True))
    return _judged(seconds, size, weights, biases, (x, y), held)


def _copied(fit: Any) -> tuple[Any, Any]:
    return fit.coef_.T.copy(), fit.intercept_.copy()


def _judged(seconds: float, size: Size, weights: Any, biases: Any, fitted: Data, held: Data) -> Fits:
    """What every fit reached, computed in float64 in the same way for both sides."""
    objectives, accuracies = [], []
    for strength, w, b in zip(strengths(size), weights.astype(np.float64), biases.astype(np.float64), strict=True):
        (x, y), (x_held, y_held) = fitted, held
        logits = x @ w + b
        top = logits.max(1)
        losses = np.log(np.exp(logits - top[:, None]).sum(1)) + top - logits[np.arange(len(y)), y]
        objectives.append(losses.sum() + strength / 2 * (w**2).sum())
        accuracies.append(((x_held @ w + b).argmax(1) == y_held).mean())
    return Fits(seconds, np.array(objectives), np.array(accuracies))


def exact(size: Size) -> NDArray[np.float64]:
    """The held-out accuracy of scikit-learn's optimum at each strong strength; not timed."""
    from sklearn.linear_model import LogisticRegression

    (x, y), (x_held, y_held) = data(size)
    fits = [LogisticRegression(C=1 / s, max_iter=10_000, tol=EXACT) for s in strengths(size) if s >= STRONG]
    return np.array([fit.fit(x.astype(np.float64), y).score(x_held, y_held) for fit in fits])


def run(size: Size) -> list[Measurement]:
    """Strengths a second, against scikit-learn in float32 and in float64, each also started from its last fit.

    Raises:
        NotTheSame: at some strength our objective is higher than scikit-learn's, or the accuracy is not its optimum's.
    """
    mine = in_child(ours, size)
    apart = np.abs(mine.accuracies[strengths(size) >= STRONG] - in_child(exact, size))
    if (apart > ACCURACY).any():
        raise NotTheSame(f"Accuracies are {apart.max():.4f} apart from those of scikit-learn's optimum.")
    found = []
    for dtype, along in (("float32", False), ("float64", False), ("float32", True), ("float64", True)):
        usual = in_child(baseline, size, dtype, along)
        excess = mine.objectives / usual.objectives - 1
        if (excess > OBJECTIVE).any():
            raise NotTheSame(f"Our objective is {excess.max():.1e} above that of scikit-learn in {dtype}.")
        what = f"linear probes, {size.rows} x {size.dim}, {size.classes} classes, scikit-learn in {dtype}"
        n, goal = size.strengths, None if along else at_least(5)
        name = f"{what}, each from the last one's weights" if along else what
        found.append(Measurement(name, "strengths/s", n / mine.seconds, n / usual.seconds, goal))
    return found
