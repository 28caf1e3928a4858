"""What the same captions would score if they were given to other pictures at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from concepttransfer.statistics import Floats

from .ngrams import Ints
from .pairs import N_COLUMNS, Pairs

N_SHUFFLES = 20
"""How often captions are shuffled over pictures."""


@dataclass(frozen=True)
class Counted:
    """What one encoder's captions have counted, picture by picture; a score is a function of the sums.

    Attributes:
        own: [n_seeds, n_rows, n_columns] each picture's own caption.
        shuffled: [n_seeds, n_rows, n_columns] what each picture adds when captions are given to others at random: the
            mean of other captions with its references, and of its caption with others' references, less the mean of
            all. Its sum is that of shuffled captions; and since the picture is in it twice, as references and as
            caption, resampling pictures moves it as it would move shuffled captions. None where it is not known.
    """

    own: Floats
    shuffled: Floats | None = None


def shuffles(n_rows: int, rng: np.random.Generator) -> Ints:
    """[N_SHUFFLES, n_rows] whose caption each picture is given."""
    return rng.permuted(np.tile(np.arange(n_rows), (N_SHUFFLES, 1)), axis=1)


def added(with_others: Floats, given: Ints) -> Floats:
    """`Counted.shuffled` from the counts of shuffled captions.

    Args:
        with_others: [n_shuffles, n_seeds, n_rows, n_columns] counts of each picture with the caption it was given.
        given: [n_shuffles, n_rows] whose caption that is.
    """
    as_references = with_others.mean(0)
    as_caption = np.zeros_like(as_references)
    for counts, order in zip(with_others, given, strict=True):
        as_caption[:, order] += counts
    return np.asarray(as_references + as_caption / len(given) - as_references.mean(1, keepdims=True))


def count(pairs: Pairs, said: Ints, given: Ints) -> Counted:
    """Score captions with their own and with other pictures' references, a picture at a time.

    Args:
        pairs: knows captions and references.
        said: [n_captioners, n_rows] the sentence that each said of each picture.
        given: [n_shuffles, n_rows] whose caption each picture is given.
    """
    n, rows = said.shape
    own = np.empty((n, rows, N_COLUMNS))
    references, captions = np.zeros(own.shape), np.zeros(own.shape)
    for row in range(rows):
        others = given[:, row]
        both = np.concatenate([said[:, [row]], said[:, others]], axis=1)
        counts = pairs.score(row, both.ravel()).reshape(n, -1, N_COLUMNS)
        own[:, row] = counts[:, 0]
        references[:, row] = counts[:, 1:].mean(1)
        for place, other in enumerate(others):
            captions[:, other] += counts[:, 1 + place] / len(given)
    return Counted(own, references + captions - references.mean(1, keepdims=True))
