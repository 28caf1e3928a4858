"""Which of entailment, neutral and contradiction does a text answer, and what would its answers score by chance?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from concepttransfer.answering.few_shot import question_of
from concepttransfer.data.entailment import CONTRADICTION, ENTAILMENT, GOLD, LABELS, NEUTRAL
from concepttransfer.errors import BadInputError
from concepttransfer.manifest import Row
from concepttransfer.statistics import Floats

NONE = ""
"""The label of a text that answers none of the three."""
KNOWN: Mapping[str, str] = {
    **dict.fromkeys(("entailment", "entails", "entailed", "yes", "true"), ENTAILMENT),
    **dict.fromkeys(("neutral", "maybe", "perhaps", "unknown", "unclear"), NEUTRAL),
    **dict.fromkeys(("contradiction", "contradicts", "contradictory", "no", "false"), CONTRADICTION),
}
"""Words that answer, beside those that the data say."""
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


def label_of(text: str, words: Mapping[str, str] = KNOWN) -> str:
    """What a generated text answers: what the words say that it begins with; empty where they say nothing.

    Capitals and signs do not count, nor what follows: `No, it is red.` is a contradiction, `It is not.` is nothing.

    Args:
        text: as generated.
        words: an answer of one word or several, in lower case, and its label. The longest that fits counts.
    """
    said = _WORD.findall(text.lower())
    longest = max((len(answer.split()) for answer in words), default=0)
    for n in range(min(longest, len(said)), 0, -1):
        if found := words.get(" ".join(said[:n])):
            return found
    return NONE


def words_of(rows: Iterable[Row]) -> dict[str, str]:
    """The words that answer, and their labels: those known, and before them the texts of the rows.

    Raises:
        BadInputError: one text stands for two labels.
    """
    given: dict[str, str] = {}
    for row in rows:
        for text in row.texts:
            word, gold = " ".join(_WORD.findall(text.lower())), gold_of(row)
            if given.setdefault(word, gold) != gold:
                raise BadInputError(
                    f"Row `{row.id}` says `{text}` for {gold}, which stands for {given[word]} elsewhere. Give each of "
                    "entailment, neutral and contradiction a word of its own."
                )
    return {**KNOWN, **given}


def gold_of(row: Row) -> str:
    """What a pair is.

    Raises:
        BadInputError: it does not say.
    """
    gold = row.labels.get(GOLD)
    if gold not in LABELS:
        raise BadInputError(
            f"Row `{row.id}` does not say whether its premise entails its hypothesis: label `{GOLD}` is {gold!r}. Name "
            "data of such pairs (reader `snli_ve`, `microworld_entailment`) under `evaluate: entailment:` or with --on."
        )
    return str(gold)


@dataclass(frozen=True)
class Pairs:
    """What is judged, in the order of the rows.

    Attributes:
        row_ids: the pairs' ids.
        pictures: [n] code of the picture (or text) that is each one's premise.
        hypotheses: what is said of it.
        kinds: what each hypothesis is about, where the data tell; else `unknown`.
        gold: the label of each.
        words: answers and what they mean.
    """

    row_ids: Sequence[str]
    pictures: np.ndarray[tuple[int], np.dtype[np.int64]]
    hypotheses: Sequence[str]
    kinds: Sequence[str]
    gold: Sequence[str]
    words: Mapping[str, str]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Pairs:
        """Read rows of entailment.

        Raises:
            BadInputError: a row has no hypothesis or no gold label, or two labels have one word.
        """
        premises = [str(row.picture or row.labels.get("premise") or row.id) for row in rows]
        return cls(
            row_ids=[row.id for row in rows],
            pictures=np.unique(premises, return_inverse=True)[1].astype(np.int64),
            hypotheses=[question_of(row) for row in rows],
            kinds=[str(row.labels.get("kind") or "unknown") for row in rows],
            gold=[gold_of(row) for row in rows],
            words=words_of(rows),
        )

    def __len__(self) -> int:
        return len(self.row_ids)


@dataclass(frozen=True)
class Marks:
    """One set of labels given to all pairs, scored; each [n].

    Attributes:
        correct: 1 where the label is the gold one.
        chance: the share of all labels given to pairs of the kind that are the pair's gold label.
        surplus: its mean over the pairs of a kind is their accuracy less chance; what a pair or a label alone adds to
            both cancels, so that it can be resampled without permuting anew.
        recall: its mean over the pairs of one gold label is their accuracy less chance.
    """

    correct: Floats
    chance: Floats
    surplus: Floats
    recall: Floats


def marks(given: Sequence[str], pairs: Pairs) -> Marks:
    """Score the labels given to all pairs, in their order, and what they would score if dealt out anew in each kind."""
    n = len(pairs)
    said, gold, kinds = np.array(given, object), np.array(pairs.gold, object), np.array(pairs.kinds, object)
    made = Marks(np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n))
    made.correct[:] = said == gold
    for kind in dict.fromkeys(pairs.kinds):
        rows = np.flatnonzero(kinds == kind)
        of_said, of_gold = Counter(said[rows]), Counter(gold[rows])
        by_pair = np.array([of_said[label] for label in gold[rows]]) / len(rows)
        by_label = np.array([of_gold[label] for label in said[rows]]) / len(rows)
        made.chance[rows] = by_pair
        made.surplus[rows] = made.correct[rows] - by_pair - by_label + by_pair.mean()
        made.recall[rows] = made.correct[rows] - by_pair
    return made
