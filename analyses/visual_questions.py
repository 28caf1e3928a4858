"""How right are answers to questions about pictures, and how much of that is the picture? After Merullo et al. 2022."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.answering import BLIND, Answers
from concepttransfer.errors import EmptyDataError, MismatchError
from concepttransfer.manifest import Manifest, Row
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.result.pairing import Paired

from ._visual_questions import estimates as est
from ._visual_questions.chance import Marks, Questions, marks
from ._visual_questions.score import Truncate, truncated
from ._visual_questions.words import answer, headline, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

N_EXAMPLES = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class VisualQuestions(Result):
    """A row a question, encoder, seed and number of shots: what was answered, and how right that is.

    `picture` numbers the pictures that are asked about; `text` is all that was generated, `answer` what the truncation
    leaves of it, `truth` what most annotators said; `accuracy` is VQA's, of `answer`, and `whole` that of `text`;
    `chance` what all answers of this encoder to questions of the type would score here. In `estimates`, `measure` names
    the shots; `group` is `all`, a type of answer or of question; `against` is empty for a level, `chance` for its
    surplus, `blind`, or another encoder.
    """

    kind: ClassVar[str] = "visual-questions"
    columns: ClassVar[dict[str, str]] = {
        "row_id": "string",
        "encoder": "string",
        "seed": "int64",
        "shots": "int64",
        "on": "string",
        "picture": "int64",
        "question": "string",
        "question_type": "string",
        "answer_type": "string",
        "truth": "string",
        "text": "string",
        "answer": "string",
        "accuracy": "float64",
        "whole": "float64",
        "chance": "float64",
    }
    figures: ClassVar[tuple[str, ...]] = ("shots", "types", "examples")
    alike: ClassVar[tuple[str, ...]] = ("truncate", "asked")

    @property
    def paired(self) -> tuple[Paired, ...]:
        """Accuracy with each number of shots; pictures are drawn with all their questions."""
        return tuple(Paired(est.measure(n), "accuracy", cluster="picture", where={"shots": n}) for n in self.shots)

    @cached_property
    def systems(self) -> tuple[str, ...]:
        """Encoders, and `blind`, in the order given."""
        return tuple(dict.fromkeys(self.table["encoder"]))

    @property
    def encoders(self) -> tuple[str, ...]:
        """The systems that see pictures."""
        return tuple(system for system in self.systems if system != BLIND)

    @cached_property
    def shots(self) -> tuple[int, ...]:
        """The numbers of shots, from few to many."""
        return tuple(sorted({int(n) for n in self.table["shots"].unique()}))

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """`all`, types of answers, types of questions, each from many questions to few."""
        return tuple(dict.fromkeys(self.estimates["group"]))

    def accuracy(
        self, system: str, shots: int, *, against: str | None = None, group: str = est.ALL, whole: bool = False
    ) -> pd.Series[Any]:
        """One row of `estimates`: the accuracy of a system with so many shots, or what it is `against`."""
        return self.claim(system, est.measure(shots, whole=whole), against=against, group=group)

    def commonest(self, group: str = est.ALL) -> float:
        """The accuracy of always giving the commonest answer to questions of the type."""
        return float(self.claim(est.COMMONEST, "accuracy", group=group)["value"])

    def summary(self) -> str:
        """Accuracy of each encoder with fewest and most shots, with interval, chance and n, and beside the blind."""
        return sentence(self)

    def answer(self) -> str:
        """Which encoder comes first, which last, and how far the random controls come."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row a system with fewest and with most shots: accuracy, interval, chance, and against the blind."""
        return headline(self)

    def wanted_pictures(self) -> list[str]:
        """The questions whose pictures the sheet of examples shows."""
        rows = list(dict.fromkeys(self.table["row_id"]))
        return [rows[i] for i in self.arrays["examples"]]

    def plot_shots(self) -> Figure:
        """Accuracy by solved examples before the question, with 95 % intervals; dashed: the blind; grey: chance."""
        from ._visual_questions.figures import shots

        return shots(self)

    def plot_types(self) -> Figure:
        """Accuracy by type of answer and question, with fewest and most shots; 95 % intervals; stars: the blind."""
        from ._visual_questions.figures import types

        return types(self)

    def plot_examples(self) -> Figure:
        """Questions drawn at random, half of them answered rightly by the first encoder, and what was answered."""
        from ._visual_questions.figures import examples

        return examples(self)


