"""From what probes say of pictures to claims: levels, selectivity, differences between encoders, few-shot curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from concepttransfer.statistics import Floats, permutation_p
from concepttransfer.statistics.claims import ABOVE, CHANCE, Claim, corrected
from concepttransfer.statistics.resampling import Ratio, Sampled, resample

from .._awa_errors import estimates as est
from .._awa_errors.chance import Naming
from .._awa_errors.confusions import renamed
from .attributes import Found, Precisions
from .classes import SHOTS, Codes

ACCURACY = "accuracy"
CONTROL = "control task"
BY_CONTROL = ", control task"
CONCEPTS_PERMUTED = "names permuted jointly"
SIGNS = "the part of each class given a random sign"
SWAPPED = "the two swapped by class, each less its chance"


def few(shots: int) -> str:
    """The measure of accuracy with so many training pictures of a class."""
    return f"{ACCURACY}, {shots} {'shot' if shots == 1 else 'shots'}"


@dataclass(frozen=True)
class Probed:
    """All that one encoder's probes say of the same test pictures.

    Attributes:
        encoder: its name.
        naming: truth and predictions, one row of predictions a seed.
        few: for each number of shots the same, one row a draw (and seed).
        attributes: for each seed, by setting, of the attributes and of the control task.
    """

    encoder: str
    naming: Naming
    few: Mapping[int, Naming]
    attributes: Sequence[Found]


def naming(encoder: str, truth: Codes, predicted: Codes, n_concepts: int) -> Naming:
    """Predictions [n_seeds, n] as names given to pictures: exactly one each."""
    rows = np.arange(len(truth))
    return Naming(encoder, truth, predicted, tuple((rows, one) for one in predicted), n_concepts)


Drawn = Mapping[tuple[str, str], est.Drawn]
"""By encoder and measure; a control task's measures end in `BY_CONTROL`."""


def claims(probed: Sequence[Probed], *, n_resamples: int, seed: int) -> list[Claim]:
    """Every claim about each encoder and each pair, with q over the tests of chance and over the differences.

    Args:
        probed: of each encoder, over the same pictures.
        n_resamples: resamples of each interval and permutations of each p.
        seed: of all draws.
    """
    rng = np.random.default_rng([seed, 4])
    measured = {(one.encoder, measure): found for one in probed for measure, found in _measures(one)}
    drawn = _draw(measured, probed[0].naming.truth, n_resamples, seed)
    about = [claim for one in probed for claim in _about_one(one, drawn, n_resamples, rng)]
    pairs = est.pairs([one.naming for one in probed])
    between = [claim for a, b in pairs for claim in _about_two(a.system, b.system, drawn, n_resamples, rng)]
    return [*corrected(about), *corrected(between)]


def _measures(one: Probed) -> Iterator[tuple[str, est.Measured]]:
    yield ACCURACY, of_names(one.naming)
    for shots in SHOTS:
        if shots in one.few:
            yield few(shots), of_names(one.few[shots])
    for setting in one.attributes[0]:
        for which, suffix in enumerate(("", BY_CONTROL)):
            yield setting + suffix, _of_attributes([seed[setting][which] for seed in one.attributes])


def of_names(names: Naming) -> est.Measured:
    """The share named right; by chance the same names are given to other pictures."""
    every = np.ones(names.right.shape)
    level = Ratio(names.right.astype(np.float64), every, 0, 1)
    return est.Measured(level, Ratio(names.surplus, every, -1, 1), names.chance)


def _of_attributes(seeds: Sequence[Precisions]) -> est.Measured:
    """Average precision as a mean over pictures of what each adds to it: to first order, that is how it resamples."""
    counted = np.stack([one.tested for one in seeds]).astype(np.float64)
    chance = float(np.mean([np.nanmean(one.chance) if one.tested.any() else np.nan for one in seeds]))
    level = Ratio(np.stack([one.each for one in seeds]), counted, 0, 1)
    return est.Measured(level, Ratio(np.stack([one.surplus for one in seeds]), counted, -1, 1), chance)


def _draw(measured: Mapping[tuple[str, str], est.Measured], truth: Codes, n: int, seed: int) -> Drawn:
    """Resample everything at once, so that all encoders and control tasks meet the same classes and pictures."""
    ratios = [ratio for one in measured.values() for ratio in (one.level, one.surplus)]
    drawn = resample(ratios, truth, n_resamples=n, seed=seed)
    found = zip(measured.items(), drawn[::2], drawn[1::2], strict=True)
    return {key: est.Drawn(level, surplus, one.chance) for (key, one), level, surplus in found}


def _about_one(one: Probed, drawn: Drawn, n: int, rng: np.random.Generator) -> Iterator[Claim]:
    names = {ACCURACY: one.naming} | {few(shots): found for shots, found in one.few.items()}
    for (encoder, measure), found in drawn.items():
        if encoder != one.encoder:
            continue
        if measure in names:
            tested = (names_p(names[measure], n, rng), CONCEPTS_PERMUTED)
        else:
            tested = (found.surplus.p_zero(rng), SIGNS)
        yield from est.claim_twice(found.level, (encoder, measure, None), found.chance, tested, n)
        yield from est.claim_twice(found.surplus, (encoder, measure, CHANCE), 0.0, tested, n)
    for setting in one.attributes[0]:
        selective = drawn[one.encoder, setting] - drawn[one.encoder, setting + BY_CONTROL]
        yield from _difference(selective, (one.encoder, setting, CONTROL), n, rng)


def names_p(names: Naming, n: int, rng: np.random.Generator) -> float:
    """p of the accuracy's surplus, with the names of all classes permuted jointly."""
    permutations = rng.permuted(np.tile(np.arange(names.n_concepts), (n, 1)), axis=1)
    surplus: Floats = (names.mentioned - names.mentioned_by_chance).mean(0)
    return permutation_p(float(np.trace(surplus)), renamed(surplus[None], permutations)[:, 0])


def _about_two(one: str, other: str, drawn: Drawn, n: int, rng: np.random.Generator) -> Iterator[Claim]:
    measures = [m for system, m in drawn if system == one and not m.endswith(BY_CONTROL) and (other, m) in drawn]
    for measure in measures:
        yield from _difference(drawn[one, measure] - drawn[other, measure], (one, measure, other), n, rng)


def _difference(found: est.Drawn, about: tuple[str, str, str], n: int, rng: np.random.Generator) -> Iterator[Claim]:
    system, measure, against = about
    surplus: Sampled = found.surplus
    tested = (surplus.p_zero(rng), SWAPPED)
    yield from est.claim_twice(found.level, about, found.chance, tested, n)
    yield from est.claim_twice(surplus, (system, measure + ABOVE, against), 0.0, tested, n)
