"""How alike do two sets of features arrange the same rows? Four measures, each of two arrays; arrays in, numbers out.

Three of them are the inner product of two matrices, one of each set of features, that hold how its rows stand to each
other and have length 1: an `Arrangement`. Procrustes is not: it looks for the best rotation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from concepttransfer.errors import BadInputError, ShapeError
from concepttransfer.statistics import Floats

CKA, RSA, NEIGHBOURS, PROCRUSTES = "debiased CKA", "RSA", "mutual nearest neighbours", "Procrustes"
MEASURES = (CKA, RSA, NEIGHBOURS, PROCRUSTES)
FEWEST = 4
"""Debiased CKA divides by n (n - 3)."""
_TINY = 1e-12


@dataclass(frozen=True)
class Arrangement:
    """How the n rows of one set of features stand to each other.

    Attributes:
        matrix: [n, n] with an empty diagonal and a Frobenius norm of 1.
    """

    matrix: Floats

    @cached_property
    def parts(self) -> Floats:
        """[n] what each row, with its column, has of the squared norm."""
        return row_parts(self.matrix, self.matrix)

    @cached_property
    def symmetry(self) -> float:
        """The inner product with its own transpose: 1 where the matrix is symmetric."""
        return float(np.einsum("ij,ji->", self.matrix, self.matrix))


def row_parts(a: Floats, b: Floats) -> Floats:
    """[n] what each row, with its column, has of the inner product of two matrices [n, n]; they sum to it twice."""
    rows: Floats = np.einsum("ij,ij->i", a, b) + np.einsum("ij,ij->j", a, b)
    return rows


def debiased_cka(x: Floats, y: Floats) -> float:
    """How alike do two sets of features [n, p], [n, q] arrange the same n rows? 1: equal up to rotation and scale.

    Linear CKA with the unbiased estimator of HSIC, whose value on unrelated features is 0 on average (the plain one is
    .34 at n = 1000, p = q = 512). Song et al. 2012, equation 5; Kornblith et al. 2019, section 3.

    Raises:
        ShapeError: other numbers of rows, or fewer than 4.
        BadInputError: values that are not finite, or rows that are all equal.
    """
    _refuse(x, y)
    return float(np.vdot(by_products(x).matrix, by_products(y).matrix))


def rsa(x: Floats, y: Floats) -> float:
    """How alike are the orders of the distances between rows? Spearman's correlation of cosine distances of all pairs.

    Kriegeskorte et al. 2008. Chance is 0. Raises what `debiased_cka` does.
    """
    _refuse(x, y)
    return float(np.vdot(by_ranks(x).matrix, by_ranks(y).matrix))


def mutual_neighbours(x: Floats, y: Floats, k: int = 10) -> float:
    """Which share of a row's k nearest neighbours (by cosine) is the same in both? Mean over rows; chance k / (n - 1).

    Huh et al. 2024, "The Platonic Representation Hypothesis", section 2. Raises what `debiased_cka` does.
    """
    _refuse(x, y)
    return float(np.vdot(by_neighbours(x, k).matrix, by_neighbours(y, k).matrix))


def procrustes(x: Floats, y: Floats) -> float:
    """How much of the one is the other, rotated? The nuclear norm of X'Y, in [0, 1].

    X and Y have their columns' means taken off and a Frobenius norm of 1. The squared orthogonal Procrustes distance of
    Ding et al. 2021 (equation 7) is 2 - 2 s, the angular shape distance of Williams et al. 2021 is arccos(s), scipy's
    disparity 1 - s squared. Unrelated features are far above 0 where n is not much larger than p. Raises what
    `debiased_cka` does.
    """
    _refuse(x, y)
    return float(np.linalg.svd(compact(x).T @ compact(y), compute_uv=False).sum())


def by_products(x: Floats) -> Arrangement:
    """Inner products, U-centred: the inner product of two such is the unbiased HSIC. Szekely & Rizzo 2014."""
    n = len(x)
    centred = x - x.mean(0)
    gram = centred @ centred.T
    np.fill_diagonal(gram, 0)
    rows = gram.sum(1)
    gram += rows.sum() / ((n - 1) * (n - 2)) - (rows[:, None] + rows) / (n - 2)
    np.fill_diagonal(gram, 0)
    return _unit(gram)


def by_ranks(x: Floats) -> Arrangement:
    """Ranks of the cosine distances of all pairs, less their mean."""
    from scipy import stats
    from scipy.spatial.distance import squareform

    distances = np.round(1 - cosines(x), 12)
    np.fill_diagonal(distances, 0)
    ranks = stats.rankdata(squareform(distances, checks=False))
    return _unit(squareform(ranks - ranks.mean()))


def by_neighbours(x: Floats, k: int) -> Arrangement:
    """Who is among whose k nearest neighbours; of equally near ones the earlier row."""
    n = len(x)
    near = cosines(x)
    np.fill_diagonal(near, -np.inf)
    matrix = np.zeros((n, n))
    matrix[np.arange(n)[:, None], np.argsort(-near, axis=1, kind="stable")[:, : neighbours_of(n, k)]] = 1
    return _unit(matrix)


def neighbours_of(n: int, k: int) -> int:
    """How many neighbours are looked at: `k`, but at most half of the others."""
    return max(1, min(k, (n - 1) // 2))


def cosines(x: Floats) -> Floats:
    """[n, n] cosines of all pairs of rows; a row without length has 0 with every other."""
    unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), _TINY)
    found: Floats = unit @ unit.T
    return found


def compact(x: Floats) -> Floats:
    """The rows centred and of norm 1 in all, rotated into no more columns than rows: [n, min(n, p)]."""
    centred = x - x.mean(0)
    if centred.shape[1] > len(x):
        left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
        centred = left * sizes
    unit: Floats = centred / np.linalg.norm(centred)
    return unit


def _unit(matrix: Floats) -> Arrangement:
    norm = float(np.linalg.norm(matrix))
    if norm < _TINY:
        raise BadInputError("All pairs of rows stand to each other in the same way: there is nothing to be compared.")
    return Arrangement(matrix / norm)


def refuse_features(x: Floats | NDArray[np.float32], name: str) -> None:
    """Raise what is wrong with one set of features [n, p].

    Raises:
        ShapeError: fewer than 4 rows.
        BadInputError: values that are not finite, or rows that are all equal.
    """
    if x.ndim != 2 or len(x) < FEWEST:
        raise ShapeError(f"{name}: {len(x)} rows; {FEWEST} or more are needed to compare how they stand to each other.")
    if bad := int((~np.isfinite(x)).any(1).sum()):
        raise BadInputError(f"{name}: {bad} of {len(x)} rows hold values that are not finite. Encode them again.")
    spread, size = float(np.abs(x - x.mean(0)).max()), float(np.abs(x).max())
    if spread <= 1e-9 * max(size, _TINY):
        raise BadInputError(f"{name}: all {len(x)} rows are the same, so that none is nearer to another. Leave it out.")


def _refuse(x: Floats, y: Floats) -> None:
    if len(x) != len(y):
        raise ShapeError(f"{len(x)} and {len(y)} rows: both are to be features of the same rows, in the same order.")
    refuse_features(x, "the first features")
    refuse_features(y, "the second features")
