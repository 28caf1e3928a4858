"""How an estimate would come out with other classes, other pictures and other seeds: one set of draws for everything.

All estimates are ratios of sums over rows (a mean over all rows, or over those that count), averaged over seeds, or the
difference of two such ratios on the same rows. A row is a picture; its cluster is its class.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ShapeError
from .estimate import LEVEL, MEASURABLE_CLUSTERS, MEASURABLE_ROWS, Floats, bca, permutation_p

Ints = NDArray[np.int64]
Unit = Literal["classes", "pictures"]

_BLOCK = 1 << 22
"""Weights (resamples x rows) drawn at a time: about 32 MB."""


@dataclass(frozen=True)
class Ratio:
    """The sum of `numerator` over the sum of `denominator`, for each seed; over seeds, the mean.

    Attributes:
        numerator: [n_seeds, n_rows].
        denominator: [n_seeds, n_rows]; 0 where a row does not count.
        low, high: between which the ratio lies by its nature, such as 0 and 1 for a share.
    """

    numerator: Floats
    denominator: Floats
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True)
class Sampled:
    """A ratio, or the difference of two (`a - b`), and how far it moved in each resample.

    Attributes:
        value: the mean over seeds.
        low, high: between which it lies by its nature.
        whole: [n_resamples] change when classes are drawn with all their pictures.
        nested: [n_resamples] change when classes are drawn, then pictures in each of them.
        pictures: [n_resamples] change when pictures are drawn within these classes.
        seeds: [n_resamples] change when seeds are drawn.
        class_influence: [n_classes] first-order effect of each class.
        row_influence: [n_rows] first-order effect of each row beside the mean of its class.
        class_weights: [n_classes] each class's share of the denominator.
        contributions: [n_classes] each class's part of the distance from 0; they sum to the value.
        counted: [n_rows] whether the row counts for any seed.
        clusters: [n_rows] the class of each row.
        slack: how far (down, up) it may lie from a bound at which it never varies: none of n is no proof of none.
        n_seeds: how many seeds there were.
        is_difference: of two ratios.
    """

    value: float
    low: float
    high: float
    whole: Floats
    nested: Floats
    pictures: Floats
    seeds: Floats
    class_influence: Floats
    row_influence: Floats
    class_weights: Floats
    contributions: Floats
    counted: NDArray[np.bool_]
    clusters: Ints
    slack: tuple[float, float]
    n_seeds: int
    is_difference: bool = False

    @property
    def n(self) -> int:
        """Rows that count."""
        return int(self.counted.sum())

    @property
    def n_clusters(self) -> int:
        """How many classes have a row that counts."""
        return len(np.unique(self.clusters[self.counted]))

    @property
    def measurable(self) -> bool:
        """Whether there are rows and classes enough for a p."""
        return self.n >= MEASURABLE_ROWS and self.n_clusters >= MEASURABLE_CLUSTERS

    def __sub__(self, other: Sampled) -> Sampled:
        """The difference on the same resampled rows; each side keeps its own rows that count."""
        value = self.value - other.value
        influence = self.class_influence - other.class_influence
        return replace(
            self,
            value=value,
            low=self.low - other.high,
            high=self.high - other.low,
            whole=self.whole - other.whole,
            nested=self.nested - other.nested,
            pictures=self.pictures - other.pictures,
            seeds=self.seeds - other.seeds,
            class_influence=influence,
            row_influence=self.row_influence - other.row_influence,
            class_weights=(self.class_weights + other.class_weights) / 2,
            contributions=influence + value * (self.class_weights + other.class_weights) / 2,
            counted=self.counted | other.counted,
            slack=(max(self.slack[0], other.slack[1]), max(self.slack[1], other.slack[0])),
            n_seeds=min(self.n_seeds, other.n_seeds),
            is_difference=True,
        )

    def interval(self, unit: Unit = "classes") -> tuple[float, float]:
        """The 95 % interval: for other classes like these (`classes`), or for these very classes (`pictures`).

        BCa for a level. For a difference, which is nearly symmetric, the spread of the draws times Student's t: with
        few right pictures that holds 95 % where BCa holds 92 %. Drawing classes and then pictures counts the pictures'
        own noise twice, for class means already scatter by it; so nested deviations are shrunk to the spread that whole
        classes give (Davison & Hinkley 1997, section 3.8), or intervals of unrelated inputs would hold chance in 99 %.
        Few classes or seeds widen by n/(n-1) and Student's t, without which 10 classes would hold 90 %.

        Returns:
            low and high; NaN where fewer than two units vary. Two seeds have the t of three, which is large enough.
        """
        from scipy import stats

        deviations, influence, units = self._deviations(unit)
        if units < 2 or not np.isfinite(self.value) or len(deviations) == 0:
            return np.nan, np.nan
        half = stats.norm.ppf((1 + LEVEL) / 2) * float(deviations.std())
        ends = (-half, half) if self.is_difference else bca(deviations, influence)
        low, high = self._stretch(deviations, units, unit) * np.array(ends)
        low, high = min(low, -self.slack[0]), max(high, self.slack[1])
        return float(max(self.value + low, self.low)), float(min(self.value + high, self.high))

    def _deviations(self, unit: Unit) -> tuple[Floats, Floats, int]:
        """Deviations, what each unit adds to them, and how many units vary freely, plus one."""
        if unit == "pictures":
            sizes = np.bincount(self.clusters[self.counted])
            deviations, influence, units = self.pictures, self.row_influence, int(np.maximum(sizes - 1, 0).sum()) + 1
        else:
            whole, nested = self.whole[np.isfinite(self.whole)], self.nested[np.isfinite(self.nested)]
            spread = nested.std() if len(nested) else 0.0
            shrink = whole.std() / spread if spread and len(whole) else 1.0
            deviations, influence, units = self.nested * shrink, self.class_influence, self.n_clusters
        moved = deviations + self.seeds
        return moved[np.isfinite(moved)], influence, units

    def _stretch(self, deviations: Floats, units: int, unit: Unit) -> float:
        """Student's t over the normal quantile, with Satterthwaite's degrees of freedom for units and seeds."""
        from scipy import stats

        total, by_seed = float(deviations.var()), float(self.seeds.var())
        by_unit = max(total - by_seed, 0.0)
        inverse = by_unit**2 / (units - 1) + by_seed**2 / max(self.n_seeds - 1, 2)
        if inverse == 0:
            return 1.0
        tail = (1 + LEVEL) / 2
        student = stats.t.ppf(tail, total**2 / inverse) / stats.norm.ppf(tail)
        whole = by_unit * units / (units - 1) if unit == "classes" else by_unit
        return float(student * np.sqrt((whole + by_seed) / total))

    def p_zero(self, rng: np.random.Generator, signs: Floats | None = None) -> float:
        """How often would the value lie so far from 0 if the part of each class in it had a random sign?

        For a difference a flipped sign is the two swapped on all pictures of a class. Where there are several seeds,
        they are drawn beside it, with the stretch that an interval has. NaN with too few rows or classes. `signs`
        [n_resamples, n_classes] can be drawn once for many claims.
        """
        if not self.measurable or not np.isfinite(self.value):
            return np.nan
        if signs is None:
            signs = rng.choice((-1.0, 1.0), size=(len(self.seeds), len(self.contributions)))
        return self._p(signs @ self.contributions)

    def _p(self, flipped: Floats) -> float:
        """The p of `p_zero`, from the sums of the classes' parts with random signs [n_resamples]."""
        null = self._null(flipped)
        return np.nan if np.isnan(null).any() else permutation_p(self.value, null)

    def _null(self, flipped: Floats) -> Floats:
        """[n_resamples] values with the sign of each class's part drawn; NaN with too few rows or classes."""
        if not self.measurable or not np.isfinite(self.value):
            return np.full(len(flipped), np.nan)
        null = flipped + self.seeds
        return null * (self._stretch(null, self.n_clusters, "classes") if self.n_seeds > 1 else 1.0)


