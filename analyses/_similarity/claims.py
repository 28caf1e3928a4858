"""From features of the same rows to claims: pairs of encoders, each encoder and the language model, and its fits."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from concepttransfer.statistics import (
    MEASURABLE_ROWS,
    Estimate,
    Floats,
    false_discovery,
)
from concepttransfer.statistics.claims import is_control, is_random
from concepttransfer.stitching import StitchingLoss

from . import measures as m
from .chance import (
    Likeness,
    Pair,
    compare,
    compare_rotated,
    t_reach,
    variance_of,
)

LANGUAGE_MODEL = "language model"
PICTURES, CLASSES, FITS = "pictures like these", "classes like these", "held-out captions"
STITCHING = "stitching loss"
WITH = " with the language model"
ROTATED_ROWS = 500
"""Procrustes looks at no more rows: its decompositions take the cube of their number."""
LOWEST = {m.CKA: -1.0, m.RSA: -1.0, m.NEIGHBOURS: 0.0, m.PROCRUSTES: 0.0}
JACKKNIFE = "delete-one jackknife over {rows}, pairs counted once, Student's t"


@dataclass(frozen=True)
class Claim:
    """An estimate and what it is about; the fields are those of `Result.estimates`.

    `band` is where 95 % of the values under permutation lie.
    """

    system: str
    group: str
    measure: str
    against: str | None
    estimate: Estimate
    band: tuple[float, float] = (np.nan, np.nan)


@dataclass(frozen=True)
class Settings:
    """Options of the comparison: neighbours looked at, least number of permutations, seed of all draws."""

    neighbours: int
    n_permutations: int
    seed: int


Compared = dict[tuple[str, str, str], Likeness]
"""(measure, system, against) -> how alike they are."""


def likenesses(features: Mapping[str, Floats], pairs: Sequence[tuple[str, str]], settings: Settings) -> Compared:
    """Each pair of systems by each measure, over the same rows [n, p]; one measure's matrices are held at a time."""
    names, n = list(features), len(next(iter(features.values())))
    at: list[Pair] = [(names.index(a), names.index(b)) for a, b in pairs]
    rng = np.random.default_rng([settings.seed, n])
    k = m.neighbours_of(n, settings.neighbours)
    made: dict[str, Callable[[Floats], m.Arrangement]] = {
        m.CKA: m.by_products,
        m.RSA: m.by_ranks,
        m.NEIGHBOURS: partial(m.by_neighbours, k=k),
    }
    found: Compared = {}
    for measure, arrange in made.items():
        chance = k / (n - 1) if measure == m.NEIGHBOURS else 0.0
        arrangements = [arrange(features[name]) for name in names]
        every = compare(arrangements, at, chance, rng, settings.n_permutations)
        found |= {(measure, *pair): one for pair, one in zip(pairs, every, strict=True)}
    rows = np.sort(rng.permutation(n)[:ROTATED_ROWS])
    some = [features[name][rows] for name in names]
    rotated = compare_rotated(some, at, rng, settings.n_permutations)
    return found | {(m.PROCRUSTES, *pair): one for pair, one in zip(pairs, rotated, strict=True)}


def between_encoders(features: Mapping[str, Floats], settings: Settings) -> list[Claim]:
    """Every two encoders on the same pictures, with q over all of them."""
    pairs = list(itertools.combinations(features, 2))
    return _corrected(_claims(likenesses(features, pairs, settings), PICTURES)) if pairs else []


def with_language_model(means: Mapping[str, Floats], names: Floats, settings: Settings) -> list[Claim]:
    """Each encoder's class means against the names' word vectors, then less what its random control has."""
    pairs = [(encoder, LANGUAGE_MODEL) for encoder in means]
    found = likenesses({**means, LANGUAGE_MODEL: names}, pairs, settings)
    return [*_corrected(_claims(found, CLASSES)), *_corrected(_beyond_controls(found, means))]


