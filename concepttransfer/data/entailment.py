"""What a pair of premise and hypothesis may be, the words that answer it, and a row that holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import BadInputError
from ..manifest import Label, Row

ENTAILMENT, NEUTRAL, CONTRADICTION = LABELS = ("entailment", "neutral", "contradiction")
"""Bowman et al. 2015: the premise says that the hypothesis is true, leaves it open, or says that it is false."""

ANSWERS: Sequence[str] = LABELS
"""The words with which a language model is to answer, unless others are given, in the order of `LABELS`."""

PREMISE = "premise"
"""The label with the text that stands for a row's picture, which a text tower may read in its place."""
GOLD = "gold"
"""The label that says which of `LABELS` a pair is."""


def answer_words(answers: Sequence[str]) -> dict[str, str]:
    """The word for each of `LABELS`.

    Raises:
        BadInputError: they are not three different words.
    """
    words = [_word(answer) for answer in answers] if not isinstance(answers, str) else []
    if len(words) != len(LABELS) or len({word.lower() for word in words if word}) != len(LABELS):
        raise BadInputError(
            f"`answers` is {answers!r}. Give three different words, for {', '.join(LABELS)}, such as [yes, maybe, no]."
        )
    return dict(zip(LABELS, words, strict=True))


def _word(answer: object) -> str:
    """A word of an answer. YAML reads a bare `yes` and `no` as true and false."""
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return str(answer).strip()


def pair(
    row_id: str, picture: str | None, premise: str, hypothesis: str, gold: str, words: Mapping[str, str], **more: Label
) -> Row:
    """A row of entailment: its only text is the word for what it is; `question` holds the hypothesis.

    Args:
        row_id: names the row.
        picture: the premise's picture, or None.
        premise: the text of the premise.
        hypothesis: what is said of it.
        gold: one of `LABELS`.
        words: the word for each of them.
        more: other labels.
    """
    labels = {"question": hypothesis, PREMISE: premise, GOLD: gold, "question_type": "entailment", **more}
    return Row(row_id, picture, (words[gold],), labels)