def p_zeros(sampled: Sequence[Sampled], signs: Floats) -> list[float]:
    """`Sampled.p_zero` of many, over the same classes and with the same signs [n_resamples, n_classes], at one go."""
    if not sampled:
        return []
    flipped = _flipped(sampled, signs)
    return [one._p(flipped[:, n]) for n, one in enumerate(sampled)]


def nulls(sampled: Sequence[Sampled], signs: Floats) -> Floats:
    """[n_resamples, n] the values under random signs behind each p of `p_zeros`; NaN where none can be given."""
    flipped = _flipped(sampled, signs)
    return np.stack([one._null(flipped[:, n]) for n, one in enumerate(sampled)], axis=1)


def _flipped(sampled: Sequence[Sampled], signs: Floats) -> Floats:
    return np.asarray(signs @ np.stack([one.contributions for one in sampled], axis=1), dtype=np.float64)


def resample(ratios: Sequence[Ratio], clusters: ArrayLike, *, n_resamples: int = 2000, seed: int = 0) -> list[Sampled]:
    """How does each ratio come out when classes, pictures in them, and seeds are drawn anew? The same draws for all.

    Args:
        ratios: what is estimated, all over the same rows.
        clusters: [n_rows] the class of each row, as any label.
        n_resamples: how many draws.
        seed: of the draws.

    Raises:
        ShapeError: a ratio has another number of rows.
    """
    codes = np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int64)
    if bad := [r for r in ratios if r.numerator.shape != r.denominator.shape or r.numerator.shape[-1] != len(codes)]:
        shapes = f"{bad[0].numerator.shape} over {bad[0].denominator.shape}"
        raise ShapeError(f"A ratio of {shapes} does not belong to {len(codes)} rows: both are to be [n_seeds, n_rows].")
    if not ratios:
        return []
    rng = np.random.default_rng(seed)
    draws = _draws(ratios, codes, n_resamples, rng)
    ends = itertools.pairwise(np.cumsum([0, *(len(r.numerator) for r in ratios)]))
    return [_sampled(r, [d[:, a:b] for d in draws], codes, rng) for r, (a, b) in zip(ratios, ends, strict=True)]


