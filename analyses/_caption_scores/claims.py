"""From captions to claims: every score of every encoder, beside chance and beside its random control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from concepttransfer.scoring.external_scores import Counts, ExternalScores
from concepttransfer.scoring.judging import JudgeScores
from concepttransfer.statistics import MEASURABLE_ROWS, Estimate, Floats
from concepttransfer.statistics.claims import CHANCE, Claim, corrected, is_control, is_random
from concepttransfer.statistics.resampling import Sampled

from . import measures as m
from .chance import Counted, added, count, shuffles
from .corpus import Corpus
from .ngrams import Ints
from .pairs import Pairs
from .resampling import Summed, resample

Key = tuple[str, str]
"""An encoder and a measure."""


@dataclass(frozen=True)
class Captioner:
    """One encoder's captions.

    Attributes:
        name: the encoder.
        keys: `Captions.key` of each seed.
        places: the rows of `Corpus.said` that are its seeds.
    """

    name: str
    keys: tuple[str, ...]
    places: Ints


@dataclass(frozen=True)
class Setting:
    """What all groups of pictures are scored with."""

    captioners: Sequence[Captioner]
    corpus: Corpus
    row_ids: Sequence[str]
    judged: JudgeScores | None
    external: ExternalScores | None
    n_resamples: int
    seed: int


def score(setting: Setting, rows: Ints, idf: Floats) -> dict[Key, tuple[m.Measure, Counted]]:
    """What each encoder's captions of some pictures have counted, for every measure that can be computed."""
    corpus, captioners = setting.corpus, setting.captioners
    rng = np.random.default_rng([setting.seed, 3])
    given = shuffles(len(rows), rng)
    pairs = Pairs(corpus.sentences, [corpus.references[row] for row in rows], idf)
    counted = count(pairs, corpus.said[:, rows], given)
    found: dict[Key, tuple[m.Measure, Counted]] = {}
    for one in captioners:
        own, shuffled = counted.own[one.places], counted.shuffled
        mine = Counted(own, None if shuffled is None else shuffled[one.places])
        words = m.WORD_MEASURES if idf.any() else m.WORD_MEASURES[:-1]
        found |= {(one.name, measure.name): (measure, mine) for measure in words}
        found |= {(one.name, measure): pair for measure, pair in _of_programs(setting, one, rows)}
        if setting.judged is not None:
            judged = _of_judge(setting.judged, one, [setting.row_ids[row] for row in rows], given)
            found |= {(one.name, x.name): (x, y) for x, y in zip(m.JUDGED, judged, strict=True)}
    return found


def _of_programs(setting: Setting, one: Captioner, rows: Ints) -> Iterator[tuple[str, tuple[m.Measure, Counted]]]:
    """Measures of other programs; chance is one shuffle over all pictures of the data set."""
    for name, by_key in (setting.external.counts if setting.external else {}).items():
        seeds = [_in_order(by_key[key], setting.row_ids) for key in one.keys]
        own, others = np.stack([x.own for x in seeds]), np.stack([x.others for x in seeds])
        whole = len(rows) == len(setting.row_ids)
        shuffled = added(others[None], seeds[0].given[None]) if whole else others[:, rows]
        yield name, (m.EXTERNAL[name], Counted(own[:, rows], shuffled))


def _in_order(counts: Counts, row_ids: Sequence[str]) -> Counts:
    """The same numbers for these rows, in their order."""
    if tuple(row_ids) == counts.row_ids:
        return counts
    at = {row: n for n, row in enumerate(counts.row_ids)}
    places = np.array([at[row] for row in row_ids])
    back = np.full(len(counts.row_ids), -1)
    back[places] = np.arange(len(places))
    return Counts(tuple(row_ids), counts.own[places], counts.others[places], back[counts.given[places]])


def _of_judge(judged: JudgeScores, one: Captioner, row_ids: Sequence[str], given: Ints) -> tuple[Counted, Counted]:
    """CLIPScore and RefCLIPScore; a picture that the judge could not read does not count."""
    known = judged.knows(row_ids)
    pictures = [row for row, is_known in zip(row_ids, known, strict=True) if is_known]

    def scored(order: Ints) -> Floats:
        """[2, n_seeds, n_rows, 2] of captions given to pictures."""
        said_of = [row_ids[n] for n in order[known]]
        table = np.zeros((2, len(one.keys), len(row_ids), 2))
        table[..., 1] = known
        for seed, key in enumerate(one.keys):
            table[0, seed, known, 0], table[1, seed, known, 0] = judged.score(key, pictures, said_of)
        return table

    own = scored(np.arange(len(row_ids)))
    shuffled = np.stack([scored(order) for order in given], axis=1)
    clip, with_references = (Counted(own[n], added(shuffled[n], given)) for n in range(2))
    return clip, with_references


