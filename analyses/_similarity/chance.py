"""What similarity unrelated rows would have, and how far it would move with other rows. No row is ever taken twice.

Chance comes from permuting the rows of one set of features against the other's. For measures that are inner products of
two matrices, all n shifts of randomly relabelled rows are computed at once by a Fourier transform along the diagonals;
shifts are a group, so that the p is as exact as that of drawn permutations. Intervals are by the delete-one jackknife.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from concepttransfer.statistics import LEVEL, Floats, permutation_p

from .measures import Arrangement, compact, row_parts

FEWEST_ROTATIONS, ROTATED_IN_ALL = 20, 5000
"""Permutations for Procrustes, and rows permuted by them where these are few. Each permutation costs a singular value
decomposition; the values hardly differ, so that few tell their mean and spread."""
CALIBRATING = 5
"""So many of them also tell what the jackknife counts twice, which takes the whole decomposition."""


@dataclass(frozen=True)
class Likeness:
    """How alike two arrangements of the same rows are.

    Attributes:
        value: of the measure.
        chance: what unrelated rows would have.
        band: between which 95 % of the values under permutation lie.
        p: of chance, two-sided.
        spread: the standard error over rows.
        moves: [n] change of the value when each row is left out, less their mean.
        how: how p was found.
    """

    value: float
    chance: float
    band: tuple[float, float]
    p: float
    spread: float
    moves: Floats
    how: str

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.moves)

    def interval(self, low: float) -> tuple[float, float]:
        """Both ends of the 95 % interval, within what the measure can be: from `low` to 1."""
        reach = t_reach(self.n - 1) * self.spread
        return max(low, self.value - reach), min(1.0, self.value + reach)


def t_reach(degrees: int) -> float:
    """How many standard errors a 95 % interval reaches to either side, by Student's t."""
    from scipy import stats

    return float(stats.t.ppf((1 + LEVEL) / 2, degrees))


Pair = tuple[int, int]


def compare(
    arrangements: Sequence[Arrangement], pairs: Sequence[Pair], chance: float, rng: np.random.Generator, draws: int
) -> list[Likeness]:
    """The inner product of each pair of arrangements of the same rows, with interval and chance."""
    null = shifted(arrangements, pairs, rng, draws)
    return [
        _likeness(arrangements[a], arrangements[b], drawn, chance) for (a, b), drawn in zip(pairs, null, strict=True)
    ]


def _likeness(a: Arrangement, b: Arrangement, drawn: Floats, chance: float) -> Likeness:
    value = float(np.vdot(a.matrix, b.matrix))
    n = len(a.matrix)
    excess = (1 + a.symmetry * b.symmetry) / (n * (n - 1))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    moves = jackknife(value, a, b)
    spread = calibrated(variance_of(moves), excess, float(drawn.var())) ** 0.5
    how = f"rows permuted {len(drawn)} times"
    return Likeness(value, chance, (float(low), float(high)), permutation_p(value, drawn), spread, moves, how)


def jackknife(value: float, a: Arrangement, b: Arrangement) -> Floats:
    """[n] what an inner product becomes when a row is left out with its column, less the mean of these. Tukey 1958."""
    both = value - row_parts(a.matrix, b.matrix)
    left_out: Floats = both / np.sqrt(np.maximum((1 - a.parts) * (1 - b.parts), 1e-12))
    return np.asarray(left_out - left_out.mean())


def variance_of(moves: Floats) -> float:
    """The jackknife's variance of a value that each row left out moves so far."""
    return float((len(moves) - 1) / len(moves) * (moves**2).sum())


def calibrated(jackknifed: float, excess: float, null: float) -> float:
    """The jackknife's variance less what it counts twice; below that of unrelated rows only where it was before.

    What pairs of rows add beyond the rows themselves, the jackknife counts twice (Efron & Stein 1981), and of unrelated
    rows that is most there is. `excess` is it once, and `null` the variance over permutations.
    """
    return max(jackknifed - excess, min(jackknifed, null))