def _draws(ratios: Sequence[Ratio], codes: Ints, n_resamples: int, rng: np.random.Generator) -> list[Floats]:
    """Resampled ratios [n_resamples, seeds of all]: whole classes, pictures in drawn classes, pictures alone."""
    order, sizes = np.argsort(codes, kind="stable"), np.bincount(codes).astype(np.int64)
    columns, tops, bottoms = _columns(ratios)
    columns = columns[order]
    sums = np.add.reduceat(columns, np.r_[0, np.cumsum(sizes)[:-1]])
    blocks: list[tuple[Floats, Floats, Floats]] = []
    step = max(1, _BLOCK // len(codes))
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        times = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=size)
        if len(sizes) == len(codes):  # each row is its own class: nothing is left to be drawn in it
            whole = times.astype(np.float64) @ sums
            blocks.append((whole, whole, np.broadcast_to(sums.sum(0), whole.shape)))
            continue
        nested = _weights(times * sizes, sizes, rng)
        alone = _unbiased(_weights(np.broadcast_to(sizes, times.shape), sizes, rng), sizes)
        blocks.append((times.astype(np.float64) @ sums, nested @ columns, alone @ columns))
    totals = [np.concatenate(kind) for kind in zip(*blocks, strict=True)]
    return [_divide(total[:, tops], total[:, bottoms]) for total in totals]