@analysis("visual-questions", title="How right are answers about pictures, and how much of that is the picture?")
def visual_questions(
    answers: Annotated[list[Answers], On("questions")],
    questions: Annotated[Manifest, On("questions")],
    *,
    truncate: Truncate = "first-line",
    n_resamples: int = 2000,
    seed: int = 0,
) -> VisualQuestions:
    """Score answers to questions about pictures with VQA's accuracy, beside the language model that sees no picture.

    An answer's accuracy is the mean over the subsets of nine of ten annotators of min(1, how many of them say it / 3),
    after the normalisation of VQA's evaluation code. Chance gives the answers to other questions of the same type.
    Intervals resample pictures with all their questions, and seeds.

    Args:
        answers: of each encoder and seed, and of the blind language model, to the same questions.
        questions: their annotators' answers and types; questions without answers are left out.
        truncate: what of a text counts: the `first-line`, `none` of it cut, the `first-word`, or `gt-longest`: as many
            words as the longest true answer has, as the paper does; this reads the truth.
        n_resamples: resamples of each interval and sign flips of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: there are no answers, or none to a question that annotators answered.
        MismatchError: the answers are to different questions, or with different numbers of shots.
        BadInputError: a question has fewer than four annotators.
    """
    rows = _rows(answers, questions)
    asked = Questions.of(rows)
    each = [_Set(one, shots, asked, truncate) for shots in answers[0].shots for one in answers]
    scored = [_scored([s for s in each if s.key == key]) for key in dict.fromkeys(s.key for s in each)]
    masks = est.groups(asked.types, asked.answer_types)
    claims = est.claims(scored, asked.pictures, masks, n_resamples=n_resamples, seed=seed)
    shared = {"study": answers[0].study, "on": answers[0].on}
    made = [shared | vars(claim) | vars(claim.estimate) for claim in claims]
    made += [shared | row for row in _commonest(asked, masks)]
    return VisualQuestions(
        table=pd.concat([one.table() for one in each], ignore_index=True),
        estimates=pd.DataFrame(made).reindex(columns=list(ESTIMATES)),
        arrays={"examples": _examples(scored, asked, np.random.default_rng([seed, 1 << 20]))},
        provenance={
            **shared,
            "options": {"truncate": truncate, "n_resamples": n_resamples, "seed": seed},
            "truncate": truncate,
            "questions_left_out": len(questions) - len(rows),
            "asked": {key: answers[0].meta[key] for key in ("prompt", "examples", "between") if key in answers[0].meta},
        },
    )


class _Set:
    """One encoder's answers with one seed and one number of shots, in the order of the questions, scored."""

    def __init__(self, answers: Answers, shots: int, questions: Questions, how: Truncate) -> None:
        said = answers.texts(shots)
        self.answers, self.shots, self.questions = answers, shots, questions
        self.texts = [said[row] for row in questions.row_ids]
        self.cut = [truncated(text, how, truth) for text, truth in zip(self.texts, questions.truths, strict=True)]
        self.marks: Marks = marks(self.texts, questions, how)
        self.whole = np.array([t.accuracy(text) for text, t in zip(self.texts, questions.truths, strict=True)])

    @property
    def key(self) -> tuple[str, int]:
        return self.answers.encoder, self.shots

    def table(self) -> pd.DataFrame:
        q = self.questions
        return pd.DataFrame(
            {
                "row_id": q.row_ids,
                "encoder": self.answers.encoder,
                "seed": self.answers.seed,
                "shots": self.shots,
                "on": self.answers.on,
                "picture": q.pictures,
                "question": q.texts,
                "question_type": q.types,
                "answer_type": q.answer_types,
                "truth": [truth.commonest for truth in q.truths],
                "text": self.texts,
                "answer": self.cut,
                "accuracy": self.marks.accuracy,
                "whole": self.whole,
                "chance": self.marks.chance,
            }
        )


def _scored(sets: Sequence[_Set]) -> est.Scored:
    system, shots = sets[0].key
    mine = sorted(sets, key=lambda one: one.answers.seed)
    arrays = {name: np.stack([getattr(one.marks, name) for one in mine]) for name in ("accuracy", "chance", "surplus")}
    return est.Scored(system, shots, **arrays, whole=np.stack([one.whole for one in mine]))


def _rows(answers: Sequence[Answers], questions: Manifest) -> list[Row]:
    """The questions that all have answered with every number of shots, and that annotators answered."""
    if not answers:
        raise EmptyDataError("There are no answers. Name an encoder: concepttransfer visual-questions --encoder NAME")
    first = answers[0]
    for one in answers[1:]:
        if (one.manifest_id, one.shots) != (first.manifest_id, first.shots):
            raise MismatchError(
                f"The answers of {one.encoder} (seed {one.seed}, shots {list(one.shots)}) and of {first.encoder} (seed "
                f"{first.seed}, shots {list(first.shots)}) are to other questions or with other shots. Ask both alike."
            )
    common = set.intersection(*(set(one.texts(shots)) for one in answers for shots in one.shots))
    rows = [row for row in questions.rows if row.id in common and row.texts]
    if not rows:
        raise EmptyDataError(
            f"None of the {len(common)} questions that were answered is in `{questions.name}` with the answers of its "
            "annotators. Name data that hold them: --on NAME"
        )
    return rows


def _commonest(questions: Questions, masks: Mapping[str, NDArray[np.bool_]]) -> list[dict[str, Any]]:
    """What one would score without a look at picture or question, if one knew the types: the same answer to each."""
    method = "the commonest answer to questions of the type, known from the truth"
    return [
        {
            "system": est.COMMONEST,
            "group": group,
            "measure": "accuracy",
            "value": float(questions.commonest[mask].mean()),
        }
        | {"n": int(mask.sum()), "method": method}
        for group, mask in masks.items()
    ]


def _examples(scored: Sequence[est.Scored], questions: Questions, rng: np.random.Generator) -> NDArray[np.int64]:
    """Questions about different pictures, drawn: half of them answered right by the first encoder with fewest shots."""
    shown = min((one for one in scored if one.system != BLIND), key=lambda one: one.shots, default=scored[0])
    right = shown.accuracy[0] >= 0.5
    drawn: list[int] = []
    for group in (right, ~right):
        order = rng.permutation(np.flatnonzero(group))
        order = order[~np.isin(questions.pictures[order], questions.pictures[drawn])] if drawn else order
        _, first = np.unique(questions.pictures[order], return_index=True)
        drawn += [int(row) for row in order[np.sort(first)][: N_EXAMPLES // 2]]
    return np.array(drawn, dtype=np.int64)
