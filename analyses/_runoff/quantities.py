"""From sums over pictures to claims: each quantity with interval, chance, p and q, and differences of two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from concepttransfer.statistics import MEASURABLE_ROWS, Estimate, Floats, false_discovery
from concepttransfer.statistics.claims import ABOVE, CHANCE, Claim
from concepttransfer.statistics.resampling import Ratio, Sampled, p_zeros, resample

Key = tuple[str, str, str]
"""System, group and measure."""
_AT_A_TIME = 64


@dataclass(frozen=True)
class Quantity:
    """One measure of one system for one group, before resampling.

    Attributes:
        system, group, measure: as estimates name them.
        level: what is measured, over the pictures.
        chance: what unrelated inputs would give; NaN where there is no such thing.
        surplus: the level less its chance, a ratio over the same pictures; None: the level itself, whose chance is 0.
        about: what chance is, in words.
        family: claims of one family share the correction of p.
    """

    system: str
    group: str
    measure: str
    level: Ratio
    chance: float = 0.0
    surplus: Ratio | None = None
    about: str = "chance: 0"
    family: str = "groups"

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.system, self.group, self.measure


@dataclass(frozen=True)
class Pair:
    """Two quantities whose difference is a claim: `against` is how estimates name the second."""

    first: Key
    second: Key
    against: str


@dataclass(frozen=True)
class _Drawn:
    quantity: Quantity
    level: Sampled
    surplus: Sampled | None

    @property
    def tested(self) -> Sampled | None:
        """What is held against 0; None where there is no chance."""
        if self.surplus is not None:
            return self.surplus
        return self.level if self.quantity.chance == 0 else None


def claims(quantities: Sequence[Quantity], pairs: Sequence[Pair], *, n_resamples: int, seed: int) -> list[Claim]:
    """Every claim, with q: levels, what is above chance, and the differences of pairs that are both there.

    Args:
        quantities: over the same pictures.
        pairs: which differences are claims.
        n_resamples: resamples of each interval and draws of each p.
        seed: of all draws.
    """
    known = [one for one in quantities if (one.level.denominator != 0).any()]
    if not known:
        return []
    drawn = _draw(known, n_resamples, seed)
    n_rows = known[0].level.numerator.shape[1]
    signs = np.random.default_rng([seed, 1]).choice((-1.0, 1.0), size=(n_resamples, n_rows))
    families: list[str] = []
    made: list[Claim] = []
    for family, claim in [*_levels(drawn, signs), *_differences(drawn, pairs, signs)]:
        families.append(family)
        made.append(claim)
    return _with_q(made, families)


def _draw(quantities: Sequence[Quantity], n_resamples: int, seed: int) -> dict[Key, _Drawn]:
    """Resample all with the same draws. What is held against 0 is as nearly symmetric as a difference."""
    found: dict[Key, _Drawn] = {}
    for start in range(0, len(quantities), _AT_A_TIME):
        some = quantities[start : start + _AT_A_TIME]
        ratios = [ratio for one in some for ratio in (one.level, one.surplus) if ratio is not None]
        rows = np.arange(ratios[0].numerator.shape[1])
        sampled = iter(resample(ratios, rows, n_resamples=n_resamples, seed=seed))
        for one in some:
            level = next(sampled)
            surplus = replace(next(sampled), is_difference=True) if one.surplus is not None else None
            if surplus is None and one.chance == 0:
                level = replace(level, is_difference=True)
            found[one.key] = _Drawn(one, level, surplus)
    return found


def _levels(drawn: Mapping[Key, _Drawn], signs: Floats) -> Iterator[tuple[str, Claim]]:
    held = {key: one.tested for key, one in drawn.items() if one.tested is not None}
    p = dict(zip(held, p_zeros(list(held.values()), signs), strict=True))
    for key, one in drawn.items():
        how = f"; {one.quantity.about}" + ("; p: the sign of each picture drawn" if key in p else "")
        level = _estimate(one.level, one.quantity.chance, p.get(key, np.nan), len(signs), how)
        yield one.quantity.family, Claim(*key, None, level)
        if one.surplus is not None:
            above = _estimate(one.surplus, 0.0, p[key], len(signs), how)
            yield one.quantity.family, Claim(*key, CHANCE, above)


def _differences(drawn: Mapping[Key, _Drawn], pairs: Sequence[Pair], signs: Floats) -> Iterator[tuple[str, Claim]]:
    there = [(pair, drawn[pair.first], drawn[pair.second]) for pair in pairs if {pair.first, pair.second} <= set(drawn)]
    for what in ("level", "surplus"):
        both = [(pair, a, b, getattr(a, what), getattr(b, what)) for pair, a, b in there]
        some = [(pair, a, b, x - y) for pair, a, b, x, y in both if x is not None and y is not None]
        p = p_zeros([difference for *_, difference in some], signs)
        for (pair, a, b, difference), one_p in zip(some, p, strict=True):
            chance = a.quantity.chance - b.quantity.chance if what == "level" else 0.0
            how = f"; {a.quantity.about}; p: the two swapped by picture"
            system, group, measure = pair.first
            named = measure if what == "level" else measure + ABOVE
            estimate = _estimate(difference, chance, one_p, len(signs), how)
            yield "differences", Claim(system, group, named, pair.against, estimate)


def _estimate(sampled: Sampled, chance: float, p: float, n_resamples: int, how: str) -> Estimate:
    low, high = sampled.interval()
    wide = "Student's t" if sampled.is_difference else "BCa"
    if "; p:" in how and not np.isfinite(p):
        few = f"{sampled.n} pictures, where {MEASURABLE_ROWS} are needed"
        how = how[: how.rindex("; p:")] + f"; no p: {few if sampled.n < MEASURABLE_ROWS else 'not known for each seed'}"
    return Estimate(
        value=sampled.value,
        low=low,
        high=high,
        chance=chance,
        p=p,
        n=sampled.n,
        n_clusters=sampled.n,
        n_seeds=sampled.n_seeds,
        method=f"pictures{' and seeds' if sampled.n_seeds > 1 else ''} resampled {n_resamples} times, {wide}{how}",
    )


def _with_q(made: Sequence[Claim], families: Sequence[str]) -> list[Claim]:
    """The same claims with q. What is tested once counts once, though it is said of a level and of its surplus."""
    keys = [
        (family, c.system, c.group, c.measure, "" if c.against == CHANCE else str(c.against or ""))
        for c, family in zip(made, families, strict=True)
    ]
    tested = {key: c.estimate.p for key, c in zip(keys, made, strict=True) if np.isfinite(c.estimate.p)}
    q: dict[tuple[str, ...], float] = {}
    for family in dict.fromkeys(families):
        mine = [key for key in tested if key[0] == family]
        q |= dict(zip(mine, false_discovery([tested[key] for key in mine]), strict=True))
    return [
        replace(c, estimate=replace(c.estimate, q=float(q[key]))) if key in q else c
        for key, c in zip(keys, made, strict=True)
    ]
