"""How well does a caption fit a picture's references? What BLEU, ROUGE-L and CIDEr-D count, for many pairs at once.

Everything equals pycocoevalcap's scorers on the same words, quirks included: CIDEr-D's difference of lengths counts
bigrams, BLEU's reference length is the nearest one (of two as near the shorter), ROUGE-L takes the best precision and
the best recall over the references, be they of different ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concepttransfer.statistics import Floats

from .ngrams import ORDERS, Ints, Sentences

WORDS, NEAREST = 0, 1
POSSIBLE, MATCHED = slice(2, 6), slice(6, 10)
ROUGE_L, CIDER_D, PICTURES = 10, 11, 12
N_COLUMNS = 13
"""Columns of a pair: words of the caption, of the reference of the nearest length, n-grams there are, n-grams found
(each at most as often as one reference has it), ROUGE-L, CIDEr-D, and 1."""

BETA, SIGMA = 1.2, 6.0
_FEW = 63


class Pairs:
    """Scores captions against the references of pictures."""

    def __init__(self, sentences: Sentences, references: Sequence[Ints], idf: Floats) -> None:
        """Prepare.

        Args:
            sentences: all captions and references.
            references: of each picture, as numbers of sentences; at least one.
            idf: [n_grams] weight of each n-gram: log of pictures over pictures whose references have it.
        """
        self.sentences, self.references, self.idf = sentences, references, idf
        self._gram_at = np.full(len(idf), -1, dtype=np.int64)
        self._word_at = np.zeros(int(sentences.words.max(initial=-1)) + 2, dtype=np.int64)

    @cached_property
    def _norms(self) -> Floats:
        """[n_sentences, ORDERS] lengths of the weighted vectors of n-grams."""
        s = self.sentences
        squares = (s.counts * self.idf[s.grams]) ** 2
        cells = np.bincount(s.owners * ORDERS + s.orders[s.grams], weights=squares, minlength=len(s) * ORDERS)
        return np.sqrt(cells.reshape(len(s), ORDERS))

    def score(self, picture: int, captions: Ints) -> Floats:
        """[n_captions, N_COLUMNS] of some captions (numbers of sentences) with one picture's references."""
        unique, places = np.unique(captions, return_inverse=True)
        references = self.references[picture]
        made = np.empty((len(unique), N_COLUMNS))
        lengths, theirs = self.sentences.lengths[unique], self.sentences.lengths[references]
        made[:, WORDS], made[:, NEAREST] = lengths, _nearest(lengths, theirs)
        made[:, POSSIBLE] = np.maximum(lengths[:, None] - np.arange(ORDERS), 0)
        made[:, MATCHED], made[:, CIDER_D] = self._by_grams(unique, references)
        made[:, ROUGE_L] = self._rouge(unique, references)
        made[:, PICTURES] = 1
        return made[places]

    def _by_grams(self, captions: Ints, references: Ints) -> tuple[Floats, Floats]:
        """n-grams found [n, ORDERS] and CIDEr-D [n]."""
        s = self.sentences
        at, reference = s.entries(references)
        grams, local = np.unique(s.grams[at], return_inverse=True)
        table = np.zeros((len(grams), len(references)))
        table[local, reference] = s.counts[at]
        self._gram_at[grams] = np.arange(len(grams))
        at, caption = s.entries(captions)
        place = self._gram_at[s.grams[at]]
        self._gram_at[grams] = -1
        at, caption, place = at[place >= 0], caption[place >= 0], place[place >= 0]
        cell = caption * ORDERS + s.orders[s.grams[at]]
        counts, theirs = s.counts[at], table[place]
        found = np.bincount(cell, np.minimum(counts, theirs.max(1, initial=0)), minlength=len(captions) * ORDERS)
        products = np.minimum(counts[:, None], theirs) * theirs * (self.idf[s.grams[at]] ** 2)[:, None]
        each = np.arange(len(references))
        cells = (cell[:, None] * len(each) + each).ravel()
        dots = np.bincount(cells, products.ravel(), minlength=len(captions) * ORDERS * len(each)).astype(np.float64)
        cider = self._cider(dots.reshape(len(captions), ORDERS, len(each)), captions, references)
        return found.astype(np.float64).reshape(len(captions), ORDERS), cider

    def _cider(self, dots: Floats, captions: Ints, references: Ints) -> Floats:
        """CIDEr-D, 0 to 10, from the weighted products [n, ORDERS, n_references]. Vedantam et al. 2015, section 5."""
        norms = self._norms[captions][:, :, None] * self._norms[references].T[None]
        cosines = np.divide(dots, norms, out=np.zeros(dots.shape), where=norms > 0)
        bigrams = np.maximum(self.sentences.lengths - 1, 0)
        away = (bigrams[captions][:, None] - bigrams[references]) ** 2
        scores: Floats = 10 * (cosines.mean(1) * np.exp(-away / (2 * SIGMA**2))).mean(1)
        return scores

    def _rouge(self, captions: Ints, references: Ints) -> Floats:
        """ROUGE-L, 0 to 1: F of the longest common subsequences' precision and recall. Lin 2004."""
        s = self.sentences
        common = self._longest_common(s.padded(captions), s.padded(references))
        precision = (common / np.maximum(s.lengths[captions], 1)[:, None]).max(1)
        recall = (common / np.maximum(s.lengths[references], 1)).max(1)
        below = recall + BETA**2 * precision
        scores: Floats = np.divide(
            (1 + BETA**2) * precision * recall, below, out=np.zeros(below.shape), where=below > 0
        )
        return scores

    def _longest_common(self, captions: Ints, references: Ints) -> Ints:
        """[n, m] lengths of longest common subsequences, a bit a word. Hyyrö 2004, figure 2; -1 is no word.

        Captions of more than 63 words are counted with Python's own numbers, which have as many bits as it takes.
        """
        kind: Any = np.uint64 if captions.shape[1] <= _FEW else object
        words = np.unique(references[references >= 0])
        none = len(words)
        self._word_at[:] = none
        self._word_at[words] = np.arange(none)
        captions, references = self._word_at[captions], self._word_at[references]
        masks = np.zeros((len(captions), none + 1), dtype=kind)
        rows = np.arange(len(captions))
        for j, column in enumerate(captions.T):
            masks[rows, column] |= kind(1 << j) if kind is np.uint64 else 1 << j
        masks[:, none] = 0
        full = (1 << captions.shape[1]) - 1
        state = np.full((len(captions), len(references)), full, dtype=kind)
        for column in references.T:
            mask = masks[:, column]
            state = (state + (state & mask)) | (state & ~mask)
        return _ones(~state & (np.uint64(full) if kind is np.uint64 else full))


def _ones(numbers: NDArray[Any]) -> Ints:
    """How many bits of each number are 1."""
    if numbers.dtype == object:
        return np.vectorize(int.bit_count, otypes=[np.int64])(numbers) if numbers.size else numbers.astype(np.int64)
    bits = np.unpackbits(np.ascontiguousarray(numbers)[..., None].view(np.uint8), axis=-1)
    return np.asarray(bits.sum(-1, dtype=np.int64))


def _nearest(lengths: Ints, theirs: Ints) -> Ints:
    """For each length the nearest of others; of two as near the shorter."""
    ordered = np.sort(theirs)
    return np.asarray(ordered[np.abs(ordered[None] - lengths[:, None]).argmin(1)])
