"""Does a measure rise with the linguistic supervision of the encoder? Over encoders, of which there are few."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from concepttransfer.encoders.spec import RANDOM, RUNGS
from concepttransfer.statistics import Estimate, Floats, false_discovery, permutation_p
from concepttransfer.statistics.claims import Claim

SUPERVISION = "supervision"
"""What a trend is `against`."""
EVERY, LEARNT = "every encoder", "encoders that learnt"
"""The systems that a trend is about; the second without random weights."""
FEWEST = 5
"""With fewer encoders there is no p."""
MOST_ARRANGEMENTS = 20_000
PLACES = {rung: place for place, rung in enumerate(RUNGS)}
Ints = NDArray[np.int64]


def trends(table: pd.DataFrame, seed: int) -> list[Claim]:
    """For each measure of each study: Kendall's tau of level and rung, over all encoders, and over those that learnt.

    q is over all of these.

    Args:
        table: a row a system and measure, in the columns of `Comparison`.
        seed: of the draws, where not every arrangement is looked at.
    """
    known = table[table["supervision"].notna() & table["value"].notna()]
    made = []
    several = known["study"].nunique() > 1
    for _, rows in known.groupby(["kind", "on", "group", "measure", "study"], sort=False, dropna=False):
        kind, on, group, measure, study = (rows.iloc[0][name] for name in ("kind", "on", "group", "measure", "study"))
        rungs: Ints = np.array([PLACES[rung] for rung in rows["supervision"]], dtype=np.int64)
        values = rows["value"].to_numpy(np.float64)
        for system, counted in ((EVERY, np.ones(len(rungs), bool)), (LEARNT, rungs > PLACES[RANDOM])):
            if len(np.unique(rungs[counted])) > 1 and np.ptp(values[counted]) > 0:
                named = of_study(system, study) if several else system
                about = about_of(kind, on, group)
                made.append(Claim(named, about, measure, SUPERVISION, trend(rungs[counted], values[counted], seed)))
    q = false_discovery([one.estimate.p for one in made])
    return [replace(one, estimate=replace(one.estimate, q=float(x))) for one, x in zip(made, q, strict=True)]


def of_study(system: str, study: str) -> str:
    """How a trend over one of several studies is named."""
    return f"{system} of {study}"


def about_of(kind: str, on: str, group: object) -> str:
    """The group under which a trend stands: which analysis, data and rows it is about."""
    return f"{kind} on {on}" + (f", {group}" if isinstance(group, str) and group else "")


def trend(rungs: Ints, values: Floats, seed: int = 0) -> Estimate:
    """Kendall's tau-b of rungs and levels, 1: every higher rung is higher; and how likely that is by chance.

    The levels are given to the encoders in every possible way, or in 20,000 ways at random where there are more; then
    tau is the Jonckheere-Terpstra test. Two-sided. There is no interval: of so few encoders it would say nothing.

    Args:
        rungs: [n] place on the ladder.
        values: [n] level of each encoder, not all the same.
        seed: of the draws.
    """
    n = len(rungs)
    one, other = np.triu_indices(n, 1)
    up = np.sign(values[other] - values[one])

    def concordant(arranged: Ints) -> Floats:
        return np.asarray(np.sign(arranged[..., other] - arranged[..., one]) @ up, dtype=np.float64)

    untied = (rungs[other] != rungs[one]).sum() * (up != 0).sum()
    observed = float(concordant(rungs))
    how, p = f"no p: {n} encoders, where {FEWEST} are needed", np.nan
    if n >= FEWEST:
        ways = arrangements(np.bincount(rungs))
        drawn, how = _arranged(rungs, ways, seed)
        null = concordant(drawn)
        every = ways <= MOST_ARRANGEMENTS
        p = float((np.abs(null) >= abs(observed) - 1e-9).mean()) if every else permutation_p(observed, null)
    return Estimate(
        value=observed / math.sqrt(untied),
        chance=0.0,
        p=p,
        n=n,
        n_clusters=n,
        n_seeds=0,
        method=f"Kendall's tau-b over {n} encoders, each once whatever its seeds; {how}; no interval of so few",
    )


def arrangements(counts: Sequence[int] | Ints) -> int:
    """In how many ways so many encoders can stand on each rung."""
    left, ways = int(sum(counts)), 1
    for count in counts:
        ways *= math.comb(left, int(count))
        left -= int(count)
    return ways


def _arranged(rungs: Ints, ways: int, seed: int) -> tuple[Ints, str]:
    if ways <= MOST_ARRANGEMENTS:
        return _every(tuple(np.bincount(rungs).tolist())), f"p: all {ways} ways to place them"
    rng = np.random.default_rng([seed, 11])
    drawn = rng.permuted(np.tile(rungs, (MOST_ARRANGEMENTS, 1)), axis=1)
    return drawn, f"p: {MOST_ARRANGEMENTS} random ways to place them"


@cache
def _every(counts: tuple[int, ...]) -> Ints:
    """[ways, n] every distinct arrangement of so many encoders of each rung."""
    n = sum(counts)
    found: list[list[int]] = [[-1] * n]
    for rung, count in enumerate(counts):
        found = [
            [rung if place in chosen else held for place, held in enumerate(one)]
            for one in found
            for chosen in map(set, itertools.combinations([p for p, held in enumerate(one) if held < 0], count))
        ]
    return np.array(found, dtype=np.int64)
