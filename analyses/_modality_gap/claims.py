"""From pictures and captions to claims: how near matched ones are, how far the clouds, and what adapters change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from concepttransfer.features.pairs import Aligned
from concepttransfer.statistics import MEASURABLE_ROWS, Estimate, Floats, permutation_p
from concepttransfer.statistics.claims import ABOVE, CHANCE, Claim, corrected, is_control, is_random
from concepttransfer.statistics.resampling import Ratio, Sampled, resample

from .cosines import Cosines, among, cosines
from .distance import gap
from .moves import NONE, Move, moved

MATCHED = "cosine of pictures with their captions"
OTHERS = "cosine of pictures with captions of others"
CAPTIONS = "cosine of captions of different pictures"
PICTURES = "cosine of different pictures"
KEPT = "cosine of captions before and after"
NEAREST = "captions whose nearest picture is theirs"
DISTANCE = "distance of the centroids"
SHARE = "share of the variance that the distance makes"


@dataclass(frozen=True)
class Settings:
    """How claims are found: the adapters, resamples, permutations, and the seed of all draws."""

    moves: Sequence[Move]
    n_resamples: int
    n_permutations: int
    seed: int


@dataclass(frozen=True)
class Seen:
    """One encoder's numbers under one adapter: rows are pictures, and random directions are averaged over.

    Attributes:
        cosines: as `cosines.Cosines`.
        kept: [n] mean cosine of a picture's captions before and after.
    """

    cosines: Cosines
    kept: Floats


def look(aligned: Aligned, elsewhere: Aligned | None, settings: Settings) -> dict[str, Seen]:
    """What each adapter makes of the captions, by its name."""
    n = len(aligned.row_ids)
    rng = np.random.default_rng([settings.seed, n])
    permutations = np.array([rng.permutation(n) for _ in range(settings.n_permutations)])
    return {move.name: _seen(move, aligned, elsewhere, permutations, settings.seed) for move in settings.moves}


def _seen(move: Move, aligned: Aligned, elsewhere: Aligned | None, permutations: np.ndarray, seed: int) -> Seen:
    each = []
    for captions in moved(move, aligned, elsewhere, seed):
        kept = aligned.mean_over_captions(np.einsum("md,md->m", captions, aligned.captions))
        each.append(Seen(cosines(aligned.pictures, captions, aligned, permutations), kept))
    parts = {
        name: np.mean([getattr(one.cosines, name) for one in each], axis=0)
        for name in ("matched", "others", "nearest", "null_matched", "null_nearest")
    }
    return Seen(Cosines(**parts), np.mean([one.kept for one in each], axis=0))


def claims(encoders: Mapping[str, tuple[Aligned, dict[str, Seen]]], settings: Settings) -> list[Claim]:
    """Every claim about every encoder, over the same pictures; q is over the claims about one adapter."""
    ratios = {
        (name, move, measure): Ratio(values[None], np.ones((1, len(values))), low, high)
        for name, (aligned, seen) in encoders.items()
        for move, measure, values, low, high in _numbers(aligned, seen)
    }
    n = len(next(iter(encoders.values()))[0].row_ids)
    drawn = resample(list(ratios.values()), np.arange(n), n_resamples=settings.n_resamples, seed=settings.seed)
    sampled = dict(zip(ratios, drawn, strict=True))
    rng = np.random.default_rng([settings.seed, 1])
    signs = rng.choice((-1.0, 1.0), size=(settings.n_resamples, n))
    found = [claim for name, (_, seen) in encoders.items() for claim in _about(name, seen, sampled, settings)]
    effects = [claim for name, (_, seen) in encoders.items() for claim in _effects(name, list(seen), sampled, signs)]
    between = [claim for name in encoders for claim in _beyond_control(name, list(encoders), sampled, signs)]
    apart = [claim for name, (aligned, _) in encoders.items() for claim in _apart(name, aligned, settings)]
    return [*_by_group([*found, *apart]), *_by_group(effects), *corrected(between)]


def _by_group(listed: Sequence[Claim]) -> list[Claim]:
    """The claims with q: a family is about one adapter, and holds each claim once, plainly or less chance."""
    families: dict[tuple[str, bool], list[Claim]] = {}
    for claim in listed:
        is_change_of_surplus = claim.against == NONE and claim.measure.endswith(ABOVE)
        families.setdefault((claim.group, is_change_of_surplus), []).append(claim)
    return [claim for family in families.values() for claim in corrected(family)]


def _numbers(aligned: Aligned, seen: Mapping[str, Seen]) -> Iterator[tuple[str, str, Floats, float, float]]:
    """A number a picture of each adapter and measure, and between what their mean lies."""
    for move, one in seen.items():
        yield move, MATCHED, one.cosines.matched, -1.0, 1.0
        yield move, OTHERS, one.cosines.others, -1.0, 1.0
        yield move, MATCHED + ABOVE, one.cosines.matched - one.cosines.others, -2.0, 2.0
        yield move, NEAREST, one.cosines.nearest, 0.0, 1.0
        yield move, KEPT, one.kept, -1.0, 1.0
    yield NONE, CAPTIONS, among(aligned.mean_over_captions(aligned.captions)), -1.0, 1.0
    yield NONE, PICTURES, among(aligned.pictures), -1.0, 1.0


Drawn = Mapping[tuple[str, str, str], Sampled]
"""(encoder, adapter, measure) -> how it comes out on resampled pictures."""


def _about(name: str, seen: Mapping[str, Seen], sampled: Drawn, settings: Settings) -> Iterator[Claim]:
    """Levels, with chance and p from captions given to drawn pictures."""
    by_chance = "captions given to other pictures"
    for (system, move, measure), drawn in sampled.items():
        if system != name:
            continue
        one = seen[move].cosines
        if measure == MATCHED:
            p = permutation_p(drawn.value, one.null_matched)
            chance = sampled[name, move, OTHERS].value
            yield Claim(name, move, measure, None, _estimate(drawn, settings.n_resamples, chance, p, by_chance))
        elif measure == MATCHED + ABOVE:
            p = permutation_p(sampled[name, move, MATCHED].value, one.null_matched)
            yield Claim(name, move, measure, CHANCE, _estimate(drawn, settings.n_resamples, 0.0, p, by_chance))
        elif measure == NEAREST:
            p = permutation_p(drawn.value, one.null_nearest)
            chance = 1 / drawn.n
            yield Claim(name, move, measure, None, _estimate(drawn, settings.n_resamples, chance, p, by_chance))
        elif measure != KEPT or move != NONE:
            yield Claim(name, move, measure, None, _estimate(drawn, settings.n_resamples))


def _effects(name: str, listed: Sequence[str], sampled: Drawn, signs: Floats) -> Iterator[Claim]:
    """What an adapter adds to the same pictures' numbers without it."""
    for move in listed:
        for measure in (MATCHED, MATCHED + ABOVE, NEAREST) if move != NONE else ():
            difference = sampled[name, move, measure] - sampled[name, NONE, measure]
            yield Claim(name, move, measure, NONE, _difference(difference, signs))


