"""Small data sets in the layouts in which the paper's data are published: tiny drawn pictures, their tables in json.

Each function writes `n` pictures into a folder and returns it. Nothing in it is random: the same `n`, the same bytes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image, ImageDraw
from tar_of_pictures import write_tar

ROOT = Path(__file__).parents[1]
COLOURS = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (40, 60, 200), "yellow": (230, 210, 50)}
THINGS = ("dog", "cat", "horse", "table", "car", "ball", "boat")
PLACES = ("on the grass", "near a wall", "in the water", "on a street", "under a tree")
ANIMALS = 5


def draw(path: Path, number: int) -> Path:
    """A picture of 40 x 32 pixels whose colour and shape depend on its number."""
    colour = list(COLOURS.values())[number % len(COLOURS)]
    picture = Image.new("RGB", (40, 32), (235, 235, 225 - number % 50))
    left, top = 2 + number % 9, 2 + number % 5
    shape = ImageDraw.Draw(picture).ellipse if number % 2 else ImageDraw.Draw(picture).rectangle
    shape((left, top, left + 22, top + 20), fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=90)
    return path


def captions(number: int, count: int) -> list[str]:
    """Different short descriptions of picture `number`."""
    colour, thing = list(COLOURS)[number % len(COLOURS)], THINGS[number % len(THINGS)]
    forms = ("A {c} {t} {p}.", "a {t} that is {c} {p}", "There is a {c} {t} {p}.", "the {t} {p} is {c}")
    return [forms[i % len(forms)].format(c=colour, t=thing, p=PLACES[(number + i) % len(PLACES)]) for i in range(count)]


def make_coco(folder: Path, n: int = 20, split: str = "val2017") -> Path:
    """`annotations/captions_val2017.json` with five captions a picture, and `val2017/000000000139.jpg`."""
    ids = [139 + 7 * i for i in range(n)]
    images = [_image(i, f"{i:012d}.jpg", coco_url=f"http://images.cocodataset.org/{split}/{i:012d}.jpg") for i in ids]
    for number, image in enumerate(images):
        draw(folder / split / str(image["file_name"]), number)
    return _write(folder / "annotations" / f"captions_{split}.json", _coco_file(images, 5), folder)


def make_karpathy(folder: Path, n: int = 20) -> Path:
    """`dataset_coco.json`, its splits in turn, and the pictures in `train2014` and `val2014`."""
    images = []
    for number in range(n):
        split = ("test", "val", "restval", "train")[number % 4]
        at, cocoid = "train2014" if split == "train" else "val2014", 42 + 31 * number
        sentences = [{"raw": text, "sentid": 5 * number + i} for i, text in enumerate(captions(number, 5))]
        name = f"COCO_{at}_{cocoid:012d}.jpg"
        draw(folder / at / name, number)
        images.append({"filepath": at, "filename": name, "split": split, "cocoid": cocoid, "sentences": sentences})
    return _write(folder / "dataset_coco.json", {"images": images, "dataset": "coco"}, folder)


def make_nocaps(folder: Path, n: int = 20) -> Path:
    """`nocaps_val_4500_captions.json` with ten captions a picture, domains in turn, and the pictures in `images`."""
    domains = ("in-domain", "near-domain", "out-domain")
    images = []
    for number in range(n):
        open_images_id = f"{0x0013EA2087020901 + 977 * number:016x}"
        more = {"open_images_id": open_images_id, "domain": domains[number % 3]}
        url = f"https://s3.amazonaws.com/open-images-dataset/validation/{open_images_id}.jpg"
        images.append(_image(number, f"{open_images_id}.jpg", coco_url=url, **more))
        draw(folder / "images" / f"{open_images_id}.jpg", number)
    return _write(folder / "nocaps_val_4500_captions.json", _coco_file(images, 10), folder)


def make_vqa2(folder: Path, n: int = 20, splits: tuple[str, ...] = ("val2014", "train2014"), each: int = 3) -> Path:
    """Questions and answers of `n` pictures of each split, `each` questions a picture, and the pictures."""
    for split in splits:
        ids = [42 + 31 * i + 5 * (split == "train2014") for i in range(n)]
        asked = [_question(number, image_id, k) for number, image_id in enumerate(ids) for k in range(each)]
        for number, image_id in enumerate(ids):
            draw(folder / split / f"COCO_{split}_{image_id:012d}.jpg", number)
        head = {"data_type": "mscoco", "data_subtype": split}
        questions = [{key: one[key] for key in ("image_id", "question", "question_id")} for one in asked]
        answers = [{key: value for key, value in one.items() if key != "question"} for one in asked]
        _write(folder / f"v2_OpenEnded_mscoco_{split}_questions.json", {**head, "questions": questions}, folder)
        _write(folder / f"v2_mscoco_{split}_annotations.json", {**head, "annotations": answers}, folder)
    return folder


def make_cc3m(folder: Path, n: int = 20) -> Path:
    """img2dataset's `00000.tar`, `00001.tar`: `000000000.jpg` with its caption in `000000000.txt`."""
    write_tar(folder, n, shards=2, records=True)
    return folder


