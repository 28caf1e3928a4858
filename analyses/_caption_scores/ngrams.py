"""n-grams of many captions at once: which, how often, in how many pictures. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from concepttransfer.statistics import Floats

Ints = NDArray[np.int64]
ORDERS = 4
"""n-grams of 1 to 4 words."""


@dataclass(frozen=True)
class Sentences:
    """Some captions as numbers.

    Attributes:
        words: [n_words] of all captions one after the other: a number for each word.
        starts: [n + 1] where each caption's words begin and the last one's end.
        grams: the n-grams of each caption, each once, one caption after the other; n-grams of fewer words first.
        counts: how often the caption says each.
        gram_starts: [n + 1] where each caption's n-grams begin.
        orders: [n_grams] of how many words each n-gram is, less one.
    """

    words: Ints
    starts: Ints
    grams: Ints
    counts: Ints
    gram_starts: Ints
    orders: Ints

    @classmethod
    def of(cls, captions: Iterable[Sequence[str]]) -> Sentences:
        """Number the words and n-grams of tokenised captions."""
        known: dict[str, int] = {}
        listed = [[known.setdefault(word, len(known)) for word in caption] for caption in captions]
        lengths = np.array([len(caption) for caption in listed], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        words = np.array([word for caption in listed for word in caption], dtype=np.int64)
        return cls(words, starts, *_grams(words, lengths))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def lengths(self) -> Ints:
        """[n] words of each caption."""
        return np.diff(self.starts)

    @cached_property
    def owners(self) -> Ints:
        """The caption of each entry of `grams`."""
        return np.repeat(np.arange(len(self)), np.diff(self.gram_starts))

    def entries(self, sentences: Ints) -> tuple[Ints, Ints]:
        """Where the n-grams of some captions stand in `grams`, and which of `sentences` (by place) each belongs to."""
        return _spans(self.gram_starts, sentences)

    def padded(self, sentences: Ints) -> Ints:
        """[n_sentences, longest] words of some captions; -1 after their end."""
        lengths = self.lengths[sentences]
        table = np.full((len(sentences), int(lengths.max(initial=0))), -1, dtype=np.int64)
        places, owners = _spans(self.starts, sentences)
        table[owners, places - self.starts[sentences][owners]] = self.words[places]
        return table

    def document_frequencies(self, documents: Sequence[Ints]) -> Floats:
        """[n_grams] in how many documents, each a few of these captions, every n-gram stands."""
        sizes = [len(document) for document in documents]
        places, owner = self.entries(np.concatenate([np.zeros(0, dtype=np.int64), *documents]))
        document = np.repeat(np.arange(len(documents)), sizes)[owner]
        wide = max(len(self.orders), 1)
        pairs = np.unique(document * wide + self.grams[places])
        return np.bincount(pairs % wide, minlength=len(self.orders)).astype(np.float64)


def _grams(words: Ints, lengths: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Grams, counts, starts and orders of `Sentences`: an n-gram is the first n-1 words of it and one word more."""
    owner = np.repeat(np.arange(len(lengths)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words))
    n_words = int(words.max(initial=0)) + 1
    gram, n_grams = words, 0
    owners, numbers, orders = [], [], []
    for n in range(1, ORDERS + 1):
        places = np.flatnonzero(left >= n)
        if n > 1:
            shorter, gram = gram[places], np.zeros_like(words)
            gram[places] = np.unique(shorter * n_words + words[places + n - 1], return_inverse=True)[1]
        size = int(gram[places].max(initial=-1)) + 1
        owners.append(owner[places])
        numbers.append(gram[places] + n_grams)
        orders.append(np.full(size, n - 1))
        n_grams += size
    wide = max(n_grams, 1)
    pairs, counts = np.unique(np.concatenate(owners) * wide + np.concatenate(numbers), return_counts=True)
    starts = np.searchsorted(pairs // wide, np.arange(len(lengths) + 1))
    return pairs % wide, counts, starts.astype(np.int64), np.concatenate(orders)


def _spans(starts: Ints, chosen: Ints) -> tuple[Ints, Ints]:
    """The places from `starts[i]` to `starts[i + 1]` of each chosen i, and the place of that i in `chosen`."""
    sizes = starts[chosen + 1] - starts[chosen]
    owners = np.repeat(np.arange(len(chosen)), sizes)
    ends = np.cumsum(sizes)
    return np.arange(len(owners)) - (ends - sizes)[owners] + starts[chosen][owners], owners
