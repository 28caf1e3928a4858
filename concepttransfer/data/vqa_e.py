"""VQA-E (Li et al. 2018): questions of VQA v2, each with ten answers and a sentence that explains the answer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import BadInputError, EmptyDataError, UnknownNameError
from ..manifest import Label, Manifest, Row
from .annotations import Wanted, as_published, find_annotations, read_json_file, to_manifest
from .descriptions import describe
from .entailment import PREMISE

SPLITS: Mapping[str, str] = {"val": "val2014", "train": "train2014"}
_ENDINGS = ("", "_without_7_most_frequent_words")


def vqa_e(
    folder: Path,
    *,
    split: str = "val",
    entries: Path | None = None,
    pictures: Path | None = None,
    missing: str = "keep",
    texts_only: bool = False,
    hashes: bool = True,
    name: str | None = None,
) -> Manifest:
    """Read VQA-E: a row a question, in the file's order; its texts are its ten answers, in theirs.

    A row's id is the picture's id and the question's place in the file, which gives no ids. Labels: `question`,
    `question_type`, `answer_type` (of the file where it tells one, else `yes/no`, `number` or `other` by the commonest
    answer), `image_id`, and `premise`, the explanation: what CLOSE's text tower reads in the picture's place.

    Args:
        folder: holds VQA-E_val_set.json, and the pictures in `val2014`, `images` or `val2014.zip`, or wherever below.
        split: `val` or `train`.
        entries: the file, where it has another name or place; .json or .json.gz.
        pictures: the folder or zip of the pictures, where it is another one.
        missing: what becomes of a row whose picture is not there. `keep`: encoding it will say so; `skip`; `refuse`.
        texts_only: rows without pictures, to fit on the explanations alone; none is looked for.
        hashes: take each picture's sha256 into its row.
        name: what to call the data; None: `vqa-e-` and the split.

    Raises:
        MissingResourceError: the file or the pictures are not there.
        UnknownNameError: there is no such split, or way with missing pictures.
        BadInputError: the file is not as published, or a question has no answer.
        EmptyDataError: there are no questions, or none of their pictures is there.
    """
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS, where="VQA-E")
    wanted, description, of = Wanted(pictures, missing, texts_only, hashes), describe("vqa-e"), SPLITS[split]
    files = [f"VQA-E_{split}_set{ending}.json" for ending in _ENDINGS]
    path = entries or find_annotations(folder, files, "entries", description)
    listed = read_json_file(path)
    if not isinstance(listed, list):
        raise BadInputError(f"{path} is not as published: it is no list of questions. Name another file.")
    with as_published(path):
        rows = [_row(number, entry, of) for number, entry in enumerate(listed)]
    if not rows:
        raise EmptyDataError(f"{path} has no questions. Fetch it again, or name another file.")
    if bare := next((row for row in rows if not row.texts), None):
        raise BadInputError(f"{path} has no answer to question {bare.id}. Fetch it again, or name another file.")
    source = {"reader": "vqa_e", "split": split, **description.source}
    return to_manifest(
        name or f"vqa-e-{split}", rows, folder, [of, f"images/{of}", f"{of}.zip", "images"], wanted, source
    )


def _row(number: int, entry: Mapping[str, Any], split: str) -> Row:
    image_id, answers = int(entry["img_id"]), tuple(str(answer) for answer in entry["answers"])
    explained = entry["explanation"]
    explanation = str(explained if isinstance(explained, str) else explained[0]).strip()
    kind = entry.get("answer_type") or _kind(str(entry.get("multiple_choice_answer") or (answers or ("",))[0]))
    labels: dict[str, Label] = {
        "question": str(entry["question"]),
        "question_type": str(entry["question_type"]),
        "answer_type": str(kind),
        "image_id": image_id,
        PREMISE: explanation,
    }
    return Row(f"{image_id}-{number}", f"COCO_{split}_{image_id:012d}.jpg", answers, labels)


def _kind(answer: str) -> str:
    if answer in ("yes", "no"):
        return "yes/no"
    return "number" if answer.isdigit() else "other"
