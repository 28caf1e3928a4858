"""From predictions to claims: zero-shot and probes, each beside chance; their differences; where curves cross."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from concepttransfer.statistics import Estimate
from concepttransfer.statistics.claims import ABOVE, CHANCE, Claim, corrected
from concepttransfer.statistics.resampling import resample

from .._awa_errors import estimates as est
from .._linear_probe.claims import CONCEPTS_PERMUTED, SWAPPED, naming, of_names
from .._linear_probe.claims import names_p as p_of_names
from .._linear_probe.classes import Codes
from .crossing import Crossing, crossing
from .said import Said

ZERO_SHOT, PROBE = "zero-shot", "probe"
CROSSING = "pictures of a class to equal zero-shot"


def few(shots: int) -> str:
    """The measure of a probe on so many training pictures of a class."""
    return f"{PROBE}, {shots} {'shot' if shots == 1 else 'shots'}"


def against(encoder: str) -> str:
    """How a claim names the probe that it compares with."""
    return f"{PROBE} on {encoder}"


class Met(NamedTuple):
    """All that is said of one data set."""

    claims: list[Claim]
    crossings: dict[tuple[str, str], Crossing]


def claims(mine: Sequence[Said], *, n_resamples: int, seed: int) -> Met:
    """Every claim about one data set, with q over the tests of chance and over the differences.

    Args:
        mine: of each encoder, over the same pictures.
        n_resamples: resamples of each interval and permutations of each p.
        seed: of all draws.

    Returns:
        The claims; and by zero-shot encoder and probed encoder, where the few-shot curve reaches zero-shot.
    """
    rng = np.random.default_rng([seed, 1])
    names = {(one.encoder, m): said for one in mine for m, said in _said(one)}
    truth, n_classes = mine[0].truth, len(mine[0].names)
    namings = {key: naming(key[0], truth, said, n_classes) for key, said in names.items()}
    measured = {key: of_names(one) for key, one in namings.items()}
    ratios = [ratio for one in measured.values() for ratio in (one.level, one.surplus)]
    sampled = resample(ratios, truth, n_resamples=n_resamples, seed=seed)
    drawn = {
        key: est.Drawn(level, surplus, one.chance)
        for (key, one), level, surplus in zip(measured.items(), sampled[::2], sampled[1::2], strict=True)
    }
    about: list[Claim] = []
    for key, found in drawn.items():
        tested = (p_of_names(namings[key], n_resamples, rng), CONCEPTS_PERMUTED)
        about += est.claim_twice(found.level, (*key, None), found.chance, tested, n_resamples)
        about += est.claim_twice(found.surplus, (*key, CHANCE), 0.0, tested, n_resamples)
    between: list[Claim] = []
    crossings = {}
    for clip in (one for one in mine if one.zero_shot is not None):
        for probed in mine:
            between += _difference(clip.encoder, probed.encoder, drawn, n_resamples, rng)
            if probed.few:
                found_at = _crossing(clip.encoder, probed, drawn)
                crossings[clip.encoder, probed.encoder] = found_at
                between += _claims_of(found_at, clip.encoder, probed, n_resamples)
    return Met([*corrected(about), *corrected(between)], crossings)


def _said(one: Said) -> Iterator[tuple[str, Codes]]:
    """Predictions [n_draws, n] by measure."""
    if one.zero_shot is not None:
        yield ZERO_SHOT, one.zero_shot[None]
    yield PROBE, one.probe[None]
    for shots, said in one.few.items():
        yield few(shots), said


def _difference(
    clip: str, probed: str, drawn: Mapping[tuple[str, str], est.Drawn], n: int, rng: np.random.Generator
) -> Iterator[Claim]:
    found = drawn[clip, ZERO_SHOT] - drawn[probed, PROBE]
    tested = (found.surplus.p_zero(rng), SWAPPED)
    yield from est.claim_twice(found.level, (clip, ZERO_SHOT, against(probed)), found.chance, tested, n)
    yield from est.claim_twice(found.surplus, (clip, ZERO_SHOT + ABOVE, against(probed)), 0.0, tested, n)


def _crossing(clip: str, probed: Said, drawn: Mapping[tuple[str, str], est.Drawn]) -> Crossing:
    """Classes (and draws of training pictures) are resampled for both alike."""
    measures = [*(few(shots) for shots in probed.few), PROBE]
    shots = np.array([*probed.few, max(probed.n_training, 1.01 * max(probed.few))])
    levels = [drawn[probed.encoder, measure].level for measure in measures]
    zero = drawn[clip, ZERO_SHOT].level
    curve = np.array([one.value for one in levels])
    curves = np.stack([one.value + one.whole + one.seeds for one in levels], axis=1)
    return crossing(shots, curve, zero.value, curves, zero.value + zero.whole)


def _claims_of(found: Crossing, clip: str, probed: Said, n: int) -> Iterator[Claim]:
    where = {-1: "; reached with the fewest", 1: "; not reached with all", 0: ""}[found.side]
    estimate = Estimate(
        found.value,
        found.low,
        found.high,
        n=len(probed.truth),
        n_clusters=len(np.unique(probed.truth)),
        n_seeds=len(next(iter(probed.few.values()))),
        method=f"interpolated on log2 of the number; classes and draws resampled {n} times, percentiles{where}",
    )
    yield Claim(clip, est.GROUPS["classes"], CROSSING, against(probed.encoder), estimate)
