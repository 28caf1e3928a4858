"""How much captions vary, whatever the picture: words, distinct n-grams, length, what no training text says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concepttransfer.captioning import Captions
from concepttransfer.scoring.training_texts import TrainingTexts
from concepttransfer.statistics.claims import Claim

from . import measures as m
from .claims import Captioner, Key, plain
from .corpus import Corpus
from .ngrams import Ints
from .resampling import Summed

REFERENCES = "references"
"""The system that says one reference of each picture, the first."""

_OF_THE_SET = "of the whole set of captions; no interval, for a picture drawn twice would say nothing new"
_LENGTH, _NOVEL = m.Measure(m.LENGTH, m.mean(), high=np.inf), m.Measure(m.NOVEL, m.mean())


def lengths(captioners: Sequence[Captioner], corpus: Corpus) -> dict[Key, Summed]:
    """Words of each caption."""
    table = corpus.sentences.lengths[corpus.said].astype(np.float64)
    both = np.stack([table, np.ones_like(table)], axis=-1)
    return {(one.name, m.LENGTH): Summed(_LENGTH, both[one.places]) for one in captioners}


def anew(
    captioners: Sequence[Captioner], said: Sequence[Sequence[str]], trained: TrainingTexts | None
) -> dict[Key, Summed]:
    """Whether each caption is not among the texts that its projection was fitted on, where these are known."""
    if trained is None:
        return {}
    found = {}
    for one in captioners:
        if one.name in trained.encoders:
            table = np.array([[text not in trained for text in said[n]] for n in one.places], dtype=np.float64)
            found[one.name, m.NOVEL] = Summed(_NOVEL, np.stack([table, np.ones_like(table)], axis=-1))
    return found


def anew_by_picture(
    captions: Sequence[Captions], said: Sequence[Sequence[str]], trained: TrainingTexts | None
) -> list[NDArray[Any]]:
    """For each of the captions, by picture: True, False, or None where the training texts are not known."""
    known = trained.encoders if trained else frozenset()
    return [
        np.array([text not in trained if trained and one.encoder in known else None for text in texts], dtype=object)
        for one, texts in zip(captions, said, strict=True)
    ]


def plain_claims(captioners: Sequence[Captioner], corpus: Corpus) -> list[Claim]:
    """What belongs to each set of captions as a whole, as a mean over seeds."""
    return [
        plain(one.name, measure, [value(corpus, corpus.said[n]) for n in one.places], corpus.said.shape[1], _OF_THE_SET)
        for one in captioners
        for measure, value in WHOLE.items()
    ]


def reference_claims(corpus: Corpus) -> list[Claim]:
    """The same of the first reference of each picture: what people's captions would give."""
    first = np.array([row[0] for row in corpus.references])
    method = "the first reference of each picture"
    found = [plain(REFERENCES, x, [value(corpus, first)], len(first), method) for x, value in WHOLE.items()]
    return [*found, plain(REFERENCES, m.LENGTH, [corpus.sentences.lengths[first].mean()], len(first), method)]


def _different(corpus: Corpus, sentences: Ints) -> float:
    return len(np.unique(sentences)) / len(sentences)


WHOLE: dict[str, Callable[[Corpus, Ints], float]] = {
    m.VOCABULARY: lambda corpus, sentences: corpus.vocabulary(sentences),
    m.DISTINCT_1: lambda corpus, sentences: corpus.distinct(sentences)[1],
    m.DISTINCT_2: lambda corpus, sentences: corpus.distinct(sentences)[2],
    m.DISTINCT: _different,
}
"""Different words; different words and pairs of words over all of them; different captions over all captions."""
