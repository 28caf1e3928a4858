"""How well groups of classes stand apart: silhouettes, purity of neighbours, agreement with clusters.

Each takes many labellings of the classes at once, [n_labellings, n_classes] with -1 for a class that is left out, and
gives [n_labellings] values. So the values themselves, those under permuted classes and those without each class come
from one function.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from concepttransfer.statistics import Floats
from concepttransfer.statistics.resampling import Ints

_BLOCK = 1 << 22
"""So many numbers are held at once for some labellings: 32 MB."""


def in_blocks(function: Callable[[slice], Floats], n_labellings: int, each: int) -> Floats:
    """`function` of a slice of labellings at a time, when each of them takes so many numbers; the last axis joined."""
    step = max(1, _BLOCK // max(each, 1))
    parts: list[Floats] = [function(slice(at, at + step)) for at in range(0, n_labellings, step)]
    return np.concatenate(parts, axis=-1)


def members(codes: Ints) -> Floats:
    """[n_groups, n_labellings, n_classes] 1 where a class is of a group."""
    return np.asarray(codes[None] == np.arange(codes.max(initial=0) + 1)[:, None, None], dtype=np.float64)


def silhouettes(sums: NDArray[np.float32], sizes: Ints, truth: Ints, codes: Ints) -> Floats:
    """Mean silhouette of the pictures: how much nearer is a picture's own group than the nearest other one?

    (b - a) / max(a, b), a the mean distance to the other pictures of the own group and b the least mean distance to
    another group; 0 for a picture that is a group of its own. Rousseeuw 1987. From -1 to 1.

    Args:
        sums: [n, n_classes] sum of the distances of each picture to those of each class.
        sizes: [n_classes] pictures of each class.
        truth: [n] class of each picture.
        codes: [n_labellings, n_classes] group of each class; -1: left out.

    Returns:
        [n_labellings]; NaN where there are not two groups.
    """
    return in_blocks(lambda some: _silhouettes(sums, sizes, truth, codes[some]), len(codes), len(sums))


def _silhouettes(sums: NDArray[np.float32], sizes: Ints, truth: Ints, codes: Ints) -> Floats:
    of = members(codes)
    counts = of @ sizes
    own = codes[:, truth]
    nearest, inside = np.full(own.shape, np.inf, np.float32), np.zeros(own.shape, np.float32)
    for group, (members_of, count) in enumerate(zip(of.astype(np.float32), counts, strict=True)):
        total = members_of @ sums.T
        is_own = own == group
        inside = np.where(is_own, total / np.maximum(count - 1, 1)[:, None], inside)
        with np.errstate(divide="ignore", invalid="ignore"):
            outside = np.where(is_own | (count == 0)[:, None], np.inf, total / count[:, None])
        nearest = np.minimum(nearest, outside)
    alone = np.take_along_axis(counts.T, np.maximum(own, 0), axis=1) == 1
    there = own >= 0
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.where(alone, 0, (nearest - inside) / np.maximum(nearest, inside))
    apart = np.where(np.isnan(apart) & np.isfinite(nearest), 0, apart)  # all distances are 0
    mean = np.where(there, apart, 0).sum(1, dtype=np.float64) / np.maximum(there.sum(1), 1)
    return np.where((counts > 0).sum(0) > 1, mean, np.nan)


def purity(near: Floats | NDArray[np.float32], codes: Ints) -> Floats:
    """Share of the pictures' nearest neighbours that are of the same group, [n_labellings].

    Args:
        near: [n_classes, n_classes] how many neighbours in a column's class the pictures of a row's class have; or
            [n_labellings, n_classes, n_classes] for each labelling its own.
        codes: [n_labellings, n_classes] group of each class; -1: left out, as picture and as neighbour.
    """

    def some(rows: slice) -> Floats:
        mine = near if near.ndim == 2 else near[rows]
        there = (codes[rows] >= 0).astype(np.float64)
        with np.errstate(invalid="ignore"):
            inside = np.sum([_within(mine, one) for one in members(codes[rows])], axis=0)
            return np.asarray(inside / _within(mine, there), dtype=np.float64)

    return in_blocks(some, len(codes), codes.shape[1] * (int(codes.max(initial=0)) + 1))


def _within(near: Floats | NDArray[np.float32], of: Floats) -> Floats:
    """[n_labellings] neighbours that lead from classes of a group into the group."""
    reached = of @ near if near.ndim == 2 else np.einsum("bc,bcd->bd", of, near)
    return np.asarray((reached * of).sum(1))


def chance_of_purity(near: Floats, codes: Ints) -> Floats:
    """The mean of `purity` over all ways to give the classes' groups to other classes, [n_labellings]; in closed form.

    Two pictures of one class stay in one group; two classes are of one group as often as any two are.
    """
    sizes = members(codes).sum(2)
    n = (codes >= 0).sum(1)
    alike = ((sizes * (sizes - 1)).sum(0)) / np.maximum(n * (n - 1), 1)
    same = np.trace(near) / near.sum()
    return np.asarray(same + (1 - same) * alike)


def agreement(table: Floats, codes: Ints) -> Floats:
    """How well do clusters agree with groups? Adjusted Rand and normalised mutual information, [2, n_labellings].

    Args:
        table: [n_classes, n_clusters] pictures of each class in each cluster.
        codes: [n_labellings, n_classes] group of each class; -1: left out.
    """

    def some(rows: slice) -> Floats:
        joint = np.stack([one @ table for one in members(codes[rows])], axis=1)
        return np.stack([adjusted_rand(joint), mutual_information(joint)])

    return in_blocks(some, len(codes), (int(codes.max(initial=0)) + 1) * max(table.shape))


def adjusted_rand(joint: Floats) -> Floats:
    """[b] of [b, n_groups, n_clusters] counts: 1 where they agree, 0 by chance. Hubert & Arabie 1985, equation 5."""
    both, groups, clusters = _pairs(joint), _pairs(joint.sum(2)), _pairs(joint.sum(1))
    n = joint.sum((1, 2))
    expected = groups * clusters / np.maximum(n * (n - 1) / 2, 1)
    most = (groups + clusters) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(most - expected > 1e-9, (both - expected) / (most - expected), 1.0))


def _pairs(counts: Floats) -> Floats:
    return np.asarray((counts * (counts - 1) / 2).reshape(len(counts), -1).sum(1))


def mutual_information(joint: Floats) -> Floats:
    """[b] of [b, n_groups, n_clusters] counts, over the mean of both entropies; 1 where they agree.

    Strehl & Ghosh 2002. It is above 0 by chance, the more so the more clusters there are: read it beside its chance.
    """
    n = joint.sum((1, 2), keepdims=True)
    shares = joint / np.maximum(n, 1)
    groups, clusters = _entropy(shares.sum(2)), _entropy(shares.sum(1))
    shared = groups + clusters - _entropy(shares)
    mean = (groups + clusters) / 2
    return np.asarray(np.where(mean > 1e-12, np.maximum(shared, 0) / np.maximum(mean, 1e-12), 1.0))


def _entropy(shares: Floats) -> Floats:
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(-(shares * logs).reshape(len(shares), -1).sum(1))
