"""From the same rows of several encoders to claims: every difference of two, and who can be ranked."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from concepttransfer.statistics import MEASURABLE_CLUSTERS, MEASURABLE_ROWS, Estimate
from concepttransfer.statistics.claims import Claim, corrected, is_random
from concepttransfer.statistics.resampling import Sampled, nulls, p_zeros, resample

from .ranks import Ints, rank_limits, step_down
from .rows import Rows

SWAPPED = "the two swapped by {unit}, for each {unit} with probability one half"


@dataclass(frozen=True)
class Compared:
    """One measure of several systems, compared.

    Attributes:
        rows: what was compared.
        claims: about each pair.
        best, worst: [n_systems] the ranks between which each lies; -1 where nothing can be said of any pair.
    """

    rows: Rows
    claims: tuple[Claim, ...]
    best: Ints
    worst: Ints


def compare_rows(rows: Rows, chances: Sequence[float], group: str, *, n_resamples: int, seed: int) -> Compared:
    """Every difference of two systems in one measure, with interval and p, and between which ranks each system lies.

    Args:
        rows: of the systems.
        chances: the level of each by chance; NaN where that is not known for these rows.
        group: of rows, as the levels name it.
        n_resamples: resamples of each interval and draws of signs of each p.
        seed: of all draws.
    """
    pairs = ordered_pairs(rows.systems)
    differences = _differences(rows, pairs, n_resamples, seed)
    n_clusters = int(rows.clusters.max()) + 1
    signs = np.random.default_rng([seed, 7]).choice((-1.0, 1.0), size=(n_resamples, n_clusters))
    p = p_zeros(differences, signs)
    claims = [
        _claim(rows, pair, found, chances, likely, group, n_resamples)
        for pair, found, likely in zip(pairs, differences, p, strict=True)
    ]
    together = step_down([one.value for one in differences], nulls(differences, signs))
    best, worst = rank_limits(len(rows.systems), pairs, [one.value for one in differences], together)
    unknown = np.full(len(best), -1)
    return Compared(rows, tuple(claims), *((best, worst) if np.isfinite(together).any() else (unknown, unknown)))


def with_q(compared: Sequence[Compared]) -> list[Claim]:
    """The claims of all measures, with q over all of their differences."""
    return corrected([claim for one in compared for claim in one.claims])


def ordered_pairs(systems: Sequence[str]) -> list[tuple[int, int]]:
    """Places of every two systems, in the order given, a random one second."""
    random = [is_random(name) for name in systems]
    found = itertools.combinations(range(len(systems)), 2)
    return [(b, a) if random[a] and not random[b] else (a, b) for a, b in found]


def _differences(rows: Rows, pairs: Sequence[tuple[int, int]], n: int, seed: int) -> list[Sampled]:
    """All from the same draws. Where rows are missing, each pair is compared over the rows that count for both."""
    if rows.whole:
        levels = resample(
            [rows.ratio(place) for place in range(len(rows.systems))], rows.clusters, n_resamples=n, seed=seed
        )
        return [levels[a] - levels[b] for a, b in pairs]
    both = [rows.both(a, b) for a, b in pairs]
    ratios = [rows.ratio(one, counted) for pair, counted in zip(pairs, both, strict=True) for one in pair]
    drawn = resample(ratios, rows.clusters, n_resamples=n, seed=seed)
    return [a - b for a, b in zip(drawn[::2], drawn[1::2], strict=True)]


def _claim(
    rows: Rows,
    pair: tuple[int, int],
    found: Sampled,
    chances: Sequence[float],
    p: float,
    group: str,
    n_resamples: int,
) -> Claim:
    system, other = (rows.systems[place] for place in pair)
    low, high = found.interval()
    estimate = Estimate(
        value=found.value,
        low=low,
        high=high,
        chance=chances[pair[0]] - chances[pair[1]],
        p=p,
        n=found.n,
        n_clusters=found.n_clusters,
        n_seeds=found.n_seeds,
        method=_method(rows, found, p, n_resamples),
    )
    return Claim(system, group, rows.paired.between, other, estimate)


def _method(rows: Rows, found: Sampled, p: float, n_resamples: int) -> str:
    unit = rows.paired.cluster or "row"
    drawn = f"{unit}, then rows in it," if rows.paired.cluster else "rows"
    seeds = " and seeds" if found.n_seeds > 1 else ""
    method = f"{drawn}{seeds} resampled {n_resamples} times, the same for both, Student's t"
    if np.isfinite(p):
        return f"{method}; p: {SWAPPED.format(unit=unit)}"
    few = f"{found.n} rows of {found.n_clusters} units, where {MEASURABLE_ROWS} of {MEASURABLE_CLUSTERS} are needed"
    return f"{method}; no p: {few}"
