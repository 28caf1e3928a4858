"""The measures of captions: each a function of what was counted, summed over pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from concepttransfer.statistics import Floats

from .ngrams import ORDERS
from .pairs import CIDER_D, MATCHED, NEAREST, POSSIBLE, ROUGE_L, WORDS

BLEU = tuple(f"BLEU-{n}" for n in range(1, ORDERS + 1))
ROUGE, CIDER = "ROUGE-L", "CIDEr-D"
METEOR, NLTK_METEOR, SPICE = "METEOR", "METEOR (nltk)", "SPICE"
CLIPSCORE, REFCLIPSCORE = "CLIPScore", "RefCLIPScore"
LENGTH, DISTINCT, NOVEL = "words a caption", "distinct captions", "captions not in training"
VOCABULARY, DISTINCT_1, DISTINCT_2 = "vocabulary", "distinct-1", "distinct-2"
SCORES = (*BLEU, ROUGE, CIDER, METEOR, NLTK_METEOR, SPICE, CLIPSCORE, REFCLIPSCORE)
"""How well captions fit; all lie between 0 and 1 but CIDEr-D (0 to 10), CLIPScore (0 to 2.5) and RefCLIPScore."""
DIVERSITY = (VOCABULARY, DISTINCT_1, DISTINCT_2, DISTINCT, NOVEL, LENGTH)
"""What captions are like, whatever the picture."""

SMALL, TINY = 1e-9, 1e-15
MEASURABLE_FOUND = 10
"""With fewer n-grams found BLEU has no interval: none makes it 0 whatever else fits."""
Formula = Callable[[Floats], Floats]
"""Sums `[..., n_columns]` to a score `[...]`."""


@dataclass(frozen=True)
class Measure:
    """One score of a set of captions.

    Attributes:
        name: what results call it.
        formula: from sums over pictures to the score.
        low, high: between which it lies by its nature.
        partial: it may be missing for some pictures; the last column is 1 where it is there.
        found: the column of what it multiplies; fewer than `MEASURABLE_FOUND` in the whole set have no interval.
    """

    name: str
    formula: Formula
    low: float = 0.0
    high: float = 1.0
    partial: bool = False
    found: int | None = None


def mean(column: int = 0) -> Formula:
    """The sum of a column over the sum of the last one: a mean where that is 1 for each picture."""

    def formula(sums: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(sums[..., column] / sums[..., -1])

    return formula


def bleu(n: int) -> Formula:
    """BLEU of up to n words over the whole set, as pycocoevalcap computes it. Papineni et al. 2002."""

    def formula(sums: Floats) -> Floats:
        found, possible = sums[..., MATCHED][..., :n], sums[..., POSSIBLE][..., :n]
        precision = np.prod((np.maximum(found, 0) + TINY) / (np.maximum(possible, 0) + SMALL), axis=-1) ** (1 / n)
        ratio = (sums[..., WORDS] + TINY) / (sums[..., NEAREST] + SMALL)
        return np.asarray(precision * np.exp(np.minimum(0, 1 - 1 / np.maximum(ratio, 1e-3))))

    return formula


def meteor(sums: Floats) -> Floats:
    """METEOR 1.5 for English from the numbers that its program gives for each picture. Denkowski & Lavie 2014.

    Args:
        sums: [..., 23]: words and function words of caption and reference, words matched, and for each of the four
            kinds of match content and function words of both; chunks, and words matched on either side.
    """
    alpha, beta, gamma, delta = 0.85, 0.2, 0.6, 0.75
    weights = np.array([1.0, 0.6, 0.8, 0.6])
    kinds = np.maximum(sums[..., 4:20], 0).reshape(*sums.shape[:-1], 4, 4)
    ours = (weights * (delta * kinds[..., 0] + (1 - delta) * kinds[..., 2])).sum(-1)
    theirs = (weights * (delta * kinds[..., 1] + (1 - delta) * kinds[..., 3])).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = ours / (delta * (sums[..., 0] - sums[..., 2]) + (1 - delta) * sums[..., 2])
        recall = theirs / (delta * (sums[..., 1] - sums[..., 3]) + (1 - delta) * sums[..., 3])
        f = precision * recall / (alpha * precision + (1 - alpha) * recall)
        broken = gamma * (sums[..., 20] / ((sums[..., 21] + sums[..., 22]) / 2)) ** beta
        scores: Floats = np.nan_to_num(f * (1 - broken))
    return scores


WORD_MEASURES = (
    *(Measure(name, bleu(n), found=MATCHED.start + n - 1) for n, name in enumerate(BLEU, start=1)),
    Measure(ROUGE, mean(ROUGE_L)),
    Measure(CIDER, mean(CIDER_D), high=10),
)
"""Those for which `_caption_pairs` counts."""
EXTERNAL = {
    METEOR: Measure(METEOR, meteor),
    NLTK_METEOR: Measure(NLTK_METEOR, mean()),
    SPICE: Measure(SPICE, mean()),
}
"""Those for which other programs count."""
JUDGED = (
    Measure(CLIPSCORE, mean(), high=np.inf, partial=True),
    Measure(REFCLIPSCORE, mean(), low=-np.inf, high=np.inf, partial=True),
)
"""Those of the judge."""