def _columns(ratios: Sequence[Ratio]) -> tuple[Floats, Ints, Ints]:
    """The sums to be made [n_rows, n_columns], each array once; where numerators and denominators stand."""
    arrays = {id(part): part for ratio in ratios for part in (ratio.numerator, ratio.denominator)}
    starts = dict(zip(arrays, np.cumsum([0, *(len(array) for array in arrays.values())]), strict=False))

    def places(parts: list[Floats]) -> Ints:
        return np.concatenate([starts[id(part)] + np.arange(len(part)) for part in parts])

    columns = np.concatenate(list(arrays.values())).astype(np.float64).T
    return columns, places([r.numerator for r in ratios]), places([r.denominator for r in ratios])


def _weights(drawn: Ints, sizes: Ints, rng: np.random.Generator) -> Floats:
    """How often each row is drawn when `drawn` [n_resamples, n_classes] rows are drawn from the classes."""
    if len(sizes) and sizes.max() == 1:
        return drawn.astype(np.float64)
    parts = [rng.multinomial(drawn[:, c], np.full(size, 1 / size)) for c, size in enumerate(sizes)]
    return np.concatenate(parts, axis=1).astype(np.float64)


def _unbiased(weights: Floats, sizes: Ints) -> Floats:
    """Stretch weights about 1, since m rows of a class show only (m-1)/m of its variance."""
    stretched: Floats = 1 + (weights - 1) * np.repeat(np.sqrt(sizes / np.maximum(sizes - 1, 1)), sizes)
    return stretched


def _divide(top: Floats, bottom: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.abs(bottom) > 1e-12, top / bottom, np.nan)


def _sampled(ratio: Ratio, draws: list[Floats], codes: Ints, rng: np.random.Generator) -> Sampled:
    total = ratio.denominator.sum(1)
    per_seed = _divide(ratio.numerator.sum(1), total)
    value = float(per_seed.mean())
    rows = _divide(ratio.numerator - per_seed[:, None] * ratio.denominator, total[:, None])
    by_class = np.stack([_by_class(row, codes) for row in rows])
    weights = _by_class(_divide(ratio.denominator, total[:, None]).mean(0), codes)
    counted = (ratio.denominator != 0).any(0)
    edge = 1 - ((1 - LEVEL) / 2) ** (1 / max(int(counted.sum()), 1))
    influence = by_class.mean(0)
    whole, nested, pictures = (kind.mean(1) - value for kind in draws)
    return Sampled(
        value=value,
        low=ratio.low,
        high=ratio.high,
        whole=whole,
        nested=nested,
        pictures=pictures,
        seeds=seed_deviations(per_seed, by_class, len(whole), rng),
        class_influence=influence,
        row_influence=rows.mean(0) - (influence / np.bincount(codes))[codes],
        class_weights=weights,
        contributions=influence + value * weights,
        counted=counted,
        clusters=codes,
        slack=(edge if value == ratio.high else 0.0, edge if value == ratio.low else 0.0),
        n_seeds=len(per_seed),
    )


def _by_class(values: Floats, codes: Ints) -> Floats:
    return np.bincount(codes, weights=values).astype(np.float64)


def seed_deviations(per_seed: Floats, by_class: Floats, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Draw seeds, less the scatter between them that pictures alone make, which the other draws already hold.

    `per_seed` [n_seeds] values, `by_class` [n_seeds, n_classes] first-order effects; gives [n_resamples] deviations.
    """
    n_seeds = len(per_seed)
    if n_seeds < 2 or not np.isfinite(per_seed).all():
        return np.zeros(n_resamples)
    scatter = float(per_seed.var(ddof=1))
    noise = float(((by_class - by_class.mean(0)) ** 2).sum() / (n_seeds - 1))
    kept = np.sqrt(max(0.0, 1 - noise / scatter)) if scatter > 0 else 0.0
    times = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=n_resamples)
    deviations: Floats = kept * np.sqrt(n_seeds / (n_seeds - 1)) * ((times - 1) / n_seeds) @ per_seed
    return deviations
