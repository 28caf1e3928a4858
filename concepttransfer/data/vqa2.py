"""VQA v2: questions about COCO's pictures of 2014, each with ten people's answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from ..errors import BadInputError, UnknownNameError
from ..manifest import Label, Manifest, Row
from .annotations import Wanted, as_published, by_id, find_annotations, read_lists, to_manifest
from .descriptions import describe
from .entailment import PREMISE

SPLITS = ("val2014", "train2014")


def vqa2(
    folder: Path,
    *,
    split: str = "val2014",
    questions: Path | None = None,
    answers: Path | None = None,
    premises: Path | None = None,
    pictures: Path | None = None,
    missing: str = "keep",
    texts_only: bool = False,
    hashes: bool = True,
    name: str | None = None,
) -> Manifest:
    """Read VQA v2: a row a question, in the file's order; its texts are its ten answers, in theirs.

    A row's id is the question's id as text; rows about one picture share it. Labels: `question`, `question_type`,
    `answer_type`, `image_id`.

    Args:
        folder: holds v2_OpenEnded_mscoco_val2014_questions.json, v2_mscoco_val2014_annotations.json, and the pictures
            in `val2014`, `images` or `val2014.zip`, or wherever below it.
        split: `val2014` or `train2014`.
        questions: the file of questions, where it has another name or place; .json or .json.gz.
        answers: likewise the file of answers, which may hold answers to other questions as well.
        premises: COCO's captions of these pictures, such as annotations/captions_train2014.json: each question gets
            those of its picture as label `premise`, a line each, which a text tower reads in its place (CLOSE).
        pictures: the folder or zip of the pictures, where it is another one.
        missing: what becomes of a row whose picture is not there. `keep`: encoding it will say so; `skip`; `refuse`.
        texts_only: rows without pictures; none is looked for.
        hashes: take each picture's sha256 into its row.
        name: what to call the data; None: `vqa2-` and the split.

    Raises:
        MissingResourceError: a file or the pictures are not there.
        UnknownNameError: there is no such split, or way with missing pictures.
        BadInputError: a file is not as published, has a question twice, or one without an answer.
        EmptyDataError: there are no questions, or none of their pictures is there.
    """
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS, where="VQA v2")
    wanted = Wanted(pictures, missing, texts_only, hashes)
    description = describe("vqa2")
    asked = questions or find_annotations(
        folder, [f"v2_OpenEnded_mscoco_{split}_questions.json"], "questions", description
    )
    answered = answers or find_annotations(folder, [f"v2_mscoco_{split}_annotations.json"], "answers", description)
    rows = _rows(asked, answered, split, _captions(premises) if premises else {})
    if premises and (bare := next((row for row in rows if PREMISE not in row.labels), None)):
        raise BadInputError(f"{premises} has no caption of picture {bare.labels['image_id']}. Name that of {split}.")
    source = {"reader": "vqa2", "split": split, **description.source}
    places = [split, f"images/{split}", f"{split}.zip", "images"]
    return to_manifest(name or f"vqa2-{split}", rows, folder, places, wanted, source)


def _captions(path: Path) -> dict[int, list[str]]:
    """All captions of each picture of one of COCO's files."""
    (annotations,) = read_lists(path, "annotations")
    found: defaultdict[int, list[str]] = defaultdict(list)
    with as_published(path):
        for entry in annotations:
            if text := " ".join(entry["caption"].split()):
                found[int(entry["image_id"])].append(text)
    return dict(found)


def _rows(asked: Path, answered: Path, split: str, captions: Mapping[int, list[str]]) -> list[Row]:
    (questions,) = read_lists(asked, "questions")
    (annotations,) = read_lists(answered, "annotations")
    with as_published(answered):
        known = by_id(annotations, "question_id", answered)
        texts = {key: tuple(str(one["answer"]) for one in entry["answers"]) for key, entry in known.items()}
        kinds = {
            key: {"question_type": str(entry["question_type"]), "answer_type": str(entry["answer_type"])}
            for key, entry in known.items()
        }
    rows = []
    with as_published(asked):
        for key, entry in by_id(questions, "question_id", asked).items():
            if not texts.get(key):
                raise BadInputError(f"{answered} has no answer to question {key} of {asked}. Name files of one split.")
            image_id = int(entry["image_id"])
            labels: dict[str, Label] = {"question": str(entry["question"]), **kinds[key], "image_id": image_id}
            if said := captions.get(image_id):
                labels[PREMISE] = "\n".join(said)
            rows.append(Row(str(key), f"COCO_{split}_{image_id:012d}.jpg", texts[key], labels))
    return rows