def claims(
    setting: Setting, group: str, scored: Mapping[Key, tuple[m.Measure, Counted]], others: Mapping[Key, Summed]
) -> list[Claim]:
    """Claims about one group of pictures: levels, what is above chance, and differences from random controls.

    Args:
        setting: of the analysis.
        group: the group's name.
        scored: what `score` gave.
        others: means that have no chance level, such as the captions' length.
    """
    levels = {key: Summed(measure, counted.own) for key, (measure, counted) in scored.items()} | dict(others)
    chances = {key: Summed(x, y.shuffled) for key, (x, y) in scored.items() if y.shuffled is not None}
    every = [*levels.values(), *chances.values()]
    drawn = resample(every, n_resamples=setting.n_resamples, seed=setting.seed)
    level = dict(zip(levels, drawn, strict=False))
    chance = dict(zip(chances, drawn[len(levels) :], strict=True))
    rng = np.random.default_rng([setting.seed, 1])
    n_rows = next(iter(levels.values())).counts.shape[1]
    signs = rng.choice((-1.0, 1.0), size=(setting.n_resamples, n_rows))
    about = [
        _if_found(c, levels[key].found)
        for key in levels
        for c in _about_one(key, group, level[key], chance.get(key), signs, rng)
    ]
    names = [one.name for one in setting.captioners]
    between = [
        _if_found(
            _difference((name, other, measure), group, level, chance, signs, rng),
            min(levels[name, measure].found, levels[other, measure].found),
        )
        for name, measure in levels
        if (other := control(name, names)) and (other, measure) in level
    ]
    return [*corrected(about), *corrected(between)]


def _if_found(claim: Claim, found: float) -> Claim:
    """The claim, without interval and p where too few n-grams were found to tell."""
    if found >= m.MEASURABLE_FOUND:
        return claim
    why = f"no interval: {found:.0f} n-grams of this length found, where {m.MEASURABLE_FOUND} are needed"
    return replace(claim, estimate=replace(claim.estimate, low=np.nan, high=np.nan, p=np.nan, method=why))


def control(system: str, systems: Sequence[str]) -> str | None:
    """The random control of an encoder among those given: of its own name, or of the one that its name begins with."""
    if is_random(system):
        return None
    return max((name for name in systems if is_control(name, system)), key=len, default=None)


def _about_one(
    key: Key, group: str, level: Sampled, chance: Sampled | None, signs: Floats, rng: np.random.Generator
) -> Iterator[Claim]:
    system, measure = key
    if chance is None:
        yield Claim(system, group, measure, None, _estimate(level, np.nan, np.nan, len(signs)))
        return
    surplus = level - chance
    p = surplus.p_zero(rng, signs)
    how = "; p: what is above chance with the sign of each picture drawn"
    by_chance = "; chance: captions shuffled over pictures"
    yield Claim(system, group, measure, None, _estimate(level, chance.value, p, len(signs), by_chance + how))
    yield Claim(system, group, measure, CHANCE, _estimate(surplus, 0.0, p, len(signs), by_chance + how))


def _difference(
    about: tuple[str, str, str],
    group: str,
    level: Mapping[Key, Sampled],
    chance: Mapping[Key, Sampled],
    signs: Floats,
    rng: np.random.Generator,
) -> Claim:
    system, other, measure = about
    difference = level[system, measure] - level[other, measure]
    known = (system, measure) in chance and (other, measure) in chance
    by_chance = chance[system, measure].value - chance[other, measure].value if known else np.nan
    p = difference.p_zero(rng, signs)
    estimate = _estimate(difference, by_chance, p, len(signs), "; p: the two swapped by picture")
    return Claim(system, group, measure, other, estimate)


def _estimate(sampled: Sampled, chance: float, p: float, n_resamples: int, how: str = "") -> Estimate:
    low, high = sampled.interval()
    wide = "Student's t" if sampled.is_difference else "BCa"
    method = f"pictures{' and seeds' if sampled.n_seeds > 1 else ''} resampled {n_resamples} times, {wide}"
    if sampled.n < MEASURABLE_ROWS:
        how = how.partition("; p:")[0] + f"; no p: {sampled.n} pictures, where {MEASURABLE_ROWS} are needed"
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


def plain(system: str, measure: str, values: Sequence[float], n: int, method: str) -> Claim:
    """A claim without an interval: the mean over seeds of what belongs to the whole set."""
    estimate = Estimate(value=float(np.mean(values)), n=n, n_clusters=n, n_seeds=len(values), method=method)
    return Claim(system, "all", measure, None, estimate)
