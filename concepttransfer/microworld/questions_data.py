"""The microworld's questions as data: each about a drawn picture, with ten equal answers, since the truth is known."""

from __future__ import annotations

from concepttransfer.manifest import Label, Manifest, Row
from concepttransfer.microworld.data import key_of, microworld_manifest, scene_of

N_ANSWERS = 10
"""Ten, as in VQA v2: with ten equal ones its accuracy is 1 for the answer and 0 for anything else."""


def microworld_questions(split: str) -> Manifest:
    """The questions about the pictures of one split: a row a question, several about each picture.

    Labels: `question`; `question_type`, the kind that the grammar gives it, such as `animal` or `relation`;
    `answer_type`, `yes/no` or `other`.

    Raises:
        UnknownNameError: there is no such split.
    """
    pictures = microworld_manifest(split)
    rows = tuple(question for picture in pictures.rows for question in _questions(picture))
    source = {**pictures.source, "title": f"Questions of concepttransfer's microworld, split `{split}`"}
    return Manifest(f"{pictures.name}-questions", rows, pictures.pictures, source)


def _questions(picture: Row) -> list[Row]:
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
        rows.append(Row(f"{picture.id}-{number}", key_of(scene), (asked.answer,) * N_ANSWERS, labels))
    return rows
