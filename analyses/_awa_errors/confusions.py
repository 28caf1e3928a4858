"""Which wrong name is said of which thing by chance? Tables of names by truth, and their surplus over chance.

A table counts pairs: [n_concepts, n_concepts], true concept by said concept. Nothing here knows what a concept is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

CHAINS = 20
SETTLING = 10
_BLOCK = 1 << 22


def table_of(truth: Codes, said: Codes, n_concepts: int) -> Floats:
    """How often each concept is said of each: [n_concepts, n_concepts] from two lists of codes [n]."""
    cells = np.bincount(truth * n_concepts + said, minlength=n_concepts**2)
    return cells.reshape(n_concepts, n_concepts).astype(np.float64)


def shuffled_errors(truth: Codes, said: Codes, n_concepts: int, rng: np.random.Generator, n_draws: int = 500) -> Floats:
    """The mean table when wrong names are permuted among the wrongly named pictures and none may become right.

    Pairs that become right are redrawn: names are swapped between random pairs of pictures as long as that makes no
    more of them right, which visits all permitted permutations alike. Where none is permitted (all errors are of one
    class that is also said), pairs that stay right are left out.

    Args:
        truth: [n] codes of the true concepts of the wrongly named pictures.
        said: [n] codes of the names.
        n_concepts: how many concepts there are.
        rng: draws the permutations.
        n_draws: how many permutations the mean is over.

    Returns:
        [n_concepts, n_concepts], zero on the diagonal, with the sums of rows and columns of the errors.
    """
    total = np.zeros((n_concepts, n_concepts))
    if len(truth) == 0:
        return total
    each = -(-n_draws // CHAINS)
    for _ in range(CHAINS):
        names = said[rng.permutation(len(said))]
        for sweep in range(SETTLING + each):
            _swap(truth, names, rng)
            if sweep >= SETTLING:
                total += table_of(truth, names, n_concepts)
    np.fill_diagonal(total, 0)
    return total / (CHAINS * each)


def _swap(truth: Codes, names: Codes, rng: np.random.Generator) -> None:
    """Swap the names of random pairs of pictures, in place, wherever that makes no more names right."""
    half = len(truth) // 2
    order = rng.permutation(len(truth))
    a, b = order[:half], order[half : 2 * half]
    now = (names[a] == truth[a]).astype(np.int8) + (names[b] == truth[b])
    then = (names[b] == truth[a]).astype(np.int8) + (names[a] == truth[b])
    a, b = a[then <= now], b[then <= now]
    names[a], names[b] = names[b], names[a]


def interaction(similarity: Floats, table: Floats) -> Floats:
    """What of a similarity is about the pair, and not about the true or the said concept alone.

    The residual of the least-squares fit `similarity[t, c] ~ row[t] + column[c]`, weighted by a chance table. Its mean
    over the errors is exactly their mean similarity less that of the chance table with the same sums; and, being
    orthogonal to what the sums can change, it can be resampled without drawing chance anew each time.

    Args:
        similarity: [n, n] of a true and a said concept.
        table: [n, n] how often chance makes each pair.
    """
    weighted = table * similarity
    rows, columns = np.maximum(table.sum(1), 1e-300), table.sum(0)
    scaled = table / rows[:, None]
    # The rows are eliminated. What is left fixes the columns but for a constant, to which the ridge gives a value.
    system = np.diag(columns) - table.T @ scaled + 1e-9 * max(float(columns.max()), 1e-300) * np.eye(len(columns))
    column = np.linalg.solve(system, weighted.sum(0) - scaled.T @ weighted.sum(1))
    row = (weighted.sum(1) - table @ column) / rows
    residual: Floats = similarity - row[:, None] - column
    return residual


def relabelled(similarity: Floats, surplus: Floats, permutations: Codes) -> Floats:
    """The surplus's mean similarity when the concepts' descriptions are permuted jointly: rows and columns alike.

    Args:
        similarity: [n, n] of a true and a said concept.
        surplus: [n_systems, n, n] shares of pairs, observed less chance.
        permutations: [n_permutations, n] of the concepts.

    Returns:
        [n_permutations, n_systems].
    """
    n = len(similarity)
    step = max(1, _BLOCK // n**2)
    flat = surplus.reshape(len(surplus), -1).T
    blocks = [permutations[at : at + step] for at in range(0, len(permutations), step)]
    return np.concatenate([similarity[p[:, :, None], p[:, None, :]].reshape(len(p), -1) @ flat for p in blocks])


def renamed(surplus: Floats, permutations: Codes) -> Floats:
    """The surplus of right names when the names of the concepts are permuted: [n_permutations, n_systems]."""
    rows = np.arange(surplus.shape[-1])
    return np.stack([table[rows, permutations].sum(1) for table in surplus], axis=1)
