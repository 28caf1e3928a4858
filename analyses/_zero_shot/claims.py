"""From names given to pictures to claims: accuracies, calibration, what templates add, differences between encoders."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from concepttransfer.statistics import LEVEL, MEASURABLE_CLUSTERS, MEASURABLE_ROWS, Estimate, Floats, permutation_p
from concepttransfer.statistics.claims import ABOVE, CHANCE, Claim, corrected, is_random
from concepttransfer.statistics.resampling import Ratio, resample

from .._awa_errors import estimates as est
from .._linear_probe.claims import CONCEPTS_PERMUTED, SIGNS, SWAPPED, names_p, of_names
from .calibration import N_BINS, Calibration
from .named import FIVE, Codes, Named

TOP1, TOP5, PER_CLASS = "top-1", "top-5", "mean per class"
SINGLE, ENSEMBLE = "top-1, one template alone", "templates one by one"
ERROR = "calibration error"

Drawn = Mapping[tuple[str, str], est.Drawn]


def claims(
    all_named: Sequence[Named], calibrations: Sequence[Calibration], *, n_resamples: int, seed: int
) -> list[Claim]:
    """Every claim about each encoder and each pair, with q over the tests of chance and over the differences.

    Args:
        all_named: of each encoder, over the same pictures.
        calibrations: of each.
        n_resamples: resamples of each interval and permutations of each p.
        seed: of all draws.
    """
    rng = np.random.default_rng([seed, 1])
    measured = {(one.encoder, measure): found for one in all_named for measure, found in _measures(one)}
    ratios = [ratio for one in measured.values() for ratio in (one.level, one.surplus)]
    sampled = resample(ratios, all_named[0].truth, n_resamples=n_resamples, seed=seed)
    drawn = {
        key: est.Drawn(level, surplus, one.chance)
        for (key, one), level, surplus in zip(measured.items(), sampled[::2], sampled[1::2], strict=True)
    }
    about = [claim for one in all_named for claim in _about_one(one, drawn, n_resamples, rng)]
    about += [c for one, found in zip(all_named, calibrations, strict=True) for c in _calibrated(one, found)]
    between = [c for a, b in _pairs(all_named) for c in _about_two(a, b, drawn, n_resamples, rng)]
    return [*corrected(about), *corrected(between)]


def per_class(right: Floats, truth: Codes, chance: float) -> est.Measured:
    """Accuracy where every class counts alike, whatever its number of pictures.

    Args:
        right: [n_seeds, n] 0 or 1.
        truth: [n] codes of classes.
        chance: the level by chance.
    """
    codes = np.unique(truth, return_inverse=True)[1]
    weight = np.broadcast_to(1 / (np.bincount(codes)[codes] * (codes.max() + 1)), right.shape)
    return est.Measured(Ratio(weight * right, weight, 0, 1), Ratio(weight * (right - chance), weight, -1, 1), chance)


def _measures(one: Named) -> Iterator[tuple[str, est.Measured]]:
    yield TOP1, of_names(one.top1)
    if one.n_classes > FIVE:
        yield TOP5, of_names(one.top5)
    here = np.unique(one.truth)
    chance = float(np.isin(one.first[:, 0], here).mean() / len(here))
    yield PER_CLASS, per_class(one.right[None].astype(np.float64), one.truth, chance)
    if len(one.by_template):
        mean, every = one.by_template.mean(axis=0)[None], np.ones((1, len(one.truth)))
        chance = 1 / one.n_classes
        yield SINGLE, est.Measured(Ratio(mean, every, 0, 1), Ratio(mean - chance, every, -1, 1), chance)


def _about_one(one: Named, drawn: Drawn, n: int, rng: np.random.Generator) -> Iterator[Claim]:
    for (encoder, measure), found in drawn.items():
        if encoder != one.encoder:
            continue
        tested = (found.surplus.p_zero(rng), SIGNS)
        if measure in (TOP1, TOP5):
            tested = (names_p(one.top1 if measure == TOP1 else one.top5, n, rng), CONCEPTS_PERMUTED)
        yield from est.claim_twice(found.level, (encoder, measure, None), found.chance, tested, n)
        yield from est.claim_twice(found.surplus, (encoder, measure, CHANCE), 0.0, tested, n)
    if (one.encoder, SINGLE) in drawn:
        gain = drawn[one.encoder, TOP1].level - drawn[one.encoder, SINGLE].level
        yield from est.claim_twice(gain, (one.encoder, TOP1, ENSEMBLE), 0.0, (gain.p_zero(rng), SIGNS), n)


def _about_two(one: Named, other: Named, drawn: Drawn, n: int, rng: np.random.Generator) -> Iterator[Claim]:
    for measure in (TOP1, TOP5, PER_CLASS):
        if (one.encoder, measure) in drawn:
            found = drawn[one.encoder, measure] - drawn[other.encoder, measure]
            tested = (found.surplus.p_zero(rng), SWAPPED)
            about = (one.encoder, measure, other.encoder)
            yield from est.claim_twice(found.level, about, found.chance, tested, n)
            above = (one.encoder, measure + ABOVE, other.encoder)
            yield from est.claim_twice(found.surplus, above, 0.0, tested, n)


def _pairs(all_named: Sequence[Named]) -> list[tuple[Named, Named]]:
    """Every two encoders, in the order given, a random one second."""
    found = itertools.combinations(all_named, 2)
    return [(b, a) if is_random(a.encoder) and not is_random(b.encoder) else (a, b) for a, b in found]


def _calibrated(one: Named, found: Calibration) -> Iterator[Claim]:
    """The calibration error, and what of it is above that of a calibrated classifier, for both groups.

    An error is a sum of distances, which no resample makes smaller by as much as others make it larger; so its interval
    is the spread of the draws times Student's t, not their quantiles.
    """
    from scipy import stats

    n, n_classes = len(one.truth), len(np.unique(one.truth))
    known = n >= MEASURABLE_ROWS and n_classes >= MEASURABLE_CLUSTERS
    p = permutation_p(found.error, found.by_chance)
    for unit, group in est.GROUPS.items():
        moved, units = (found.whole, n_classes) if unit == "classes" else (found.pictures, n - n_classes + 1)
        half = np.nan
        if units > 1:
            stretch = np.sqrt(units / (units - 1)) if unit == "classes" else 1.0
            half = float(stats.t.ppf((1 + LEVEL) / 2, units - 1) * stretch * moved.std())
        drawn = "classes" if unit == "classes" else "pictures within these classes"
        method = f"{N_BINS} bins; {drawn} resampled {len(moved)} times, Student's t"
        tested = known and unit == "classes"
        method += "; p: right as often as its probabilities say" if tested else ""
        for against, value, chance in ((None, found.error, found.floor), (CHANCE, found.error - found.floor, 0.0)):
            low = value - half if against else max(value - half, 0.0) if half == half else np.nan
            high = min(value + half, 1.0) if half == half else np.nan
            estimate = Estimate(
                value, low, high, chance, p if tested else np.nan, n=n, n_clusters=n_classes, method=method
            )
            yield Claim(one.encoder, group, ERROR, against, estimate)
