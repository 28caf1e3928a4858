"""One encoder's feature space as the measures read it: distances to classes, neighbours, clusters.

All of it is computed among the features themselves, nothing in the map.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concepttransfer.statistics import Floats
from concepttransfer.statistics.resampling import Ints

from .measures import silhouettes

RELABELLED = 40
"""So many permutations of pictures tell the chance of the silhouette of classes: each needs all distances again."""
STARTS = 4
"""Starts of k-means, of which the best is kept."""
SMALLEST_CLUSTER = 5
"""Of HDBSCAN; scikit-learn's default."""
MOST_BY_MATRIX = 8000
"""With more pictures HDBSCAN does not hold all distances at once (0.5 GB), which is slower."""
MOST_PARTS = 100
"""With more classes than this, intervals leave out several classes at a time."""
_ROWS = 256


@dataclass(frozen=True)
class Space:
    """What all measures need to know of one encoder's features of n pictures.

    Attributes:
        truth: [n] class of each picture; all classes have pictures.
        sizes: [n_classes] pictures of each class.
        sums: [n, n_classes] sum of the distances of each picture to those of each class.
        near: [n_classes, n_classes] how many of the k nearest neighbours of a row's pictures are of a column's class.
        left_out: [n_classes] which part of the jackknife leaves each class out.
        near_without: [n_parts, n_classes, n_classes] as `near` when the classes of a part are not there.
        neighbours: [n, k] the nearest neighbours of each picture.
        relabelled: [RELABELLED] silhouettes of classes when pictures swap theirs.
        clusters: name -> [n] cluster of each picture; by k-means of so many clusters, and by HDBSCAN (-1: none).
    """

    truth: Ints
    sizes: Ints
    sums: NDArray[np.float32]
    near: Floats
    left_out: Ints
    near_without: NDArray[np.float32]
    neighbours: Ints
    relabelled: Floats
    clusters: dict[str, Ints]

    def table(self, clustering: str) -> Floats:
        """[n_classes, n_clusters] pictures of each class in each cluster; those in none are one more cluster."""
        codes = np.unique(self.clusters[clustering], return_inverse=True)[1]
        table = np.zeros((len(self.sizes), codes.max() + 1))
        np.add.at(table, (self.truth, codes), 1)
        return table


def measured(
    values: NDArray[np.float32],
    truth: Ints,
    left_out: Ints,
    k: int,
    n_clusters: Sequence[int],
    seed: int,
    tick: Callable[[], object],
) -> Space:
    """Read one encoder's features.

    Args:
        values: [n, dim].
        truth: [n] class of each picture, numbered from 0 without gaps.
        left_out: [n_classes] the part of the jackknife that leaves each class out, numbered from 0.
        k: nearest neighbours looked at.
        n_clusters: the numbers of clusters that k-means is asked for.
        seed: of permutations and k-means.
        tick: called after each step; there are `steps(n_clusters)` of them.
    """
    sizes = np.bincount(truth)
    rng = np.random.default_rng([seed, len(values), 1])
    orders = np.stack([rng.permutation(len(truth)) for _ in range(RELABELLED)])
    reach = min(len(values) - 1, k + int(np.bincount(left_out, weights=sizes).max()))
    sums, shuffled, order = _distances(values, truth, orders, reach)
    classes = np.arange(len(sizes))[None]
    relabelled = [silhouettes(s, sizes, truth[o], classes)[0] for s, o in zip(shuffled, orders, strict=True)]
    tick()
    near = _counts(order[:, :k], truth, np.ones((len(order), k), dtype=bool))
    near_without = np.stack([_without(order, truth, left_out == part, k) for part in range(left_out.max() + 1)])
    tick()
    clusters = {}
    for number in sorted(set(n_clusters)):
        clusters[kmeans_of(number)] = by_kmeans(values, number, seed)
        tick()
    clusters[HDBSCAN] = by_density(values)
    tick()
    return Space(truth, sizes, sums, near, left_out, near_without, order[:, :k], np.array(relabelled), clusters)


