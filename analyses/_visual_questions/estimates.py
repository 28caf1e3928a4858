"""From scored answers to claims: accuracy, above chance, against the blind model, and between encoders."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from concepttransfer.answering import BLIND
from concepttransfer.statistics import (
    MEASURABLE_CLUSTERS,
    MEASURABLE_ROWS,
    Estimate,
    Floats,
    false_discovery,
)
from concepttransfer.statistics.claims import CHANCE, Claim, is_random
from concepttransfer.statistics.resampling import Ratio, Sampled, resample

ALL = "all"
WHOLE = "accuracy of the whole text"
COMMONEST = "commonest answer"
QUESTION_TYPE, ANSWER_TYPE = "question type: ", "answer type: "
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Scored:
    """One system's answers with one number of shots; each array [n_seeds, n_questions].

    Attributes:
        system: the encoder, or `blind`.
        shots: how many solved examples stood before the question.
        accuracy: of what the truncation leaves.
        chance: of the same answers given to other questions of the type.
        surplus: its mean is accuracy less chance.
        whole: accuracy of the untruncated text.
    """

    system: str
    shots: int
    accuracy: Floats
    chance: Floats
    surplus: Floats
    whole: Floats

    @property
    def key(self) -> tuple[str, int]:
        """System and shots."""
        return self.system, self.shots


def measure(shots: int, *, whole: bool = False) -> str:
    """The name under which an accuracy stands in `estimates`: `accuracy after 4 shots`."""
    return f"{WHOLE if whole else 'accuracy'} after {shots} shot{'s' * (shots != 1)}"


def groups(types: Sequence[str], answer_types: Sequence[str]) -> dict[str, Bools]:
    """All questions; those of each type of answer; those of each type of question, from many to few."""
    found = {ALL: np.ones(len(types), dtype=bool)}
    for start, named in ((ANSWER_TYPE, answer_types), (QUESTION_TYPE, types)):
        values = np.asarray(named, dtype=object)
        kinds, counts = np.unique(values.astype(str), return_counts=True)
        found |= {start + kind: values == kind for kind in kinds[np.argsort(-counts, kind="stable")]}
    return found


def claims(
    scored: Sequence[Scored], pictures: NDArray[np.int64], masks: Mapping[str, Bools], *, n_resamples: int, seed: int
) -> list[Claim]:
    """Every claim about each system with each number of shots, with q over the tests of chance and over differences.

    Args:
        scored: of each system and number of shots, over the same questions, blind among them or not.
        pictures: [n_questions] code of each question's picture: pictures are resampled, with all their questions.
        masks: group -> [n_questions]; `all` is one.
        n_resamples: resamples of each interval and sign flips of each p.
        seed: of all draws.
    """
    about, between = [], []
    for number, (group, mask) in enumerate(masks.items()):
        rng = np.random.default_rng([seed, number])
        made = _Group(group, scored, pictures, mask, n_resamples, seed, rng)
        about += list(made.about())
        between += list(made.between())
    return [*_corrected(about), *_corrected(between)]


def _corrected(rows: Sequence[Claim]) -> list[Claim]:
    """The same claims with q: those about all questions are one family, those about types another."""
    whole = _with_q([claim for claim in rows if claim.group == ALL])
    return [*whole, *_with_q([claim for claim in rows if claim.group != ALL])]


class _Group:
    """The claims about one group of questions: everything resampled at once, so that all meet the same pictures."""

    def __init__(
        self,
        name: str,
        scored: Sequence[Scored],
        pictures: NDArray[np.int64],
        mask: Bools,
        n_resamples: int,
        seed: int,
        rng: np.random.Generator,
    ) -> None:
        self.name, self.scored, self.mask, self.rng = name, {one.key: one for one in scored}, mask, rng
        self.n, self.n_resamples = int(mask.sum()), n_resamples
        self.codes = np.unique(pictures[mask], return_inverse=True)[1]
        counts = np.bincount(self.codes).astype(np.float64)
        below = {n: np.tile(counts, (n, 1)) for n in {len(one.accuracy) for one in scored}}
        ratios = {}
        for one in scored:
            each = below[len(one.accuracy)]
            ratios[one.key, "accuracy"] = Ratio(self._sums(one.accuracy), each, 0, 1)
            ratios[one.key, "surplus"] = Ratio(self._sums(one.surplus), each, -1, 1)
            if name == ALL:
                ratios[one.key, "whole"] = Ratio(self._sums(one.whole), each, 0, 1)
        drawn = resample(list(ratios.values()), np.arange(len(counts)), n_resamples=n_resamples, seed=seed)
        self.drawn = dict(zip(ratios, drawn, strict=True))
        self.signs = rng.choice((-1.0, 1.0), size=(n_resamples, len(counts)))

    def _sums(self, values: Floats) -> Floats:
        """[n_seeds, n_pictures] sums over each picture's questions."""
        return np.stack([np.bincount(self.codes, weights=row[self.mask]) for row in values])

    def about(self) -> Iterator[Claim]:
        """Of each system: its accuracy, its surplus over chance, and the accuracy of the untruncated text."""
        for key, one in self.scored.items():
            level, surplus = self.drawn[key, "accuracy"], self.drawn[key, "surplus"]
            tested = surplus.p_zero(self.rng, self.signs), "surplus over chance with the sign of each picture drawn"
            yield self._claim(level, key, None, self._chance(one), tested)
            yield self._claim(surplus, key, CHANCE, 0.0, tested)
            if (key, "whole") in self.drawn:
                yield self._claim(self.drawn[key, "whole"], key, None, np.nan, (np.nan, ""), whole=True)

    def between(self) -> Iterator[Claim]:
        """Of each encoder less the blind model with as many shots; over all questions less each other encoder too."""
        for shots in dict.fromkeys(one.shots for one in self.scored.values()):
            systems = [system for system, number in self.scored if number == shots and system != BLIND]
            for system in systems:
                if (BLIND, shots) in self.scored:
                    yield self._difference(system, BLIND, shots)
            if self.name == ALL:
                for a, b in itertools.combinations(systems, 2):
                    yield self._difference(*((b, a) if is_random(a) and not is_random(b) else (a, b)), shots)

    def _difference(self, system: str, other: str, shots: int) -> Claim:
        a, b = (system, shots), (other, shots)
        sampled = self.drawn[a, "accuracy"] - self.drawn[b, "accuracy"]
        if other == BLIND:  # it has no seeds; those of the encoder are the ones that vary
            sampled = replace(sampled, n_seeds=len(self.scored[a].accuracy))
        tested = sampled.p_zero(self.rng, self.signs), "the two swapped by picture"
        return self._claim(sampled, a, other, self._chance(self.scored[a]) - self._chance(self.scored[b]), tested)

    def _chance(self, one: Scored) -> float:
        return float(one.chance[:, self.mask].mean())

    def _claim(
        self,
        sampled: Sampled,
        key: tuple[str, int],
        against: str | None,
        chance: float,
        tested: tuple[float, str],
        *,
        whole: bool = False,
    ) -> Claim:
        low, high = sampled.interval()
        seeds = sampled.n_seeds
        how = "Student's t" if sampled.is_difference else "BCa"
        method = f"pictures{', and seeds' if seeds > 1 else ''} resampled {self.n_resamples} times, {how}"
        if tested[1]:
            few = f"no p: {sampled.n} pictures, where {max(MEASURABLE_ROWS, MEASURABLE_CLUSTERS)} are needed"
            method += f"; p: {tested[1]}" if sampled.measurable else f"; {few}"
        estimate = Estimate(
            value=sampled.value,
            low=low,
            high=high,
            chance=chance,
            p=tested[0],
            n=self.n,
            n_clusters=sampled.n,
            n_seeds=seeds,
            method=method,
        )
        return Claim(key[0], self.name, measure(key[1], whole=whole), against, estimate)


def _with_q(rows: Sequence[Claim]) -> list[Claim]:
    """The claims of one family with q. What is tested once counts once, though said of a level and of its surplus."""
    keys = [(c.system, c.group, c.measure, "" if c.against == CHANCE else c.against) for c in rows]
    family = {key: c.estimate.p for key, c in zip(keys, rows, strict=True) if np.isfinite(c.estimate.p)}
    q = dict(zip(family, false_discovery(list(family.values())), strict=True))
    return [
        replace(c, estimate=replace(c.estimate, q=float(q[key]))) if np.isfinite(c.estimate.p) else c
        for key, c in zip(keys, rows, strict=True)
    ]
