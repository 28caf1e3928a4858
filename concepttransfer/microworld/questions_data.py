"""The microworld's questions as data: each about a drawn picture, with ten equal answers, since the truth is known."""

from __future__ import annotations

from concepttransfer.data.entailment import PREMISE
from concepttransfer.errors import UnknownNameError
from concepttransfer.manifest import Label, Manifest, Row
from concepttransfer.microworld.data import key_of, microworld_manifest, scene_of

N_ANSWERS = 10
"""Ten, as in VQA v2: with ten equal ones its accuracy is 1 for the answer and 0 for anything else."""

PREMISES = ("none", "captions", "explanations")


def microworld_questions(split: str, *, premises: str = "none") -> Manifest:
    """The questions about the pictures of one split: a row a question, several about each picture.

    Labels: `question`; `question_type`, the kind that the grammar gives it, such as `animal` or `relation`;
    `answer_type`, `yes/no` or `other`; `premise`, where it is asked for.

    Args:
        split: of the microworld.
        premises: what a text tower reads in the picture's place: nothing (`none`); `captions`, the picture's five, as
            for CLOSE's VQA, by turns; `explanations`, a phrase that holds the answer, as for its VQA-E.

    Raises:
        UnknownNameError: there is no such split, or kind of premise.
    """
    if premises not in PREMISES:
        raise UnknownNameError("kind of premise", premises, PREMISES)
    pictures = microworld_manifest(split)
    rows = tuple(question for picture in pictures.rows for question in _questions(picture, premises))
    source = {**pictures.source, "title": f"Questions of concepttransfer's microworld, split `{split}`"}
    return Manifest(f"{pictures.name}-questions", rows, pictures.pictures, source)


def _questions(picture: Row, premises: str) -> list[Row]:
    from concepttransfer.microworld.explanations import explanation
    from concepttransfer.microworld.grammar import questions

    scene = scene_of(str(picture.picture))
    rows = []
    for number, asked in enumerate(questions(scene)):
        answer_type = "yes/no" if asked.answer in ("yes", "no") else "other"
        labels: dict[str, Label] = {
            "question": asked.text,
            "question_type": asked.kind,
            "answer_type": answer_type,
            "class": scene.animal,
        }
        if premises != "none":
            labels[PREMISE] = "\n".join(picture.texts) if premises == "captions" else explanation(scene, asked)
        rows.append(Row(f"{picture.id}-{number}", key_of(scene), (asked.answer,) * N_ANSWERS, labels))
    return rows