def make_awa2(folder: Path, n: int = 20) -> Path:
    """`JPEGImages/<class>/<class>_10001.jpg` of five classes in turn, of both splits, as in AwA2-data.zip."""
    for number, (name, place) in enumerate(zip(_animals(n), range(n), strict=True)):
        written = name.replace(" ", "+")
        at = folder / "Animals_with_Attributes2" / "JPEGImages" / written
        draw(at / f"{written}_{10001 + place // ANIMALS}.jpg", number)
    return folder


LAYOUTS: dict[str, Callable[[Path, int], Path]] = {
    "awa2": make_awa2,
    "cc3m": make_cc3m,
    "coco": make_coco,
    "nocaps": make_nocaps,
    "vqa2": make_vqa2,
}
"""One function for each data manifest of the package."""


def make_all(root: Path, n: int = 20) -> Path:
    """All of the paper's data below `root`, in the folders that their manifests name."""
    from concepttransfer.data.descriptions import describe

    for name, make in LAYOUTS.items():
        make(root / describe(name).folder, n)
    return root


def _animals(n: int) -> Iterator[str]:
    with (ROOT / "data_manifests" / "awa2" / "classes.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    chosen = [r["class"] for r in rows if r["split"] == "train"][:: 40 // (ANIMALS - 2)][: ANIMALS - 2]
    chosen += [r["class"] for r in rows if r["split"] == "test"][:2]
    for number in range(n):
        yield chosen[number % len(chosen)]


def _image(image_id: int, file_name: str, **more: str) -> dict[str, object]:
    return {"id": image_id, "file_name": file_name, "width": 40, "height": 32, "license": 1, **more}


def _coco_file(images: list[dict[str, object]], count: int) -> dict[str, object]:
    """A file of captions; all first captions stand before all second ones, as captions of a picture are scattered."""
    said = [(image["id"], captions(number, count)) for number, image in enumerate(images)]
    annotations = [
        {"image_id": image_id, "id": k * len(said) + number, "caption": texts[k]}
        for k in range(count)
        for number, (image_id, texts) in enumerate(said)
    ]
    return {"info": {"year": 2017}, "licenses": [{"id": 1}], "images": images, "annotations": annotations}


def _question(number: int, image_id: int, k: int) -> dict[str, object]:
    """The k-th question about a picture, with ten answers, the last three of which differ from the others."""
    colour, thing = list(COLOURS)[number % len(COLOURS)], THINGS[number % len(THINGS)]
    question, kind, answer_type, answer, other = (
        (f"What color is the {thing}?", "what color is the", "other", colour, "gray"),
        (f"Is the {thing} {colour}?", "is the", "yes/no", "yes", "no"),
        (f"How many {thing}s are there?", "how many", "number", "1", "2"),
    )[k % 3]
    given = [answer] * 7 + [other] * 3
    answers = [{"answer": a, "answer_confidence": "yes", "answer_id": i + 1} for i, a in enumerate(given)]
    return {
        "image_id": image_id,
        "question_id": image_id * 1000 + k,
        "question": question,
        "question_type": kind,
        "answer_type": answer_type,
        "multiple_choice_answer": answer,
        "answers": answers,
    }


def _write(path: Path, value: object, folder: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return folder
