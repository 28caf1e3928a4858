"""From names given to pictures to claims: levels, differences between encoders, each with interval, chance, p and q."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from concepttransfer.statistics import (
    MEASURABLE_CLUSTERS,
    MEASURABLE_ROWS,
    Estimate,
    Floats,
    permutation_p,
)
from concepttransfer.statistics.claims import ABOVE, CHANCE, Claim, corrected, is_random
from concepttransfer.statistics.resampling import Ratio, Sampled, Unit, resample

from .chance import Naming, WrongNames
from .confusions import relabelled, renamed

RIGHT, ANY, WUP = "named right", "named any", "Wu-Palmer of wrong names"
OVERLAP, JACCARD = "attribute overlap of wrong names", "Jaccard overlap of wrong names"
COMPARED = (WUP, OVERLAP)
"""Measures of errors in which encoders are compared; Jaccard overlap says what overlap says, and is a level only."""
BOTH = ", where both are wrong"
UNIFORM, COMMONEST = "uniform", "commonest class"
GROUPS: dict[Unit, str] = {"classes": "classes like these", "pictures": "these classes"}
PAIR_DRAWS = 100


@dataclass(frozen=True)
class Measured:
    """One measure of one encoder before resampling.

    Attributes:
        level: what is measured.
        surplus: the same less chance, as a mean of rows.
        chance: the level by chance.
    """

    level: Ratio
    surplus: Ratio
    chance: float


@dataclass(frozen=True)
class Drawn:
    """One measure of one encoder after resampling; the difference of two is one as well."""

    level: Sampled
    surplus: Sampled
    chance: float

    def __sub__(self, other: Drawn) -> Drawn:
        return Drawn(self.level - other.level, self.surplus - other.surplus, self.chance - other.chance)


Key = tuple[str, ...]


def claims(
    namings: Sequence[Naming],
    errors: Sequence[WrongNames],
    similarities: Mapping[str, Floats],
    *,
    n_resamples: int,
    seed: int,
) -> list[Claim]:
    """Every claim about each encoder and about each pair, with q over the tests of chance and over the differences.

    Args:
        namings: of each encoder, over the same pictures.
        errors: the wrong names of each.
        similarities: measure -> [n, n] of a true and a said concept.
        n_resamples: resamples of each interval and permutations of each p.
        seed: of all draws.
    """
    rng = np.random.default_rng([seed, 1])
    measured = dict(item for pair in zip(namings, errors, strict=True) for item in _measure(*pair, similarities))
    for a, b in pairs(namings):
        measured |= _measure_where_both(a, b, similarities, seed)
    drawn, named_any = _draw(measured, namings, n_resamples, seed)
    p = _chance_p(namings, errors, similarities, n_resamples, rng)
    about = [c for naming in namings for c in _about_one(naming.system, named_any, drawn, p, n_resamples)]
    between = [c for a, b in pairs(namings) for c in _about_two(a.system, b.system, drawn, n_resamples, rng)]
    return [*corrected(about), *corrected(between)]


def pairs(namings: Sequence[Naming]) -> list[tuple[Naming, Naming]]:
    """Every two encoders, in the order given, a random one second."""
    found = itertools.combinations(namings, 2)
    return [(b, a) if is_random(a.system) and not is_random(b.system) else (a, b) for a, b in found]


def _measure(naming: Naming, errors: WrongNames, similarities: Mapping[str, Floats]) -> Iterator[tuple[Key, Measured]]:
    every = np.ones(naming.right.shape)
    right = Ratio(naming.right.astype(np.float64), every, 0, 1)
    yield (naming.system, RIGHT), Measured(right, Ratio(naming.surplus, every, -1, 1), naming.chance)
    for measure, similarity in similarities.items():
        yield (naming.system, measure), _of_errors(errors, similarity)


def _of_errors(errors: WrongNames, similarity: Floats) -> Measured:
    level = Ratio(errors.values(similarity), errors.counted, 0, 1)
    return Measured(level, Ratio(errors.surplus(similarity), errors.counted, -1, 1), errors.chance(similarity))


def _measure_where_both(a: Naming, b: Naming, similarities: Mapping[str, Floats], seed: int) -> dict[Key, Measured]:
    """Each of the two over the pictures that both name wrongly; the first seed of one goes with that of the other."""
    n_seeds = min(len(a.wrong), len(b.wrong))
    both = a.wrong[:n_seeds] & b.wrong[:n_seeds]
    found: dict[Key, Measured] = {}
    for one, other in ((a, b), (b, a)):
        errors = WrongNames(one, both, seed=seed, n_draws=PAIR_DRAWS)
        for measure in filter(similarities.__contains__, COMPARED):
            found[one.system, other.system, measure + BOTH] = _of_errors(errors, similarities[measure])
    return found


def _draw(
    measured: Mapping[Key, Measured], namings: Sequence[Naming], n: int, seed: int
) -> tuple[dict[Key, Drawn], dict[str, Sampled]]:
    """Resample everything at once, so that all encoders meet the same classes and pictures."""
    ratios = [ratio for one in measured.values() for ratio in (one.level, one.surplus)]
    spoke = [Ratio((x.named >= 0).astype(np.float64), np.ones(x.named.shape), 0, 1) for x in namings]
    (*drawn,) = resample([*ratios, *spoke], namings[0].truth, n_resamples=n, seed=seed)
    found = zip(drawn[0 : len(ratios) : 2], drawn[1 : len(ratios) : 2], strict=True)
    each = {
        key: Drawn(level, surplus, one.chance)
        for (key, one), (level, surplus) in zip(measured.items(), found, strict=True)
    }
    return each, {naming.system: s for naming, s in zip(namings, drawn[len(ratios) :], strict=True)}


def _chance_p(
    namings: Sequence[Naming],
    errors: Sequence[WrongNames],
    similarities: Mapping[str, Floats],
    n: int,
    rng: np.random.Generator,
) -> dict[Key, float]:
    """p of each encoder's surplus, with the concepts' names, synsets or attribute rows permuted jointly."""
    permutations = rng.permuted(np.tile(np.arange(namings[0].n_concepts), (n, 1)), axis=1)
    mentioned = np.stack([(x.mentioned - x.mentioned_by_chance).mean(0) for x in namings])
    wrong = np.stack([x.observed - x.by_chance for x in errors])
    nulls = {RIGHT: (renamed(mentioned, permutations), np.trace(mentioned, axis1=1, axis2=2))}
    for measure, similarity in similarities.items():
        nulls[measure] = relabelled(similarity, wrong, permutations), (wrong * similarity).sum((1, 2))
    return {
        (naming.system, measure): permutation_p(float(observed[i]), null[:, i])
        for measure, (null, observed) in nulls.items()
        for i, naming in enumerate(namings)
    }


def _about_one(
    system: str, named_any: Mapping[str, Sampled], drawn: Mapping[Key, Drawn], p: Mapping[Key, float], n: int
) -> Iterator[Claim]:
    yield from claim_twice(named_any[system], (system, ANY, None), np.nan, (np.nan, ""), n)
    permuted = {RIGHT: "names", WUP: "synsets"}
    for measure, one in ((key[1], one) for key, one in drawn.items() if key[0] == system and len(key) == 2):
        tested = (p[system, measure], f"{permuted.get(measure, 'attribute rows')} permuted jointly")
        yield from claim_twice(one.level, (system, measure, None), one.chance, tested, n)
        yield from claim_twice(one.surplus, (system, measure, CHANCE), 0.0, tested, n)


def _about_two(one: str, other: str, drawn: Mapping[Key, Drawn], n: int, rng: np.random.Generator) -> Iterator[Claim]:
    """Each measure over each one's own errors, then over the pictures that both get wrong; p is of the surplus."""
    found = {m: drawn[one, m] - drawn[other, m] for m in (RIGHT, *COMPARED) if (one, m) in drawn}
    for measure in [m for m in COMPARED if m in found]:
        found[measure + BOTH] = drawn[one, other, measure + BOTH] - drawn[other, one, measure + BOTH]
    for measure, difference in found.items():
        tested = (difference.surplus.p_zero(rng), "the two swapped by class, each less its chance")
        yield from claim_twice(difference.level, (one, measure, other), difference.chance, tested, n)
        yield from claim_twice(difference.surplus, (one, measure + ABOVE, other), 0.0, tested, n)


