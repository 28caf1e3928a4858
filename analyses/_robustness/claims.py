"""From right and wrong answers on plain and shifted pictures to claims: accuracies, the line, effective robustness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from concepttransfer.statistics import LEVEL, MEASURABLE_CLUSTERS, MEASURABLE_ROWS, Estimate, Floats, false_discovery
from concepttransfer.statistics.claims import Claim, is_random
from concepttransfer.statistics.resampling import Unit

from .._awa_errors import estimates as est
from .line import LEAST, expected, fit_line, logit

ZERO_SHOT, PROBE = "zero-shot", "probe"
EFFECTIVE = "effective robustness, "
SLOPE, SCATTER = "slope on logit axes", "distance of probes from their line"
LINE = "line"
EVERY = "mean of shifted"
"""The name of the data in claims about all shifted sets together."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Right and wrong of several classifiers on the same data sets.

    Attributes:
        systems: encoder, and `zero-shot` or `probe`.
        on: the data sets, the plain one first.
        right: for each data set [n_systems, n] 1 where a classifier is right.
        truth: for each data set [n] the code of each picture's class, the same codes in all.
        chance: [n_systems, n_sets] the share right if the predictions were given to other pictures.
    """

    systems: tuple[tuple[str, str], ...]
    on: tuple[str, ...]
    right: tuple[Floats, ...]
    truth: tuple[NDArray[np.int64], ...]
    chance: Floats

    @cached_property
    def accuracy(self) -> Floats:
        """[n_systems, n_sets]."""
        return np.stack([one.mean(axis=1) for one in self.right], axis=1)

    @cached_property
    def sizes(self) -> Floats:
        """[n_sets] numbers of pictures."""
        return np.array([one.shape[1] for one in self.right], dtype=np.float64)

    @cached_property
    def ordinary(self) -> NDArray[np.bool_]:
        """[n_systems] the probes of encoders that learnt: the line is theirs."""
        probes = np.array([how == PROBE for _, how in self.systems])
        learnt = np.array([not is_random(encoder) for encoder, _ in self.systems])
        return probes & learnt if (probes & learnt).any() else probes

    @cached_property
    def classes(self) -> NDArray[np.int64]:
        """The codes of classes in any set."""
        return np.unique(np.concatenate(self.truth))


@dataclass(frozen=True, eq=False)
class Robust:
    """What the accuracies [..., n_systems, n_sets] of one draw come to.

    Attributes:
        lines: [..., n_shifted, 2] slope and intercept.
        expected: [..., n_systems, n_shifted] by the ordinary ones' line, of one of these by that of the others.
        effective: [..., n_systems, n_shifted] accuracy above that; NaN for an ordinary one of too few.
        scatter: [..., n_shifted] root mean square of what the ordinary ones lie off their own line.
    """

    lines: Floats
    expected: Floats
    effective: Floats
    scatter: Floats


def robust(accuracy: Floats, sizes: Floats, ordinary: NDArray[np.bool_]) -> Robust:
    """Fit the lines and measure the distances.

    Args:
        accuracy: [..., n_systems, n_sets], the plain set first.
        sizes: [n_sets] pictures of each.
        ordinary: [n_systems] which the line is fitted to.
    """
    x = logit(accuracy[..., 0], sizes[0])
    places = np.flatnonzero(ordinary)
    lines, wanted, scatter = [], [], []
    for column in range(1, accuracy.shape[-1]):
        y = logit(accuracy[..., column], sizes[column])
        line = fit_line(x[..., places], y[..., places])
        found = expected(line, x)
        scatter.append(np.sqrt(((accuracy[..., places, column] - found[..., places]) ** 2).mean(axis=-1)))
        for place in places:
            others = places[places != place]
            alone = np.full(x.shape[:-1], np.nan)
            if len(others) >= LEAST:
                own = fit_line(x[..., others], y[..., others])
                alone = expected(own, x[..., place : place + 1])[..., 0]
            found[..., place] = alone
        lines.append(line)
        wanted.append(found)
    by_line = np.stack(wanted, axis=-1)
    return Robust(np.stack(lines, axis=-2), by_line, accuracy[..., 1:] - by_line, np.stack(scatter, axis=-1))


def claims(scores: Scores, *, n_resamples: int, seed: int) -> list[tuple[str, Claim]]:
    """Every claim, each with the data set that it is about; q over all effective robustnesses.

    Classes are drawn, the same for all sets and classifiers, and all accuracies and lines are made anew; then pictures
    within these classes. The encoders stay as they are.

    Args:
        scores: of all classifiers.
        n_resamples: resamples of each interval.
        seed: of the draws.
    """
    rng = np.random.default_rng([seed, 1])
    drawn = {unit: _drawn(scores, unit, n_resamples, rng) for unit in est.GROUPS}
    found = robust(scores.accuracy, scores.sizes, scores.ordinary)
    moved = {unit: robust(accuracy, scores.sizes, scores.ordinary) for unit, accuracy in drawn.items()}
    about = list(_accuracies(scores, drawn))
    effective = list(_effective(scores, found, moved))
    q = false_discovery([claim.estimate.p for _, claim in effective])
    tested = [
        (on, replace(claim, estimate=_with(claim.estimate, q=float(one))))
        for (on, claim), one in zip(effective, q, strict=True)
    ]
    return [*about, *tested, *_lines(scores, found, moved)]


def _drawn(scores: Scores, unit: str, n: int, rng: np.random.Generator) -> Floats:
    """[n, n_systems, n_sets] accuracies with classes, or pictures within these classes, drawn anew."""
    known = scores.classes
    times = rng.multinomial(len(known), np.full(len(known), 1 / len(known)), size=n) if unit == "classes" else None
    found = []
    for right, truth in zip(scores.right, scores.truth, strict=True):
        sums = np.stack([right[:, truth == code].sum(axis=1) for code in known])
        sizes = np.array([(truth == code).sum() for code in known])
        if times is not None:
            found.append((times @ sums) / np.maximum(times @ sizes, 1)[:, None])
            continue
        total = np.zeros((n, len(right)))
        for code, size in zip(known, sizes, strict=True):
            if size:
                weights = rng.multinomial(size, np.full(size, 1 / size), size=n)
                total += (1 + (weights - 1) * np.sqrt(size / max(size - 1, 1))) @ right[:, truth == code].T
        found.append(total / len(truth))
    return np.stack(found, axis=-1)


def _accuracies(scores: Scores, drawn: Mapping[Unit, Floats]) -> Iterator[tuple[str, Claim]]:
    for column, on in enumerate(scores.on):
        for row, (encoder, how) in enumerate(scores.systems):
            value = float(scores.accuracy[row, column])
            for unit, group in est.GROUPS.items():
                estimate = _estimate(scores, column, value, drawn[unit][:, row, column], unit, limits=(0, 1))
                chance = float(scores.chance[row, column])
                yield on, Claim(encoder, group, how, None, _with(estimate, chance=chance))


def _effective(scores: Scores, found: Robust, moved: Mapping[Unit, Robust]) -> Iterator[tuple[str, Claim]]:
    """Of each shifted set, then of their mean where there are several."""
    shifted = range(1, len(scores.on))
    for row, (encoder, how) in enumerate(scores.systems):
        values = found.effective[row]
        if np.isnan(values).any():
            continue
        for unit, group in est.GROUPS.items():
            deviations = moved[unit].effective[:, row]
            for column in shifted:
                one = deviations[:, column - 1]
                estimate = _estimate(scores, column, float(values[column - 1]), one, unit, tested=True)
                yield scores.on[column], Claim(encoder, group, EFFECTIVE + how, None, estimate)
            if len(shifted) > 1:
                mean = deviations.mean(axis=1)
                estimate = _estimate(scores, 1, float(values.mean()), mean, unit, tested=True)
                n = int(scores.sizes[1:].sum())
                yield EVERY, Claim(encoder, group, EFFECTIVE + how, None, _with(estimate, n=n))


def _lines(scores: Scores, found: Robust, moved: Mapping[Unit, Robust]) -> Iterator[tuple[str, Claim]]:
    n_ordinary = int(scores.ordinary.sum())
    for column in range(1, len(scores.on)):
        for unit, group in est.GROUPS.items():
            slope = moved[unit].lines[:, column - 1, 0]
            free = n_ordinary >= LEAST and slope.std() > 0
            estimate = _estimate(scores, column, float(found.lines[column - 1, 0]), slope, unit)
            how = f"least squares over {n_ordinary} probes" if free else f"held at 1: {n_ordinary} probes"
            if not free:
                estimate = _with(estimate, low=np.nan, high=np.nan)
            yield scores.on[column], Claim(LINE, group, SLOPE, None, _with(estimate, method=how))
        scatter = Estimate(float(found.scatter[column - 1]), n=n_ordinary, method="root mean square, in accuracy")
        yield scores.on[column], Claim(LINE, est.GROUPS["classes"], SCATTER, None, scatter)


def _with(estimate: Estimate, **changes: object) -> Estimate:
    return replace(estimate, **changes)  # type: ignore[arg-type]


def _estimate(
    scores: Scores,
    column: int,
    value: float,
    drawn: Floats,
    unit: str,
    *,
    tested: bool = False,
    limits: Sequence[float] = (-np.inf, np.inf),
) -> Estimate:
    """The spread of the draws times Student's t, widened for few classes; p that the value is 0."""
    from scipy import stats

    n, n_classes = int(scores.sizes[column]), len(scores.classes)
    units = n_classes if unit == "classes" else n - n_classes + 1
    if units < 2:
        return Estimate(value, n=n, n_clusters=n_classes, method="one unit: no interval")
    error = float(drawn.std()) * (np.sqrt(units / (units - 1)) if unit == "classes" else 1.0)
    half = float(stats.t.ppf((1 + LEVEL) / 2, units - 1)) * error
    known = tested and unit == "classes" and n >= MEASURABLE_ROWS and n_classes >= MEASURABLE_CLUSTERS and error > 0
    p = float(2 * stats.t.sf(abs(value) / error, units - 1)) if known else np.nan
    what = "classes" if unit == "classes" else "pictures within these classes"
    method = f"{what} resampled {len(drawn)} times, all lines fitted anew, Student's t" + ("; p: of 0" if known else "")
    low, high = max(value - half, limits[0]), min(value + half, limits[1])
    return Estimate(value, low, high, 0.0 if tested else np.nan, p, n=n, n_clusters=n_classes, method=method)
