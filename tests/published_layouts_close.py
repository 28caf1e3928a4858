"""Small data sets in the layouts in which CLOSE's data are published: tables in json and json lines, drawn pictures."""

from __future__ import annotations

import json
from pathlib import Path

from published_layouts import THINGS, captions, draw

LABELS = ("entailment", "neutral", "contradiction")


def make_flickr30k(folder: Path, n: int = 12) -> Path:
    """`dataset_flickr30k.json`, its splits in turn, and the pictures in `flickr30k-images`."""
    images = []
    for number in range(n):
        sentences = [{"raw": f"{text} ", "tokens": text.split()} for text in captions(number, 5)]
        name = f"{1000092795 + 13 * number}.jpg"
        draw(folder / "flickr30k-images" / name, number)
        split = ("train", "val", "test")[number % 3]
        images.append({"filename": name, "imgid": number, "split": split, "sentences": sentences})
    return _write(folder / "dataset_flickr30k.json", {"images": images, "dataset": "flickr30k"}, folder)


def make_snli(folder: Path, n: int = 12, split: str = "test", every: int = 5) -> Path:
    """`snli_1.0/snli_1.0_test.jsonl`: each `every`-th pair is one on which the annotators did not agree."""
    lines = [_pair(number, "-" if number % every == every - 1 else LABELS[number % 3]) for number in range(n)]
    return _write_lines(folder / "snli_1.0" / f"snli_1.0_{split}.jsonl", lines, folder)


def make_snli_ve(folder: Path, n: int = 12, split: str = "test") -> Path:
    """`snli_ve_test.jsonl`, three pairs a picture, and the pictures in `flickr30k-images`."""
    lines = [{**_pair(number, LABELS[number % 3]), "Flickr30K_ID": _image(number)} for number in range(n)]
    for number in range(0, n, 3):
        draw(folder / "flickr30k-images" / f"{_image(number)}.jpg", number)
    return _write_lines(folder / f"snli_ve_{split}.jsonl", lines, folder)


def make_vqa_e(folder: Path, n: int = 12, split: str = "val") -> Path:
    """`VQA-E_val_set.json`, two questions a picture, and the pictures in `val2014`."""
    entries = []
    for number in range(n):
        image_id, thing = 42 + 31 * (number // 2), THINGS[number % len(THINGS)]
        draw(folder / f"{split}2014" / f"COCO_{split}2014_{image_id:012d}.jpg", number // 2)
        entries.append(
            {
                "img_id": image_id,
                "question": f"What is beside the {thing}?" if number % 2 else f"Is there a {thing}?",
                "question_type": "what is" if number % 2 else "is there a",
                "answers": ["a wall"] * 8 + ["wall"] * 2 if number % 2 else ["yes"] * 9 + ["no"],
                "multiple_choice_answer": "a wall" if number % 2 else "yes",
                "explanation": [f" {captions(number, 1)[0]} ", 0.8],
            }
        )
    return _write(folder / f"VQA-E_{split}_set.json", entries, folder)


def make_visual_news(folder: Path, n: int = 12, split: str = "test") -> Path:
    """`origin/test_data.json`, the articles and the pictures beside it; the last two articles are missing."""
    entries = []
    for number in range(n):
        source, place = ("bbc", "guardian")[number % 2], f"{number // 4:04d}/{number:03d}"
        origin = folder / "origin"
        entry = {"id": 900 + number, "caption": captions(number, 1)[0], "topic": "animals", "source": source}
        entry |= {"image_path": f"./{source}/images/{place}.jpg", "article_path": f"./{source}/articles/{place}.txt"}
        draw(origin / source / "images" / f"{place}.jpg", number)
        if number < n - 2:
            article = origin / source / "articles" / f"{place}.txt"
            article.parent.mkdir(parents=True, exist_ok=True)
            article.write_text(f"Article {number}  begins.\nIt goes on\nand on.", encoding="utf-8")
        entries.append(entry)
    return _write(folder / "origin" / f"{split}_data.json", entries, folder)


LAYOUTS_OF_CLOSE = {
    "flickr30k": make_flickr30k,
    "snli": make_snli,
    "snli-ve": make_snli_ve,
    "visual-news": make_visual_news,
    "vqa-e": make_vqa_e,
}
"""One function for each data manifest that came with CLOSE."""


def _pair(number: int, gold: str) -> dict[str, object]:
    premise = captions(number // 3, 1)[0]
    thing = THINGS[number % len(THINGS)]
    return {
        "annotator_labels": [LABELS[number % 3]],
        "captionID": f"{_image(number)}.jpg#{number % 5}",
        "gold_label": gold,
        "pairID": f"{_image(number)}.jpg#{number % 5}r{number % 3}{gold[0]}",
        "sentence1": premise,
        "sentence1_parse": "(ROOT)",
        "sentence2": f" There is a {thing}. ",
    }


def _image(number: int) -> str:
    return str(3416050480 + 7 * (number // 3))


def _write(path: Path, value: object, folder: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return folder


def _write_lines(path: Path, values: list[dict[str, object]], folder: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values), encoding="utf-8")
    return folder
