"""SNLI (Bowman et al. 2015) and SNLI-VE (Xie et al. 2019): what does a premise, a text or a picture, say of another?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import EmptyDataError, UnknownNameError
from ..manifest import Manifest, Row
from .annotations import Wanted, as_published, find_annotations, to_manifest
from .descriptions import describe
from .entailment import ANSWERS, LABELS, answer_words, pair
from .json_lines import read_json_lines

SPLITS = ("train", "dev", "test")
NO_GOLD = "-"
"""What stands for the label of a pair on which the annotators did not agree."""


def snli(
    folder: Path,
    *,
    split: str = "test",
    pairs: Path | None = None,
    answers: Sequence[str] = ANSWERS,
    name: str | None = None,
) -> Manifest:
    """Read SNLI: a row a pair, in the file's order, without picture; its text is the word for its gold label.

    A row's id is the pair's. Labels: `question`, the hypothesis; `premise`; `gold`, of entailment, neutral and
    contradiction; `question_type`, always entailment; `image_id`, the picture of Flickr30k that the premise describes.
    Pairs without a gold label are left out; the manifest's source says how many.

    Args:
        folder: holds snli_1.0_test.jsonl, or below it `snli_1.0` does.
        split: `train`, `dev` or `test`.
        pairs: the file, where it has another name or place; .jsonl or .jsonl.gz.
        answers: the words for entailment, neutral and contradiction, such as [yes, maybe, no].
        name: what to call the data; None: `snli-` and the split.

    Raises:
        MissingResourceError: the file is not there.
        UnknownNameError: there is no such split.
        BadInputError: the file is not as published, or the words are not three different ones.
        EmptyDataError: it has no pair with a gold label.
    """
    _check(split)
    words, description = answer_words(answers), describe("snli")
    file = f"snli_1.0_{split}.jsonl"
    path = pairs or find_annotations(folder, [f"snli_1.0/{file}", file], "pairs", description)
    rows, told = _rows(path, words)
    source = {"reader": "snli", "split": split, **description.source, **told}
    return Manifest(name or f"snli-{split}", tuple(rows), None, source)


def snli_ve(
    folder: Path,
    *,
    split: str = "test",
    pairs: Path | None = None,
    answers: Sequence[str] = ANSWERS,
    pictures: Path | None = None,
    missing: str = "keep",
    texts_only: bool = False,
    hashes: bool = True,
    name: str | None = None,
) -> Manifest:
    """Read SNLI-VE: as `snli`, with the picture of Flickr30k in the place of the premise, which stays as a label.

    Args:
        folder: holds snli_ve_test.jsonl, and the pictures in `flickr30k-images` or `flickr30k_images`, or wherever
            below it.
        split: `train`, `dev` or `test`.
        pairs: the file, where it has another name or place; .jsonl or .jsonl.gz.
        answers: the words for entailment, neutral and contradiction, such as [yes, maybe, no].
        pictures: the folder or zip of the pictures, where it is another one.
        missing: what becomes of a row whose picture is not there. `keep`: encoding it will say so; `skip`; `refuse`.
        texts_only: rows without pictures, to fit on the premises alone; none is looked for.
        hashes: take each picture's sha256 into its row.
        name: what to call the data; None: `snli-ve-` and the split.

    Raises:
        MissingResourceError: the file or the pictures are not there.
        UnknownNameError: there is no such split, or way with missing pictures.
        BadInputError: the file is not as published, or the words are not three different ones.
        EmptyDataError: it has no pair with a gold label, or none of the pictures is there.
    """
    _check(split)
    words, wanted, description = (
        answer_words(answers),
        Wanted(pictures, missing, texts_only, hashes),
        describe("snli-ve"),
    )
    file = f"snli_ve_{split}.jsonl"
    path = pairs or find_annotations(folder, [file, f"data/{file}", f"annotations/{file}"], "pairs", description)
    rows, told = _rows(path, words, picture="Flickr30K_ID")
    source = {"reader": "snli_ve", "split": split, **description.source, **told}
    places = ["flickr30k-images", "flickr30k_images", "flickr30k-images.zip", "images"]
    return to_manifest(name or f"snli-ve-{split}", rows, folder, places, wanted, source)


def _check(split: str) -> None:
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS, where="SNLI")


def _rows(path: Path, words: Mapping[str, str], picture: str | None = None) -> tuple[list[Row], dict[str, str]]:
    """The pairs with a gold label, and what the manifest says of the others."""
    rows, left_out = [], 0
    for number, entry in read_json_lines(path):
        with as_published(path):
            if entry["gold_label"] == NO_GOLD:
                left_out += 1
                continue
            if entry["gold_label"] not in LABELS:
                raise ValueError(
                    f"line {number} has the gold label {entry['gold_label']!r}, none of {', '.join(LABELS)}"
                )
            rows.append(_row(entry, words, picture))
    if not rows:
        raise EmptyDataError(f"{path} has no pair with a gold label. Fetch it again, or name another file.")
    total = len(rows) + left_out
    return rows, {"left_out": f"{left_out} of {total} pairs, which have no gold label"} if left_out else {}


def _row(entry: Mapping[str, Any], words: Mapping[str, str], picture: str | None) -> Row:
    image = str(entry[picture] if picture else str(entry["captionID"]).split("#")[0]).removesuffix(".jpg")
    key = f"{image}.jpg" if picture else None
    premise, hypothesis = (str(entry[sentence]).strip() for sentence in ("sentence1", "sentence2"))
    return pair(str(entry["pairID"]), key, premise, hypothesis, entry["gold_label"], words, image_id=image)
