"""From searches to claims: recall both ways, median ranks, differences between encoders."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from concepttransfer.features.pairs import Aligned
from concepttransfer.statistics import MEASURABLE_ROWS, Estimate, Floats, bca, permutation_p
from concepttransfer.statistics.claims import ABOVE, CHANCE, Claim, corrected, is_random
from concepttransfer.statistics.resampling import Ratio, Sampled, resample

from .._awa_errors import estimates as est
from .search import AT, Ints, Search

CAPTIONS, PICTURES = "finds its caption", "found by its captions"
"""A picture that searches captions; captions that search pictures."""
GROUP = "all"
SIGNS = "the part of each picture given a random sign"
SWAPPED = "the two swapped by picture"
GIVEN = "captions given to other pictures"
BLOCK = 1 << 22


def recall(direction: str, k: int) -> str:
    """The measure of recall at k."""
    return f"recall@{k}, {direction}"


def median_rank(direction: str) -> str:
    """The measure of the median rank."""
    return f"median rank, {direction}"


@dataclass(frozen=True, eq=False)
class Searched:
    """Both searches of one encoder, over the same pictures as all others.

    Attributes:
        encoder: its name.
        pairs: what was compared.
        by_picture: pictures search captions.
        by_caption: captions search pictures.
    """

    encoder: str
    pairs: Aligned
    by_picture: Search
    by_caption: Search

    @cached_property
    def searches(self) -> dict[str, Search]:
        """By direction."""
        return {CAPTIONS: self.by_picture, PICTURES: self.by_caption}

    def summed(self, direction: str, values: Floats) -> tuple[Floats, Floats]:
        """What each picture adds to a mean over the queries of a direction, and how many queries are its own: [n]."""
        n = len(self.pairs.row_ids)
        if direction == CAPTIONS:
            return values, np.ones(n)
        of = self.pairs.of
        sums = np.asarray(np.bincount(of, weights=values, minlength=n), dtype=np.float64)
        return sums, np.bincount(of, minlength=n).astype(np.float64)


def claims(searched: Sequence[Searched], *, n_resamples: int, seed: int) -> list[Claim]:
    """Every claim about each encoder and each pair, with q over the tests of chance and over the differences.

    Pictures are drawn, each with all its captions, as queries; the gallery that is searched stays as it is, for a
    picture drawn twice would find itself twice.

    Args:
        searched: of each encoder, over the same pictures and captions.
        n_resamples: resamples of each interval and permutations of each p.
        seed: of all draws.
    """
    rng = np.random.default_rng([seed, 1])
    measured = {(one.encoder, measure): found for one in searched for measure, found in _recalls(one)}
    ratios = [ratio for one in measured.values() for ratio in (one.level, one.surplus)]
    drawn = _draw(ratios, len(searched[0].pairs.row_ids), n_resamples, seed)
    found = {
        key: est.Drawn(level, surplus, one.chance)
        for (key, one), level, surplus in zip(measured.items(), drawn[::2], drawn[1::2], strict=True)
    }
    about = [claim for one in searched for claim in _about_one(one, found, n_resamples, rng)]
    between = [claim for a, b in _pairs(searched) for claim in _about_two(a, b, found, n_resamples, rng)]
    return [*corrected(about), *corrected(between)]


def _recalls(one: Searched) -> Iterator[tuple[str, est.Measured]]:
    for direction, search in one.searches.items():
        for k in AT:
            hits, n = one.summed(direction, search.hits(k))
            chance, _ = one.summed(direction, search.by_chance(k))
            level, surplus = Ratio(hits[None], n[None], 0, 1), Ratio((hits - chance)[None], n[None], -1, 1)
            yield recall(direction, k), est.Measured(level, surplus, float(chance.sum() / n.sum()))


def _draw(ratios: Sequence[Ratio], n: int, n_resamples: int, seed: int) -> list[Sampled]:
    """Each picture is a unit of its own."""
    return resample(ratios, np.arange(n), n_resamples=n_resamples, seed=seed)


def _about_one(
    one: Searched, drawn: Mapping[tuple[str, str], est.Drawn], n: int, rng: np.random.Generator
) -> Iterator[Claim]:
    for direction, search in one.searches.items():
        nulls = _given_to_others(one, direction, n, rng)
        for k in AT:
            found, measure = drawn[one.encoder, recall(direction, k)], recall(direction, k)
            p = permutation_p(*nulls[k]) if found.level.n >= MEASURABLE_ROWS else np.nan
            yield _claim((one.encoder, measure, None), found.level, found.chance, (p, GIVEN), n)
            yield _claim((one.encoder, measure, CHANCE), found.surplus, 0.0, (p, GIVEN), n)
        yield _median(one, direction, search, n, rng)


def _about_two(
    a: Searched, b: Searched, drawn: Mapping[tuple[str, str], est.Drawn], n: int, rng: np.random.Generator
) -> Iterator[Claim]:
    for direction, k in itertools.product((CAPTIONS, PICTURES), AT):
        measure = recall(direction, k)
        found = drawn[a.encoder, measure] - drawn[b.encoder, measure]
        tested = (found.surplus.p_zero(rng), SWAPPED)
        yield _claim((a.encoder, measure, b.encoder), found.level, found.chance, tested, n)
        yield _claim((a.encoder, measure + ABOVE, b.encoder), found.surplus, 0.0, tested, n)


def _pairs(searched: Sequence[Searched]) -> list[tuple[Searched, Searched]]:
    found = itertools.combinations(searched, 2)
    return [(b, a) if is_random(a.encoder) and not is_random(b.encoder) else (a, b) for a, b in found]


def _claim(
    about: tuple[str, str, str | None], sampled: Sampled, chance: float, tested: tuple[float, str], n: int
) -> Claim:
    """A claim about all pictures: other pictures as queries, the same gallery."""
    made = next(iter(est.claim_twice(sampled, about, chance, tested, n)))
    wide = "Student's t" if sampled.is_difference else "BCa"
    method = f"pictures with their captions resampled {n} times as queries, the gallery as it is, {wide}"
    few = f"; no p: {sampled.n} pictures, where {MEASURABLE_ROWS} are needed"
    method += few if np.isnan(made.estimate.p) else f"; p: {tested[1]}"
    return replace(made, group=GROUP, estimate=replace(made.estimate, method=method))


def _given_to_others(
    one: Searched, direction: str, n: int, rng: np.random.Generator
) -> dict[int, tuple[float, Floats]]:
    """For each k how many queries find a right one, and how many would if captions belonged to other pictures [n].

    All captions of a picture go to another one together; what is searched and found stays.
    """
    search, of = one.searches[direction], one.pairs.of
    n_rows = len(one.pairs.row_ids)
    orders = rng.permuted(np.tile(np.arange(n_rows), (n, 1)), axis=1)
    found = {}
    for k in AT:
        pictures, owners = _top_pairs(search, of, direction, k)
        step = max(1, BLOCK // max(len(pictures), 1))
        blocks = [(orders[at : at + step][:, owners] == pictures).sum(1) for at in range(0, n, step)]
        found[k] = float((pictures == owners).sum()), np.concatenate(blocks).astype(np.float64)
    return found


def _top_pairs(search: Search, of: Ints, direction: str, k: int) -> tuple[Ints, Ints]:
    """Every picture and owner of captions that a query brings together among its first k; each query once a pair."""
    owners = search.owners[:, :k]
    queries = np.repeat(np.arange(len(owners)), owners.shape[1])
    if direction == PICTURES:
        return owners.ravel(), of[queries]
    pairs = np.unique(np.stack([queries, owners.ravel()]), axis=1)
    return pairs[0], pairs[1]


def _median(one: Searched, direction: str, search: Search, n: int, rng: np.random.Generator) -> Claim:
    """The median rank, its interval by BCa: pictures are drawn with all their queries."""
    ranks = search.ranks.astype(np.float64)
    n_rows = len(one.pairs.row_ids)
    of = one.pairs.of if direction == PICTURES else np.arange(n_rows)
    order = np.argsort(ranks, kind="stable")
    ranks, of = ranks[order], of[order]
    value = float(np.median(ranks))
    step = max(1, BLOCK // len(ranks))
    drawn = []
    for start in range(0, n, step):
        times = rng.multinomial(n_rows, np.full(n_rows, 1 / n_rows), size=min(step, n - start))
        sums = times[:, of].cumsum(axis=1)
        drawn.append(ranks[(sums >= sums[:, -1:] / 2).argmax(axis=1)])
    moved = np.concatenate(drawn) - value
    low, high = bca(moved, np.zeros(n_rows)) if n_rows > 1 else (np.nan, np.nan)
    method = f"pictures with their captions resampled {n} times as queries, the gallery as it is, BCa"
    estimate = Estimate(
        value, max(value + low, 1.0), value + high, search.median_by_chance, n=n_rows, n_clusters=n_rows, method=method
    )
    return Claim(one.encoder, GROUP, median_rank(direction), None, estimate)
