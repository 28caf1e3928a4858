"""Captions word by word, as flat arrays: how likely each word is, where it stands, and what it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from concepttransfer.errors import BadInputError, MismatchError
from concepttransfer.scoring.token_scores import PICTURE, TokenScores
from concepttransfer.statistics import Floats

from .words import CaptionReader, Read

if TYPE_CHECKING:
    from .truth import Truth

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
THIRDS = ("early", "middle", "late")


@dataclass(frozen=True)
class Flat:
    """Words, or things named, of all captions of one encoder and seed, one behind the other.

    Attributes:
        row: [n] the picture of each, by its number.
        number: [n] its place in the caption, from 0: of words, or of things named.
        third: [n] 0, 1 or 2: the third of the caption's words in which it (its first word) stands.
        scores: condition -> [n] log-likelihood in nats, all tokens together.
    """

    row: Ints
    number: Ints
    third: Ints
    scores: Mapping[str, Floats]

    def gain(self, over: str) -> Floats:
        """[n] how much likelier with the picture than with something else in its place, in nats."""
        return np.asarray(self.scores[PICTURE] - self.scores[over])


@dataclass(frozen=True)
class Spoken:
    """What one encoder's captions with one seed say.

    Attributes:
        scores: where they come from.
        reads: the caption of each row.
        words: every word.
        is_function: [n_words] whether it only holds the caption together.
        is_of: [n_words] 1: part of the name of a thing that is in the picture, 2: of one that is not, 0: neither.
        things: everything named of which that is known.
        noun: [n_things] which of the nouns it is.
        is_true: [n_things] whether the picture contains it.
    """

    scores: TokenScores
    reads: tuple[Read, ...]
    words: Flat
    is_function: Bools
    is_of: Ints
    things: Flat
    noun: Ints
    is_true: Bools


def nouns_of(reads: Sequence[Sequence[Read]]) -> list[str]:
    """Everything that some captions name, each once, in alphabetical order."""
    return sorted({named.noun for some in reads for read in some for named in read.named})


def read_all(scores: TokenScores, rows: Sequence[str], reader: CaptionReader) -> tuple[Read, ...]:
    """The captions of some rows, read."""
    return tuple(reader.read(scores.texts[row]) for row in rows)


def spoken(
    scores: TokenScores, rows: Sequence[str], reads: Sequence[Read], nouns: Sequence[str], truth: Truth, true: Any
) -> Spoken:
    """One encoder's captions with one seed, in the order of the rows.

    Args:
        scores: of the captions' tokens.
        rows: which, in which order.
        reads: the captions, read.
        nouns: the columns of `true`.
        truth: of which nouns and pictures anything is known.
        true: sparse `[n_rows, n_nouns]`.

    Raises:
        BadInputError: a score that is no number.
        MismatchError: the scores lack a word of a caption.
    """
    words = _words(scores, rows, reads)
    start = np.cumsum([0, *(len(read.words) for read in reads)])
    counts, column = truth.counts(nouns), {noun: n for n, noun in enumerate(nouns)}
    told = [
        (row, order, named)
        for row, read in enumerate(reads)
        if truth.known[row]
        for order, named in enumerate(read.named)
        if counts[column[named.noun]]
    ]
    row = np.array([r for r, _, _ in told], dtype=np.int64)
    noun = np.array([column[named.noun] for _, _, named in told], dtype=np.int64)
    first = start[row] + np.array([named.first for _, _, named in told], dtype=np.int64)
    last = start[row] + np.array([named.last for _, _, named in told], dtype=np.int64)
    is_true = np.asarray(true[row, noun], dtype=bool).ravel() if len(told) else np.zeros(0, dtype=bool)
    sums = {name: np.r_[0.0, np.cumsum(values)] for name, values in words.scores.items()}
    things = Flat(
        row,
        np.array([order for _, order, _ in told], dtype=np.int64),
        words.third[first] if len(told) else row,
        {name: total[last + 1] - total[first] for name, total in sums.items()},
    )
    is_of = np.zeros(len(words.row), dtype=np.int64)
    for begin, end, right in zip(first, last, is_true, strict=True):
        is_of[begin : end + 1] = 1 if right else 2
    is_function = np.array([flag for read in reads for flag in read.is_function], dtype=bool)
    return Spoken(scores, tuple(reads), words, is_function, is_of, things, noun, is_true)


def _words(scores: TokenScores, rows: Sequence[str], reads: Sequence[Read]) -> Flat:
    """Every word: the sum of its tokens."""
    sizes = np.array([len(read.words) for read in reads], dtype=np.int64)
    start = np.r_[0, np.cumsum(sizes)]
    at = {row: n for n, row in enumerate(rows)}
    table = scores.table
    row = table["row_id"].map(at).to_numpy(dtype=np.float64, na_value=np.nan)
    word = table["word"].to_numpy()
    kept = np.isfinite(row) & (word >= 0)
    row, word = row[kept].astype(np.int64), word[kept].astype(np.int64)
    if (word >= sizes[row]).any():
        raise MismatchError(f"The scores of {scores.encoder} (seed {scores.seed}) are of other captions. Score again.")
    place = start[row] + word
    found = {}
    for name in scores.conditions:
        values = table[name].to_numpy()[kept]
        if not np.isfinite(values).all():
            bad = rows[int(row[np.flatnonzero(~np.isfinite(values))[0]])]
            raise BadInputError(
                f"The caption of `{bad}` by {scores.encoder} has a score that is no number (`{name}`). "
                "Score it again: --force; if that does not help, look at the features and the weights."
            )
        found[name] = np.bincount(place, weights=values, minlength=int(start[-1])).astype(np.float64)
    number = np.arange(start[-1]) - np.repeat(start[:-1], sizes)
    third = np.minimum(2, 3 * number // np.repeat(np.maximum(sizes, 1), sizes))
    return Flat(np.repeat(np.arange(len(rows)), sizes), number, third, found)
