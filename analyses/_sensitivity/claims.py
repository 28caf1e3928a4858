"""From scored captions to claims: each system's scores, and what a shift or another noise changes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from concepttransfer.result import Result
from concepttransfer.result.pairing import Paired
from concepttransfer.statistics import Estimate
from concepttransfer.statistics.claims import Claim, corrected
from concepttransfer.statistics.resampling import Sampled, p_zeros, resample

from .._compare.given import System as Measured
from .._compare.rows import align
from .._prefix_length.scores import CIDER, RIGHT, Scored
from .systems import System

MEASURES = (RIGHT, CIDER)
GROUP = "all"
"""The one group of pictures that there is."""


def claims(scored: Scored, systems: Sequence[System], base: System | None, n_resamples: int, seed: int) -> list[Claim]:
    """The level of each system, what is above chance, and the difference from the base on the same pictures."""
    results = {RIGHT: scored.named, CIDER: scored.worded}
    differences = [
        claim
        for measure, result in results.items()
        if result is not None and base is not None
        for claim in _differences(result, measure, systems, base, n_resamples, seed)
    ]
    return [*corrected(list(scored.claims())), *corrected(differences)]


def _differences(
    result: Result, measure: str, systems: Sequence[System], base: System, n_resamples: int, seed: int
) -> Iterator[Claim]:
    paired = next(one for one in result.paired if one.measure == measure)
    others = [one for one in systems if one.name != base.name]
    named = [base.name, *(one.name for one in others)]
    rows = align([Measured(name, result.study, name, result) for name in named], paired)
    ratios = [rows.ratio(place) for place in range(len(named))]
    drawn = resample(ratios, rows.clusters, n_resamples=n_resamples, seed=seed)
    found = [one - drawn[0] for one in drawn[1:]]
    shape = (n_resamples, int(rows.clusters.max()) + 1)
    p = p_zeros(found, np.random.default_rng([seed, 11]).choice((-1.0, 1.0), size=shape))
    for other, one, likely in zip(others, found, p, strict=True):
        yield Claim(other.name, GROUP, measure, base.name, _estimate(one, likely, paired, n_resamples))


def _estimate(found: Sampled, p: float, paired: Paired, n_resamples: int) -> Estimate:
    low, high = found.interval()
    unit = f"{paired.cluster}, then pictures in it," if paired.cluster else "pictures"
    seeds = " and seeds" if found.n_seeds > 1 else ""
    return Estimate(
        value=found.value,
        low=low,
        high=high,
        chance=0.0,
        p=p,
        n=found.n,
        n_clusters=found.n_clusters,
        n_seeds=found.n_seeds,
        method=f"{unit}{seeds} resampled {n_resamples} times, Student's t; p: the two swapped",
    )
