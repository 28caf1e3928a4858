"""From labelled pairs to claims: accuracy over all pairs, by gold label and by kind, against chance and the blind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from concepttransfer.data.entailment import LABELS
from concepttransfer.statistics import Floats
from concepttransfer.statistics.claims import Claim

from .._visual_questions import estimates as shared
from .._visual_questions.estimates import ALL, COMMONEST, Bools, Scored, measure
from .labels import Marks, Pairs

__all__ = ["ALL", "COMMONEST", "GOLD", "KIND", "claims", "confusion", "groups", "measure", "scored"]

GOLD, KIND = "gold: ", "kind: "


def scored(system: str, shots: int, marks: Sequence[Marks], *, by_gold: bool) -> Scored:
    """One system's labels with one number of shots, of each seed, as claims are made of them."""
    surplus = "recall" if by_gold else "surplus"
    arrays = {
        name: np.stack([getattr(one, source) for one in marks])
        for name, source in (("accuracy", "correct"), ("chance", "chance"), ("surplus", surplus))
    }
    return Scored(system, shots, **arrays, whole=arrays["accuracy"])


def groups(pairs: Pairs) -> tuple[dict[str, Bools], dict[str, Bools]]:
    """All pairs and those of each kind, where there are several; those of each gold label that is there."""
    gold, kinds = np.array(pairs.gold, object), np.array(pairs.kinds, object)
    names, counts = np.unique(kinds.astype(str), return_counts=True)
    found: dict[str, Bools] = {ALL: np.ones(len(pairs), dtype=bool)}
    if len(names) > 1:
        found |= {KIND + name: kinds == name for name in names[np.argsort(-counts, kind="stable")]}
    return found, {GOLD + label: gold == label for label in LABELS if (gold == label).any()}


def claims(
    marks: Mapping[tuple[str, int], Sequence[Marks]], pairs: Pairs, *, n_resamples: int, seed: int
) -> list[Claim]:
    """Every claim about each system with each number of shots: of all pairs, by kind, and by gold label (recall).

    Args:
        marks: of each system and number of shots, one a seed.
        pairs: what was judged; their premises are resampled, each with all its pairs.
        n_resamples: resamples of each interval and sign flips of each p.
        seed: of all draws.
    """
    over, by_gold = groups(pairs)
    made: list[Claim] = []
    for masks, recall in ((over, False), (by_gold, True)):
        all_scored = [scored(*key, each, by_gold=recall) for key, each in marks.items()]
        made += shared.claims(all_scored, pairs.pictures, masks, n_resamples=n_resamples, seed=seed + recall)
    return [_of_pairs(claim) for claim in made if not claim.measure.startswith(shared.WHOLE)]


def _of_pairs(claim: Claim) -> Claim:
    method = claim.estimate.method.replace("pictures", "premises", 1)
    return replace(claim, estimate=replace(claim.estimate, method=method))


def confusion(given: Sequence[Sequence[str]], pairs: Pairs) -> Floats:
    """[3, 4] the share of pairs of each gold label to which each label, or none, was given; mean over seeds."""
    made = np.zeros((len(LABELS), len(LABELS) + 1))
    gold = np.array(pairs.gold, object)
    for said in (np.array(one, object) for one in given):
        for row, label in enumerate(LABELS):
            mine = said[gold == label]
            counts = [float((mine == other).sum()) for other in LABELS]
            made[row] += np.array([*counts, len(mine) - sum(counts)]) / max(len(mine), 1)
    return made / max(len(given), 1)
