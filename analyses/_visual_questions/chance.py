"""What answers would score if they were given to other questions of the same type. Texts in, arrays out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from concepttransfer.answering.few_shot import question_of
from concepttransfer.manifest import Row
from concepttransfer.statistics import Floats

from .score import Truncate, Truth, form, truncated, truth_of

View = tuple[bool, int]
"""How a question looks at an answer: as it is or normalised, and cut to so many words (0: as the option says)."""


@dataclass(frozen=True)
class Questions:
    """What is asked, in the order of the rows.

    Attributes:
        row_ids: the questions' ids.
        pictures: [n] code of the picture that each is about.
        types, answer_types: of each.
        texts: what is asked.
        truths: what the annotators said.
    """

    row_ids: Sequence[str]
    pictures: NDArray[np.int64]
    types: Sequence[str]
    answer_types: Sequence[str]
    texts: Sequence[str]
    truths: Sequence[Truth]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Questions:
        """Read rows: texts are the annotators' answers; labels question, question_type and answer_type.

        Raises:
            BadInputError: a row asks nothing, or has fewer than four answers.
        """
        pictures = np.unique([str(row.picture or row.id) for row in rows], return_inverse=True)[1]
        return cls(
            row_ids=[row.id for row in rows],
            pictures=pictures.astype(np.int64),
            types=[str(row.labels.get("question_type") or "unknown") for row in rows],
            answer_types=[str(row.labels.get("answer_type") or "unknown") for row in rows],
            texts=[question_of(row) for row in rows],
            truths=[truth_of(row.texts, question=row.id) for row in rows],
        )

    def __len__(self) -> int:
        return len(self.row_ids)

    @cached_property
    def by_type(self) -> list[NDArray[np.int64]]:
        """The rows of each type of question."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for row, kind in enumerate(self.types):
            found[kind].append(row)
        return [np.asarray(rows, dtype=np.int64) for rows in found.values()]

    @cached_property
    def commonest(self) -> Floats:
        """[n] accuracy of the answer that is most often the commonest one among questions of the type."""
        made = np.zeros(len(self))
        for rows in self.by_type:
            answer, _ = Counter(self.truths[row].commonest for row in rows).most_common(1)[0]
            made[rows] = [self.truths[row].accuracy(answer) for row in rows]
        return made


@dataclass(frozen=True)
class Marks:
    """One set of answers to all questions, scored; each [n].

    Attributes:
        accuracy: VQA's.
        chance: the mean accuracy of all answers to questions of the type, given to this one.
        surplus: its mean over the questions of a type is their accuracy less chance; what a question or an answer alone
            adds to both cancels, so that it can be resampled without permuting anew.
    """

    accuracy: Floats
    chance: Floats
    surplus: Floats


def marks(texts: Sequence[str], questions: Questions, how: Truncate) -> Marks:
    """Score the answers to all questions, in their order, and what they would score by chance within each type."""
    n = len(questions)
    made = Marks(np.zeros(n), np.zeros(n), np.zeros(n))
    for rows in questions.by_type:
        truths = [questions.truths[row] for row in rows]
        own, of_question, of_answer = _of_one_type([texts[row] for row in rows], truths, how)
        made.accuracy[rows], made.chance[rows] = own, of_question
        made.surplus[rows] = own - of_question - of_answer + of_question.mean()
    return made


def _of_one_type(texts: Sequence[str], truths: Sequence[Truth], how: Truncate) -> tuple[Floats, Floats, Floats]:
    """Accuracy of each answer to its own question; mean over all answers of each question, and the other way round.

    The mean over all pairs costs no more than one over questions: an answer scores only where somebody gave it.
    """
    views = [_view(truth, how) for truth in truths]
    seen = {view: [form(truncated(text, how, truths[i]), view[0]) for text in texts] for view, i in _first(views)}
    counts = {view: Counter(forms) for view, forms in seen.items()}
    credit: dict[View, defaultdict[str, float]] = {view: defaultdict(float) for view in seen}
    of_question = np.zeros(len(texts))
    for i, (view, truth) in enumerate(zip(views, truths, strict=True)):
        for answer, accuracy in truth.credit.items():
            of_question[i] += accuracy * counts[view][answer]
            credit[view][answer] += accuracy
    of_answer = np.zeros(len(texts))
    for view, forms in seen.items():
        of_answer += [credit[view].get(said, 0.0) for said in forms]
    own = np.array([t.credit.get(seen[v][i], 0.0) for i, (v, t) in enumerate(zip(views, truths, strict=True))])
    return own, of_question / len(texts), of_answer / len(texts)


def _view(truth: Truth, how: Truncate) -> View:
    return truth.as_is, truth.longest if how == "gt-longest" else 0


def _first(views: Sequence[View]) -> list[tuple[View, int]]:
    """Each view once, with a question that has it."""
    return list({view: (view, i) for i, view in enumerate(views)}.values())
