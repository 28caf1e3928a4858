"""What is said of each picture beside what is true of it: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concepttransfer.language import wordnet
from concepttransfer.statistics import Floats
from concepttransfer.statistics.resampling import Ratio

from .words import Word

Bools = NDArray[np.bool_]
PRECISION, RECALL, F1 = "precision", "recall", "F1"
ANY_PRECISION, ANY_RECALL, ANY_F1 = "category precision", "category recall", "category F1"
WUP, MISSED = "Wu-Palmer", "Wu-Palmer of missed words"
MEASURES = (PRECISION, RECALL, F1, ANY_PRECISION, ANY_RECALL, ANY_F1, WUP, MISSED)


@dataclass(frozen=True)
class Said:
    """What one system's captions say of the pictures.

    Attributes:
        system: the encoder.
        true: [n_rows, n_words] the picture's references say the word.
        said: [n_seeds, n_rows, n_words] the caption does.
        true_any: [n_rows, n_categories] the references say some word of the category, measured or not.
        said_any: [n_seeds, n_rows, n_categories] the caption does.
        near: [n_seeds, n_rows, n_words] Wu-Palmer similarity of a noun to the nearest noun in the caption; 0 without
            one; NaN for what is no noun of WordNet.
        rows: places of these rows among all rows.
    """

    system: str
    true: Bools
    said: Bools
    true_any: Bools
    said_any: Bools
    near: Floats
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Measured:
    """One measure of one system for one group of words, before resampling.

    Attributes:
        group: as estimates name it.
        measure: its name.
        level: what is measured.
        surplus: the same less chance, as a mean of rows.
        chance: the level with the captions shuffled over the pictures.
    """

    group: str
    measure: str
    level: Ratio
    surplus: Ratio
    chance: float


def presence(found: Sequence[Sequence[Word]], columns: Mapping[Word, int]) -> Bools:
    """[n_rows, n_columns] which of some words each row says."""
    table = np.zeros((len(found), max(columns.values(), default=-1) + 1), dtype=bool)
    pairs = [(row, columns[word]) for row, words in enumerate(found) for word in words if word in columns]
    table[tuple(np.array(pairs, dtype=np.int64).reshape(-1, 2).T)] = True
    return table


class Nearness:
    """Wu-Palmer similarity of true nouns to the nearest noun said."""

    def __init__(self, words: Sequence[Word], senses: Sequence[str | None]) -> None:
        """Take the words that are measured, and for each noun the synset that is meant by it."""
        self.words, self.senses = words, senses
        self._of: dict[Word, Floats] = {}

    def of(self, found: Sequence[Sequence[Word]]) -> Floats:
        """[n_rows, n_words] similarity of each word to the nearest one that each row says."""
        none = np.where([sense is None for sense in self.senses], np.nan, 0.0)
        near = np.tile(none, (len(found), 1))
        for row, words in enumerate(found):
            for word in {word for word in words if word.kind == "nouns"}:
                np.maximum(near[row], self._to(word), out=near[row])
        return near

    def _to(self, said: Word) -> Floats:
        """[n_words] similarity of each word to one that is said: 1 to itself, else to its nearest sense."""
        if said not in self._of:
            said_as = [one.name() for one in wordnet.noun_senses(said.text)]
            self._of[said] = np.array(
                [
                    np.nan if sense is None else 1.0 if word.text == said.text else _nearest(sense, said_as)
                    for word, sense in zip(self.words, self.senses, strict=True)
                ]
            )
        return self._of[said]


def _nearest(sense: str, said_as: Sequence[str]) -> float:
    """Wu-Palmer similarity of a true sense to the nearest one of a word's; 0 where WordNet does not know the word.

    Where synsets have several hypernyms nltk's arithmetic may give more than 1.
    """
    return min(max((wordnet.wup(sense, one) for one in said_as), default=0.0), 1.0)


def measured(one: Said, groups: Mapping[str, NDArray[np.int64]], categories: Sequence[str]) -> list[Measured]:
    """Every measure of one system.

    Args:
        one: what it says.
        groups: the columns of `said` in each group of words.
        categories: the groups that are the columns of `said_any`.
    """
    made: list[Measured] = []
    for group, words in groups.items():
        made += _shares(group, one.true[:, words], one.said[..., words], (PRECISION, RECALL, F1))
        if group.startswith("nouns"):
            made += _nearness(group, one, words)
    for place, group in enumerate(categories):
        names = (ANY_PRECISION, ANY_RECALL, ANY_F1)
        made += _shares(group, one.true_any[:, [place]], one.said_any[..., [place]], names)
    return made


def _shares(group: str, true: Bools, said: Bools, names: Sequence[str]) -> list[Measured]:
    """Precision, recall and F1: said and true of a picture, over said, true, and the mean of both."""
    both = (said & true).sum(-1).astype(np.float64)
    n_said, n_true = said.sum(-1).astype(np.float64), np.broadcast_to(true.sum(-1), both.shape).astype(np.float64)
    above = _above(true.astype(np.float64), said.astype(np.float64)).sum(-1)
    chance = (said.sum(1) * true.mean(0)).sum(-1)
    tops = (both, both, 2 * both)
    bottoms = (n_said, n_true, n_said + n_true)
    surplus = (above, above, 2 * above)
    scale = (1, 1, 2)
    return [_measured(group, name, tops[n], surplus[n], bottoms[n], scale[n] * chance) for n, name in enumerate(names)]


def _nearness(group: str, one: Said, words: NDArray[np.int64]) -> list[Measured]:
    """The mean nearness of true words, and of those that were not said."""
    known = words[np.isfinite(one.near[:, :1, words]).all((0, 1))]
    if len(known) == 0:
        return []
    near, true, said = one.near[..., known], one.true[:, known].astype(np.float64), one.said[..., known]
    all_of = _of_nearness(group, WUP, near, true, np.ones(said.shape))
    return [all_of, _of_nearness(group, MISSED, near, true, (~said).astype(np.float64))]


def _of_nearness(group: str, measure: str, near: Floats, true: Floats, among: Floats) -> Measured:
    """Nearness of true words among the pairs of picture and word that `among` [n_seeds, n_rows, n_words] keeps."""
    counted = (true * among).sum(-1)
    above = _above(true, near, among).sum(-1)
    with np.errstate(invalid="ignore"):
        mean = np.nan_to_num((near * among).sum(1) / among.sum(1))
    chance = ((true * among).sum(1) * mean).sum(-1)
    return _measured(group, measure, (near * true * among).sum(-1), above, counted, chance)


def _above(true: Floats, said: Floats, among: Floats | None = None) -> Floats:
    """[n_seeds, n_rows, n_words]; over rows it sums to what is said of true words less what chance would give.

    Chance gives each picture's caption to any picture. Each part is the product of two deviations from a mean, so that
    what only the word's frequency adds cancels, and pictures can be resampled without shuffling captions anew.
    """
    weights = np.ones(said.shape) if among is None else among
    total = np.maximum(weights.sum(1, keepdims=True), 1)
    mean_true = (weights * true).sum(1, keepdims=True) / total
    mean_said = (weights * said).sum(1, keepdims=True) / total
    return np.asarray(weights * (true - mean_true) * (said - mean_said))


def _measured(group: str, measure: str, top: Floats, above: Floats, bottom: Floats, chance: Floats) -> Measured:
    with np.errstate(invalid="ignore", divide="ignore"):
        level = float((chance / bottom.sum(1)).mean())
    return Measured(group, measure, Ratio(top, bottom, 0, 1), Ratio(above, bottom, -1, 1), level)
