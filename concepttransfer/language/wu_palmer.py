"""Wu-Palmer similarity of many pairs: nltk's arithmetic, with what belongs to one noun computed once a noun.

nltk walks the taxonomy anew for each pair, which takes it about 0.15 ms. Here the hypernyms of a noun are put once into
the order in which nltk chooses the common one, so that a pair costs about a microsecond.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import Synset


class Place(NamedTuple):
    """Where a noun stands in the taxonomy.

    Attributes:
        hypernyms: names of the synset itself and of everything that it is a kind or an instance of, in the order in
            which nltk takes the one that is common to two nouns: first those whose shortest path to the root is
            longest, of equals the synset itself, then by name.
        lengths: for each of them, by name: how many synsets its longest path to the root has, and how many a path from
            this synset to the root has that goes through it.
    """

    hypernyms: tuple[str, ...]
    lengths: Mapping[str, tuple[int, int]]


def place(synset: Synset) -> Place:
    """Where a noun's synset stands, read through nltk."""
    own, up = synset.name(), _up(synset)
    order = sorted(up, key=lambda s: (-_depths(s)[0], s.name() != own, s.name()))
    lengths = {}
    for hypernym in order:
        depth = _depths(hypernym)[1] + 1
        lengths[hypernym.name()] = depth, depth + _steps(up, _up(hypernym))
    return Place(tuple(lengths), lengths)


def similarity(a: Place, b: Place) -> float:
    """What nltk's `wup_similarity` gives for two nouns of WordNet 3.0, whose taxonomy has a single root."""
    theirs = b.lengths
    common = next(name for name in a.hypernyms if name in theirs)
    depth, length = a.lengths[common]
    return 2.0 * depth / (length + theirs[common][1])


@functools.cache
def _up(synset: Synset) -> dict[Synset, int]:
    """The synset and everything above it, each with the fewest steps up to it."""
    up: dict[Synset, int] = {}
    waiting = deque([(synset, 0)])
    while waiting:
        here, steps = waiting.popleft()
        if here not in up:
            up[here] = steps
            waiting.extend((above, steps + 1) for above in _above(here))
    return up


@functools.cache
def _above(synset: Synset) -> tuple[Synset, ...]:
    """What a synset is directly a kind or an instance of."""
    return (*synset.hypernyms(), *synset.instance_hypernyms())


@functools.cache
def _depths(synset: Synset) -> tuple[int, int]:
    """Steps from a synset to the root, along the shortest and along the longest path."""
    depths = [_depths(above) for above in _above(synset)]
    return (1 + min(d for d, _ in depths), 1 + max(d for _, d in depths)) if depths else (0, 0)


def _steps(a: Mapping[Synset, int], b: Mapping[Synset, int]) -> int:
    """The fewest steps between two synsets, up from the one and down to the other."""
    return min(steps + b[synset] for synset, steps in a.items() if synset in b)