def claim_twice(
    sampled: Sampled, about: tuple[str, str, str | None], chance: float, tested: tuple[float, str], n: int
) -> Iterator[Claim]:
    """A claim twice: for classes like these, with its p, and for these very classes."""
    system, measure, against = about
    for unit, group in GROUPS.items():
        p, how = tested if unit == "classes" and sampled.measurable else (np.nan, "")
        low, high = sampled.interval(unit)
        estimate = Estimate(
            value=sampled.value,
            low=low,
            high=high,
            chance=chance,
            p=p,
            n=sampled.n,
            n_clusters=sampled.n_clusters,
            n_seeds=sampled.n_seeds,
            method=_method(sampled, unit, how, n, wanted=unit == "classes" and bool(tested[1])),
        )
        yield Claim(system, group, measure, against, estimate)


def _method(sampled: Sampled, unit: Unit, how: str, n: int, *, wanted: bool) -> str:
    drawn = "classes, then pictures in them" if unit == "classes" else "pictures within these classes"
    how_wide = "Student's t" if sampled.is_difference else "BCa"
    method = f"{drawn}{', and seeds' if sampled.n_seeds > 1 else ''} resampled {n} times, {how_wide}"
    if wanted and not sampled.measurable:
        few = f"{sampled.n} pictures of {sampled.n_clusters} classes"
        method += f"; no p: {few}, where {MEASURABLE_ROWS} of {MEASURABLE_CLUSTERS} are needed"
    return method + (f"; p: {how}" if how else "")