def _claims(found: Compared, group: str) -> Iterator[Claim]:
    rows = "pictures" if group == PICTURES else "classes"
    for (measure, system, against), one in found.items():
        low, high = one.interval(LOWEST[measure])
        estimate = Estimate(
            value=one.value,
            low=low,
            high=high,
            chance=one.chance,
            p=one.p if one.n >= MEASURABLE_ROWS else np.nan,
            n=one.n,
            n_clusters=one.n,
            method=_method(one, rows),
        )
        yield Claim(system, group, measure, against, estimate, one.band)


def _method(one: Likeness, rows: str) -> str:
    few = f"no p: {one.n} {rows}, where {MEASURABLE_ROWS} are needed"
    return f"{JACKKNIFE.format(rows=rows)}; {f'p: {one.how}' if one.n >= MEASURABLE_ROWS else few}"


def _beyond_controls(found: Compared, encoders: Mapping[str, Any]) -> Iterator[Claim]:
    """How much more an encoder is like the language model than its random control is, over the same classes."""
    from scipy import stats

    for (encoder, control), measure in itertools.product(controls(list(encoders)), m.MEASURES):
        one, other = (found[measure, name, LANGUAGE_MODEL] for name in (encoder, control))
        value, spread = one.value - other.value, variance_of(one.moves - other.moves) ** 0.5
        reach = t_reach(one.n - 1) * spread
        chance = one.chance - other.chance  # Procrustes: that of the wider features is higher
        p = float(2 * stats.t.sf(abs(value - chance) / max(spread, 1e-12), one.n - 1))
        estimate = Estimate(
            value=value,
            low=value - reach,
            high=value + reach,
            chance=chance,
            p=p if one.n >= MEASURABLE_ROWS else np.nan,
            n=one.n,
            n_clusters=one.n,
            method="delete-one jackknife of the difference over classes, Student's t; p: each less its chance",
        )
        yield Claim(encoder, CLASSES, measure + WITH, control, estimate)


def controls(encoders: Sequence[str]) -> list[tuple[str, str]]:
    """Each encoder that has a random control among them, by its name, with that control."""
    trained = [name for name in encoders if not is_random(name)]
    return [(encoder, control) for encoder in trained for control in encoders if is_control(control, encoder)]


def stitching(losses: Mapping[str, Sequence[StitchingLoss]]) -> list[Claim]:
    """The validation loss of each encoder's fits, mean over seeds, then less that of its random control."""
    levels = [_level(encoder, fits) for encoder, fits in losses.items()]
    return [*levels, *_corrected(_lower(a, b, losses) for a, b in controls(list(losses)))]


def _level(encoder: str, fits: Sequence[StitchingLoss]) -> Claim:
    values, n = np.array([one.loss for one in fits]), len(fits)
    reach = t_reach(n - 1) * float(values.std(ddof=1)) / n**0.5 if n > 1 else np.nan
    value = float(values.mean())
    how = "Student's t over seeds" if n > 1 else "one seed: no interval"
    method = f"{how}; no chance level: it would take fits on shuffled pictures"
    estimate = Estimate(value, value - reach, value + reach, n=fits[0].n, n_clusters=n, n_seeds=n, method=method)
    return Claim(encoder, FITS, STITCHING, None, estimate)


def _lower(encoder: str, control: str, losses: Mapping[str, Sequence[StitchingLoss]]) -> Claim:
    from scipy import stats

    a, b = ([one.loss for one in losses[name]] for name in (encoder, control))
    n = min(len(a), len(b))
    value, low, high, p = float(np.mean(a) - np.mean(b)), np.nan, np.nan, np.nan
    if n > 1:
        tested = stats.ttest_ind(a, b, equal_var=False)
        (low, high), p = map(float, tested.confidence_interval()), float(tested.pvalue)
    method = "Welch's t over seeds" if n > 1 else "one seed: no interval"
    estimate = Estimate(value, low, high, 0.0, p, n=losses[encoder][0].n, n_clusters=n, n_seeds=n, method=method)
    return Claim(encoder, FITS, STITCHING, control, estimate)


def _corrected(claims: Iterator[Claim]) -> list[Claim]:
    """The same claims with q over all of them."""
    rows = list(claims)
    q = false_discovery([c.estimate.p for c in rows])
    return [replace(c, estimate=replace(c.estimate, q=float(one))) for c, one in zip(rows, q, strict=True)]
