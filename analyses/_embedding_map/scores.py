"""Each measure of each grouping: its value, what permuted labels give, and what it is without each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from concepttransfer.statistics import LEVEL, Floats, permutation_p
from concepttransfer.statistics.resampling import Ints

from .groups import Grouping
from .measures import adjusted_rand, agreement, chance_of_purity, in_blocks, mutual_information, purity, silhouettes
from .space import HDBSCAN, Space, kmeans_of

PURITY, SILHOUETTE = "neighbour purity", "silhouette"
KMEANS_RAND, KMEANS_INFORMATION = "k-means, adjusted Rand", "k-means, mutual information"
HDBSCAN_RAND, HDBSCAN_INFORMATION = "HDBSCAN, adjusted Rand", "HDBSCAN, mutual information"
MEASURES = (PURITY, SILHOUETTE, KMEANS_RAND, KMEANS_INFORMATION, HDBSCAN_RAND, HDBSCAN_INFORMATION)
LOWEST = {SILHOUETTE: -1.0, KMEANS_RAND: -0.5, HDBSCAN_RAND: -0.5}
"""Of measures that can be below 0."""
SILHOUETTE_DRAWS = 250
"""So many permutations of classes at most tell the chance of a silhouette, which looks at every picture each time."""
CALIBRATING = 5
"""So many permutations also tell what the jackknife is off by, each class left out once for each."""
NOTHING: Floats = np.zeros((0, 0))
FEWEST_DRAWS = 200
"""With fewer draws p is by Student's t of them."""


@dataclass(frozen=True)
class Score:
    """One measure of one grouping.

    Attributes:
        value: of all pictures.
        chance: the mean under permuted labels.
        null: [n_draws] values under permuted labels.
        without: [n_parts] values when each class, or part of the classes, is left out.
        null_without: [n_calibrating, n_parts] the same under the first permutations; may be none.
    """

    value: float
    chance: float
    null: Floats
    without: Floats
    null_without: Floats

    @property
    def spread(self) -> float:
        """The standard error over classes, by the jackknife. NaN with fewer than three parts.

        Where labels have nothing to do with the features, a measure such as adjusted Rand hardly moves with any one
        class: the spread is at least that under permutation, less the nearer the value is to perfect.
        """
        return self._spread(0.0)

    @property
    def spread_given_chance(self) -> float:
        """The same of the distance from chance.

        There pairs of classes are most of what varies, and the jackknife counts them twice (Efron & Stein 1981), and
        what else moves value and chance alike. What it is off by under permuted labels is taken off.
        """
        if not len(self.null_without):
            return self._spread(0.0)
        return self._spread(float(jackknifed(self.null_without).mean()) - float(self.null.var(ddof=1)))

    def _spread(self, excess: float) -> float:
        if len(self.without) < 3:
            return np.nan
        surplus = abs(self.value - self.chance) / max(1 - self.chance, 1e-9)
        by_chance = max(1 - surplus, 0) ** 2
        least = float(self.null.var(ddof=1)) * by_chance if len(self.null_without) else 0.0
        return float(max(float(jackknifed(self.without)) - excess * by_chance, least) ** 0.5)

    def adjusted(self) -> Score:
        """0 at chance and 1 where groups are perfect: (value - chance) / (1 - chance), as kappa is."""
        left = max(1 - self.chance, 1e-9)
        parts = ((part - self.chance) / left for part in (self.null, self.without, self.null_without))
        return Score((self.value - self.chance) / left, 0.0, *parts)

    def __sub__(self, other: Score) -> Score:
        """The difference, over the same permutations and the same classes left out."""
        chance, null_without = self.chance - other.chance, self.null_without - other.null_without
        return Score(
            self.value - other.value, chance, self.null - other.null, self.without - other.without, null_without
        )

    def interval(self, low: float = -np.inf, high: float = np.inf) -> tuple[float, float]:
        """Both ends of the 95 % interval for other classes like these, by Student's t; within what can be."""
        return self._interval(self.spread, low, high)

    def interval_given_chance(self, high: float = np.inf) -> tuple[float, float]:
        """The same of a score that was adjusted for chance, or of the difference of two."""
        return self._interval(self.spread_given_chance, -np.inf, high)

    def _interval(self, spread: float, low: float, high: float) -> tuple[float, float]:
        from scipy import stats

        reach = float(stats.t.ppf((1 + LEVEL) / 2, max(len(self.without) - 1, 1))) * spread
        return max(low, self.value - reach), min(high, self.value + reach)

    def p_chance(self) -> float:
        """How often do permuted labels give a value as far out? Two-sided."""
        if len(self.null) >= FEWEST_DRAWS:
            return permutation_p(self.value, self.null)
        n, spread = len(self.null), float(self.null.std(ddof=1))
        return _two_sided((self.value - self.null.mean()) / max(spread * (1 + 1 / n) ** 0.5, 1e-12), n - 1)

    def p_zero(self) -> float:
        """How often would other classes like these give a value so far from 0, if it were 0? Two-sided."""
        return _two_sided(self.value / max(self.spread_given_chance, 1e-12), len(self.without) - 1)


def jackknifed(without: Floats) -> Floats:
    """The jackknife's variance of values without each part, over the last axis. Tukey 1958."""
    n = without.shape[-1]
    return np.asarray((n - 1) / n * ((without - without.mean(-1, keepdims=True)) ** 2).sum(-1))


def _two_sided(t: float, degrees: int) -> float:
    from scipy import stats

    return float(2 * stats.t.sf(abs(t), max(degrees, 1)))


