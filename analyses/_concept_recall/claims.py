"""From what is said and what is true to claims: each measure of each group of words, beside chance and control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from concepttransfer.statistics import MEASURABLE_ROWS, Estimate, Floats, false_discovery
from concepttransfer.statistics.claims import ABOVE, CHANCE, Claim
from concepttransfer.statistics.resampling import Sampled, p_zeros, resample

from .._caption_scores.claims import control
from .presence import Measured, Said, measured

REFERENCE = "one reference"
"""The system that is the first reference caption of each picture, scored against its other references."""
_BLOCK = 1 << 27
"""Bytes of the arrays that are resampled at a time."""

Groups = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class _Drawn:
    """One measure of one system after resampling."""

    level: Sampled
    surplus: Sampled
    chance: float


def claims(
    systems: Sequence[Said],
    groups: Groups,
    categories: Sequence[str],
    *,
    n_resamples: int,
    seed: int,
    method: str,
) -> list[Claim]:
    """Every claim about each system and about each encoder beside its random control, with q.

    Args:
        systems: what each says of the pictures.
        groups: the words of each group: kinds, categories, single words.
        categories: the groups for which any word of the category counts too.
        n_resamples: resamples of each interval and draws of each p.
        seed: of all draws.
        method: what is added to each claim's method, such as the tagger.
    """
    made: list[Claim] = []
    rng = np.random.default_rng([seed, 1])
    n_rows = len(systems[0].true)
    signs = rng.choice((-1.0, 1.0), size=(n_resamples, n_rows))
    for some in _blocks(systems, groups):
        of_categories = [name for name in categories if name in some]
        places = [list(categories).index(name) for name in of_categories]
        found = {
            one.system: measured(
                replace(one, true_any=one.true_any[:, places], said_any=one.said_any[..., places]), some, of_categories
            )
            for one in systems
        }
        drawn = _draw(found, systems, n_resamples, seed)
        made += _about(drawn, signs, method)
    return _with_q(made)


def _blocks(systems: Sequence[Said], groups: Groups) -> Iterator[Groups]:
    """Groups that are resampled together: as many as fit the memory."""
    cells = sum(one.said.shape[0] * one.said.shape[1] for one in systems)
    size = max(1, _BLOCK // (cells * 8 * 12))
    names = list(groups)
    for start in range(0, len(names), size):
        yield {name: groups[name] for name in names[start : start + size]}


def _draw(
    found: Mapping[str, Sequence[Measured]], systems: Sequence[Said], n: int, seed: int
) -> dict[tuple[str, str, str], _Drawn]:
    """Resample everything at once, so that systems over the same pictures meet the same pictures.

    What is above chance is a difference, and as nearly symmetric: BCa would hold chance in 90 % for missed words.
    """
    drawn: dict[tuple[str, str, str], _Drawn] = {}
    for rows in dict.fromkeys(len(one.rows) for one in systems):
        mine = [(one.system, x) for one in systems if len(one.rows) == rows for x in found[one.system]]
        ratios = [ratio for _, x in mine for ratio in (x.level, x.surplus)]
        sampled = resample(ratios, np.arange(rows), n_resamples=n, seed=seed)
        for place, (system, x) in enumerate(mine):
            above = replace(sampled[2 * place + 1], is_difference=True)
            drawn[system, x.group, x.measure] = _Drawn(sampled[2 * place], above, x.chance)
    return drawn


def _about(drawn: Mapping[tuple[str, str, str], _Drawn], signs: Floats, method: str) -> Iterator[Claim]:
    """Levels and what is above chance; the reference system has no p: it is no claim."""
    tested = [key for key in drawn if key[0] != REFERENCE]
    p = dict(zip(tested, p_zeros([drawn[key].surplus for key in tested], signs), strict=True))
    about = "; p: what is above chance with the sign of each picture drawn"
    for key, one in drawn.items():
        system, group, measure = key
        how = f"; chance: captions shuffled over pictures{about if key in p else ''}; {method}"
        level = _estimate(one.level, one.chance, p.get(key, np.nan), len(signs), how)
        yield Claim(system, group, measure, None, level)
        if key in p:
            surplus = _estimate(one.surplus, 0.0, p[key], len(signs), how)
            yield Claim(system, group, measure, CHANCE, surplus)
    yield from _differences(drawn, signs, method)


def _differences(drawn: Mapping[tuple[str, str, str], _Drawn], signs: Floats, method: str) -> Iterator[Claim]:
    """Each encoder less its random control, for kinds and categories; single words are only compared with chance."""
    names = list(dict.fromkeys(key[0] for key in drawn))
    pairs = {
        (system, other, group, measure): (drawn[system, group, measure], drawn[other, group, measure])
        for system, group, measure in drawn
        if group.count("/") < 2 and (other := control(system, names)) and (other, group, measure) in drawn
    }
    for what in ("level", "surplus"):
        differences = [getattr(a, what) - getattr(b, what) for a, b in pairs.values()]
        p = p_zeros(differences, signs)
        for n, ((system, other, group, measure), (a, b)) in enumerate(pairs.items()):
            chance = a.chance - b.chance if what == "level" else 0.0
            how = f"; p: the two swapped by picture; {method}"
            named = measure if what == "level" else measure + ABOVE
            yield Claim(system, group, named, other, _estimate(differences[n], chance, p[n], len(signs), how))


def _estimate(sampled: Sampled, chance: float, p: float, n_resamples: int, how: str) -> Estimate:
    low, high = sampled.interval()
    wide = "Student's t" if sampled.is_difference else "BCa"
    method = f"pictures{' and seeds' if sampled.n_seeds > 1 else ''} resampled {n_resamples} times, {wide}"
    if "; p:" in how and not np.isfinite(p):
        few = f"; no p: {sampled.n} pictures, where {MEASURABLE_ROWS} are needed"
        how = (few if sampled.n < MEASURABLE_ROWS else "; no p: not known for each seed") + how[how.rindex("; ") :]
    return Estimate(
        value=sampled.value,
        low=low,
        high=high,
        chance=chance,
        p=p,
        n=sampled.n,
        n_clusters=sampled.n,
        n_seeds=sampled.n_seeds,
        method=method + how,
    )


def _with_q(made: Sequence[Claim]) -> list[Claim]:
    """The same claims with q, over three families: words, kinds and categories, differences.

    What is tested once counts once, though it is said of a level and of its surplus.
    """
    families: dict[str, dict[tuple[str, ...], float]] = {}
    keys = [_family_and_key(claim) for claim in made]
    for (family, key), claim in zip(keys, made, strict=True):
        if np.isfinite(claim.estimate.p):
            families.setdefault(family, {})[key] = claim.estimate.p
    q = {
        family: dict(zip(tests, false_discovery(list(tests.values())), strict=True))
        for family, tests in families.items()
    }
    return [
        replace(claim, estimate=replace(claim.estimate, q=float(q[family][key])))
        if np.isfinite(claim.estimate.p)
        else claim
        for (family, key), claim in zip(keys, made, strict=True)
    ]


def _family_and_key(claim: Claim) -> tuple[str, tuple[str, ...]]:
    if claim.against not in (None, CHANCE):
        return "differences", (claim.system, claim.group, claim.measure, str(claim.against))
    family = "words" if claim.group.count("/") == 2 else "groups"
    return family, (claim.system, claim.group, claim.measure)
