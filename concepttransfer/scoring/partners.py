"""Which other picture stands in a picture's place, and which pictures are read closely: drawn by seed, by class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from ..storage import digest

_TRIES = 100


def partners(row_ids: Sequence[str], classes: Mapping[str, str], seed: int) -> dict[str, str]:
    """Another row for each row, any with equal probability: of another class where classes are known.

    A row without a class is a class of its own. Where there is but one class any other row will do; a single row has
    none.

    Args:
        row_ids: the rows, each once.
        classes: row id -> class; rows may be missing.
        seed: of the draws.
    """
    n = len(row_ids)
    if n < 2:
        return {}
    known = [classes.get(row, f"\0{row}") for row in row_ids]
    codes = np.unique(known, return_inverse=True)[1]
    if codes.max() == 0:
        codes = np.arange(n)
    rng = np.random.default_rng([seed, 11])
    drawn = rng.integers(n, size=n)
    for _ in range(_TRIES):
        wrong = np.flatnonzero(codes[drawn] == codes)
        if len(wrong) == 0:
            break
        drawn[wrong] = rng.integers(n, size=len(wrong))
    for row in np.flatnonzero(codes[drawn] == codes):  # nearly all rows are of its class
        drawn[row] = rng.choice(np.flatnonzero(codes != codes[row]))
    return {row: row_ids[other] for row, other in zip(row_ids, drawn, strict=True)}


def chosen(row_ids: Sequence[str], classes: Mapping[str, str], n: int, seed: int) -> list[str]:
    """At most `n` rows, as many of each class as there can be, in their order; which, depends on ids and seed alone.

    Rows without a class are one class.
    """
    if len(row_ids) <= n:
        return list(row_ids)
    by_class: dict[str | None, list[str]] = defaultdict(list)
    for row in sorted(row_ids, key=lambda row: digest("chosen", seed, row)):
        by_class[classes.get(row)].append(row)
    turns = sorted(by_class.values(), key=lambda rows: digest("chosen", seed, rows[0]))
    ordered = [rows[turn] for turn in range(max(map(len, turns))) for rows in turns if turn < len(rows)]
    kept = set(ordered[:n])
    return [row for row in row_ids if row in kept]