def parts(n_classes: int, rng: np.random.Generator) -> Ints:
    """[n_classes] the part of the jackknife that leaves each class out: one of its own, or at most so many."""
    return np.asarray(rng.permutation(n_classes) % min(n_classes, MOST_PARTS), dtype=np.int64)


def steps(n_clusters: Sequence[int]) -> int:
    """How often `measured` ticks."""
    return 3 + len(set(n_clusters))


def _distances(
    values: NDArray[np.float32], truth: Ints, orders: Ints, reach: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], Ints]:
    """Sums of distances to each class [n, n_classes], the same when pictures swap classes, and the nearest in order.

    A block of rows at a time, so that memory does not grow with the square of the pictures.
    """
    n, n_classes = len(values), int(truth.max()) + 1
    labels = np.stack([truth, *(truth[order] for order in orders)])
    onehot = (labels[:, :, None] == np.arange(n_classes)).astype(np.float32)
    onehot = np.ascontiguousarray(onehot.transpose(1, 0, 2).reshape(n, -1))
    squares = np.einsum("ij,ij->i", values, values, dtype=np.float64).astype(np.float32)
    sums, nearest = np.empty((n, onehot.shape[1]), np.float32), np.empty((n, reach), np.int64)
    for start in range(0, n, _ROWS):
        rows = slice(start, min(start + _ROWS, n))
        squared = squares[rows, None] + squares - 2 * (values[rows] @ values.T)
        itself = np.arange(rows.start, rows.stop)
        squared[itself - start, itself] = 0
        distance = np.sqrt(np.maximum(squared, 0))
        sums[rows] = distance @ onehot
        distance[itself - start, itself] = np.inf
        nearest[rows] = np.argsort(distance, axis=1, kind="stable")[:, :reach]
    every = sums.reshape(n, len(labels), n_classes)
    return np.ascontiguousarray(every[:, 0]), np.ascontiguousarray(every[:, 1:].transpose(1, 0, 2)), nearest


def _without(order: Ints, truth: Ints, gone: NDArray[np.bool_], k: int) -> NDArray[np.float32]:
    """`near` when the classes that are `gone` [n_classes] are not there."""
    there = ~gone[truth][order]
    kept = there & (np.cumsum(there, axis=1) <= k)
    kept[gone[truth]] = False
    return _counts(order, truth, kept).astype(np.float32)


def _counts(neighbours: Ints, truth: Ints, kept: NDArray[np.bool_]) -> Floats:
    n_classes = int(truth.max()) + 1
    places = truth[:, None] * n_classes + truth[neighbours]
    return np.bincount(places[kept], minlength=n_classes**2).reshape(n_classes, n_classes).astype(np.float64)


HDBSCAN = "HDBSCAN"


def kmeans_of(n_clusters: int) -> str:
    """The name of a clustering by k-means."""
    return f"k-means {n_clusters}"


def by_kmeans(values: NDArray[np.float32], n_clusters: int, seed: int) -> Ints:
    """[n] the cluster of each picture, numbered from 0."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct pictures than clusters
        found = KMeans(n_clusters, n_init=STARTS, random_state=seed).fit_predict(values)
    return np.asarray(found, dtype=np.int64)


def by_density(values: NDArray[np.float32]) -> Ints:
    """[n] the cluster of each picture by HDBSCAN, numbered from 0; -1: too thin a place to be in one."""
    from sklearn.cluster import HDBSCAN as Hdbscan

    if len(values) <= SMALLEST_CLUSTER:
        return np.full(len(values), -1, dtype=np.int64)
    how = "brute" if len(values) <= MOST_BY_MATRIX else "auto"
    found = Hdbscan(min_cluster_size=SMALLEST_CLUSTER, algorithm=how, copy=True).fit_predict(values)
    return np.asarray(found, dtype=np.int64)