def mean_of(scores: Sequence[Score]) -> Score:
    """The mean of several, over the same permutations and the same classes left out."""
    value, chance = (float(np.mean([getattr(one, name) for one in scores])) for name in ("value", "chance"))
    names = ("null", "without", "null_without")
    return Score(value, chance, *(np.mean([getattr(one, name) for one in scores], axis=0) for name in names))


def of_grouping(space: Space, grouping: Grouping, orders: Ints) -> dict[str, Score]:
    """Scores of a category or a perceptual group, the mean over its attributes; under permuted classes."""
    each = [_of_labelling(space, codes, orders) for codes in grouping.codes]
    return {measure: mean_of([one[measure] for one in each]) for measure in MEASURES}


def _of_labelling(space: Space, codes: Ints, orders: Ints) -> dict[str, Score]:
    """Of one labelling [n_classes], with `orders` [n_draws, n_classes] of the classes."""
    tested = np.concatenate([codes[None], codes[orders]])
    lessened = [_left_out(space, one) for one in tested[: CALIBRATING + 1]]
    found = {SILHOUETTE: _silhouette(space, tested, lessened), PURITY: _purity(space, tested, lessened)}
    for clustering, names in _clusterings(int(codes.max()) + 1):
        table = space.table(clustering)
        under, less = agreement(table, tested), np.stack([agreement(table, one) for one in lessened], axis=1)
        for name, values, without in zip(names, under, less, strict=True):
            found[name] = _score(values, without)
    return found


def _score(under: Floats, without: Floats, chance: float | None = None) -> Score:
    """Of values of the labels and then of permuted ones, in both; chance is their mean where no formula has it."""
    null = under[1:]
    return Score(float(under[0]), float(null.mean()) if chance is None else chance, null, without[0], without[1:])


def _left_out(space: Space, codes: Ints) -> Ints:
    """[n_parts, n_classes] the labelling without the classes of each part."""
    parts = np.arange(space.left_out.max() + 1)
    return np.asarray(np.where(space.left_out == parts[:, None], -1, codes), dtype=np.int64)


def _clusterings(n_groups: int) -> list[tuple[str, tuple[str, str]]]:
    """Clusterings to compare a labelling with: k-means with as many clusters as it has groups, and HDBSCAN."""
    return [
        (kmeans_of(n_groups), (KMEANS_RAND, KMEANS_INFORMATION)),
        (HDBSCAN, (HDBSCAN_RAND, HDBSCAN_INFORMATION)),
    ]


def _silhouette(space: Space, tested: Ints, lessened: Sequence[Ints]) -> Score:
    def of(codes: Ints) -> Floats:
        return silhouettes(space.sums, space.sizes, space.truth, codes)

    return _score(of(tested[: SILHOUETTE_DRAWS + 1]), np.stack([of(one) for one in lessened]))


def _purity(space: Space, tested: Ints, lessened: Sequence[Ints]) -> Score:
    chance = float(chance_of_purity(space.near, tested[:1])[0])
    less = np.stack([purity(space.near_without, one) for one in lessened])
    return _score(purity(space.near, tested), less, chance)


def of_classes(space: Space, n_draws: int, seed: int) -> dict[str, Score]:
    """Scores of the classes themselves; chance: pictures swap their classes."""
    codes = np.arange(len(space.sizes))
    without = _left_out(space, codes)
    rng = np.random.default_rng([seed, len(space.truth), 2])
    labels = np.stack([rng.permutation(space.truth) for _ in range(n_draws)])
    less = silhouettes(space.sums, space.sizes, space.truth, without)
    value = float(silhouettes(space.sums, space.sizes, space.truth, codes[None])[0])
    found = {SILHOUETTE: Score(value, float(space.relabelled.mean()), space.relabelled, less, NOTHING)}
    found[PURITY] = _purity_of_classes(space, codes, without, labels)
    for clustering, names in _clusterings(len(codes)):
        table = space.table(clustering)
        values, less = agreement(table, codes[None])[:, 0], agreement(table, without)
        for name, own, under, left in zip(names, values, _swapped(space, clustering, labels), less, strict=True):
            found[name] = Score(float(own), float(under.mean()), under, left, NOTHING)
    return found


def _purity_of_classes(space: Space, codes: Ints, without: Ints, labels: Ints) -> Score:
    n = len(space.truth)
    chance = float((space.sizes * (space.sizes - 1)).sum() / (n * (n - 1)))
    null = np.array([(one[space.neighbours] == one[:, None]).mean() for one in labels])
    value = float(purity(space.near, codes[None])[0])
    return Score(value, chance, null, purity(space.near_without, without), NOTHING)


def _swapped(space: Space, clustering: str, labels: Ints) -> Floats:
    """[2, n_draws] adjusted Rand and mutual information of clusters with swapped classes [n_draws, n]."""
    clusters = np.unique(space.clusters[clustering], return_inverse=True)[1]
    n_classes, n_clusters = len(space.sizes), int(clusters.max()) + 1

    def some(rows: slice) -> Floats:
        mine = labels[rows]
        places = (np.arange(len(mine))[:, None] * n_classes + mine) * n_clusters + clusters
        counts = np.bincount(places.ravel(), minlength=len(mine) * n_classes * n_clusters)
        joint = counts.reshape(len(mine), n_classes, n_clusters).astype(np.float64)
        return np.stack([adjusted_rand(joint), mutual_information(joint)])

    return in_blocks(some, len(labels), n_classes * n_clusters)
