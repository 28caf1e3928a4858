"""Which solved examples stand before a question? Drawn by the question's id: the same for every encoder."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import BadInputError
from ..manifest import Manifest, Row


class Asked(NamedTuple):
    """One question with the solved examples that stand before it.

    Attributes:
        question: its row.
        examples: rows of other pictures, the first drawn first.
    """

    question: Row
    examples: tuple[Row, ...]

    @property
    def id(self) -> str:
        """Names the question and the number of shots: `4-shot/262148000`."""
        return f"{len(self.examples)}-shot/{self.question.id}"


def ask(questions: Manifest, shots: Sequence[int], examples: Manifest | None, seed: int) -> list[Asked]:
    """Every question with each number of shots; fewer shots are the first of more.

    Args:
        questions: a row a question: label `question`, texts its answers.
        shots: how many solved examples; each number is one pass.
        examples: the data set that they are drawn from; None: `shots` must be 0.
        seed: of the draw, together with the question's id.

    Raises:
        BadInputError: a row asks nothing; or there are no examples to draw, or too few pictures of them.
    """
    most = _most(shots, examples)
    asked = []
    for row in questions.rows:
        question_of(row)
        drawn = _drawn(row, examples, most, seed) if examples and most else ()
        asked += [Asked(row, drawn[:n]) for n in dict.fromkeys(shots)]
    return asked


def question_of(row: Row) -> str:
    """What a row asks.

    Raises:
        BadInputError: nothing.
    """
    question = row.labels.get("question")
    if not isinstance(question, str) or not question.strip():
        raise BadInputError(
            f"Row `{row.id}` asks nothing: it has no label `question`. Name data with questions, such as VQA v2 "
            "(`reader: vqa2`), under `evaluate: questions:` or with --on."
        )
    return question


def commonest_answer(row: Row) -> str:
    """What most annotators say to a question; of equals what was said first.

    Raises:
        BadInputError: nobody answers it.
    """
    if not row.texts:
        raise BadInputError(f"Question `{row.id}` has no answer. A question needs the answers of its annotators.")
    return Counter(row.texts).most_common(1)[0][0]


def _most(shots: Sequence[int], examples: Manifest | None) -> int:
    most = max(shots, default=0)
    if not shots or min(shots) < 0:
        raise BadInputError(f"Shots are {list(shots)}. Give one number or more, each 0 or above.")
    if most and examples is None:
        message = (
            f"{most} solved examples are to stand before each question, and there is no data to draw them from. "
            "Name a data set with questions under `answering: examples:`, or say `shots: [0]`."
        )
        raise BadInputError(message)
    return most


def _drawn(row: Row, examples: Manifest, n: int, seed: int) -> tuple[Row, ...]:
    """n rows with an answer, of n pictures that are not the question's own."""
    rng = random.Random(f"examples {seed} {row.id}")
    drawn: list[Row] = []
    pictures = {_picture(row)}
    for _ in range(1000 * n):
        one = examples.rows[int(rng.random() * len(examples))]
        if one.texts and _picture(one) not in pictures:
            question_of(one)
            drawn.append(one)
            pictures.add(_picture(one))
        if len(drawn) == n:
            return tuple(drawn)
    raise BadInputError(
        f"`{examples.name}` has too few answered questions about pictures other than that of `{row.id}`: {n} of "
        f"different pictures are wanted. Name a larger data set under `answering: examples:`, or give fewer shots."
    )


def _picture(row: Row) -> str | None:
    return row.sha256 or row.picture