def _beyond_control(name: str, names: Sequence[str], sampled: Drawn, signs: Floats) -> Iterator[Claim]:
    """What an encoder has beyond its random control, on the same pictures."""
    controls = [other for other in names if is_control(other, name) and other != name and not is_random(name)]
    for control in sorted(controls, key=len)[-1:]:
        for measure in (MATCHED + ABOVE, NEAREST):
            difference = sampled[name, NONE, measure] - sampled[control, NONE, measure]
            yield Claim(name, NONE, measure, control, _difference(difference, signs))


def _apart(name: str, aligned: Aligned, settings: Settings) -> Iterator[Claim]:
    found = gap(aligned, settings.n_permutations, np.random.default_rng([settings.seed, 2]))
    yield Claim(name, NONE, DISTANCE, None, found.distance)
    yield Claim(name, NONE, SHARE, None, found.share)


def _difference(sampled: Sampled, signs: Floats) -> Estimate:
    p = sampled.p_zero(np.random.default_rng(0), signs)
    return _estimate(sampled, len(signs), 0.0, p, "the two swapped by picture")


def _estimate(sampled: Sampled, n_resamples: int, chance: float = np.nan, p: float = np.nan, how: str = "") -> Estimate:
    low, high = sampled.interval()
    enough = sampled.n >= MEASURABLE_ROWS
    said = f"; p: {how}" if how and enough else "" if enough else f"; no p: fewer than {MEASURABLE_ROWS} pictures"
    wide = "Student's t" if sampled.is_difference else "BCa"
    return Estimate(
        value=sampled.value,
        low=low,
        high=high,
        chance=chance,
        p=p if enough else np.nan,
        n=sampled.n,
        n_clusters=sampled.n,
        method=f"pictures resampled {n_resamples} times, {wide}{said}",
    )