def shifted(
    arrangements: Sequence[Arrangement], pairs: Sequence[Pair], rng: np.random.Generator, draws: int
) -> list[Floats]:
    """For each pair the inner products under at least `draws` permutations, the identity not among them."""
    n = len(arrangements[0].matrix)
    found: list[Floats] = []
    for _ in range(-(-draws // (n - 1))):
        order = rng.permutation(n)
        turned = np.stack([_turned(one.matrix, order) for one in arrangements], axis=1)
        found.append(_shifts(turned, pairs, n))
    return list(np.concatenate(found, axis=1))


def _turned(matrix: Floats, order: NDArray[np.int64]) -> NDArray[np.complex64]:
    """[n // 2 + 1, n] Fourier transforms along each wrapped diagonal of a relabelled matrix."""
    from scipy import fft

    n = len(matrix)
    twice = np.tile(matrix.astype(np.float32)[np.ix_(order, order)], 2)
    down, right = twice.strides
    diagonals = as_strided(twice, (n, n), (down + right, right), writeable=False)  # [i, d]: entry (i, i + d)
    return np.asarray(fft.rfft(diagonals, axis=0), dtype=np.complex64)


def _shifts(turned: NDArray[np.complex64], pairs: Sequence[Pair], n: int) -> Floats:
    """[n_pairs, n - 1] inner products of the first with every shift of the second, from [n // 2 + 1, k, n]."""
    from scipy import fft

    products = turned.conj() @ turned.swapaxes(1, 2)
    first, second = np.array(pairs).T
    every = fft.irfft(products[:, first, second], n, axis=0)
    return np.asarray(every[1:].T, dtype=np.float64)


def compare_rotated(
    features: Sequence[Floats], pairs: Sequence[Pair], rng: np.random.Generator, draws: int
) -> list[Likeness]:
    """Procrustes similarity of each pair of features of the same rows, with interval and chance."""
    small = [compact(one) for one in features]
    draws = max(2, min(draws, max(FEWEST_ROTATIONS, ROTATED_IN_ALL // len(small[0]))))
    orders = [rng.permutation(len(small[0])) for _ in range(draws)]
    return [_rotated(small[a], small[b], orders) for a, b in pairs]


def _rotated(x: Floats, y: Floats, orders: Sequence[NDArray[np.int64]]) -> Likeness:
    from scipy import stats

    value, moves = _rotation(x, y)
    under = [_rotation(x, y[order]) for order in orders[:CALIBRATING]]
    others = [float(np.linalg.svd(x.T @ y[order], compute_uv=False).sum()) for order in orders[CALIBRATING:]]
    drawn = np.array([*(one for one, _ in under), *others])
    centre, null, degrees = float(drawn.mean()), float(drawn.var(ddof=1)), len(drawn) - 1
    far = (null * (1 + 1 / len(drawn))) ** 0.5
    reach = t_reach(degrees) * far
    p = float(2 * stats.t.sf(abs(value - centre) / max(far, 1e-12), degrees))
    excess = max(0.0, float(np.mean([variance_of(m) for _, m in under])) - null)
    spread = calibrated(variance_of(moves), excess, null) ** 0.5
    how = f"Student's t of {len(drawn)} permutations of the rows"
    return Likeness(value, centre, (centre - reach, centre + reach), p, spread, moves, how)


def _rotation(x: Floats, y: Floats) -> tuple[float, Floats]:
    """The nuclear norm of X'Y, and [n] how far it moves without each row, to first order with the rotation held."""
    left, sizes, right = np.linalg.svd(x.T @ y, full_matrices=False)
    value = float(sizes.sum())
    shared = np.einsum("ij,ij->i", x @ left, y @ right.T)
    own = (np.einsum("ij,ij->i", x, x) + np.einsum("ij,ij->i", y, y)) / 2
    return value, np.asarray(value * own - shared)
