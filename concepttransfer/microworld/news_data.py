"""The microworld's news: a picture, an article about two animals with names, and a caption that names one of them."""

from __future__ import annotations

import random

from concepttransfer.manifest import Label, Manifest, Row
from concepttransfer.microworld.data import microworld_manifest, scene_of
from concepttransfer.microworld.grammar import PLACES, object_phrase, passage
from concepttransfer.microworld.scene import ANIMALS, Scene

NAMES = (
    "Anna", "Ben", "Carl", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "Jana", "Karl", "Lina", "Max", "Nora", "Otto",
    "Pia", "Rex", "Sara", "Tom", "Una", "Vera", "Will", "Yara", "Zoe",
)  # fmt: skip
"""What animals are called."""


def microworld_news(split: str) -> Manifest:
    """A row a picture of one split: its text is a caption that calls the animal by its name, as news captions do.

    The name stands in the article, beside that of another animal, and which of the two is meant is to be seen in the
    picture alone: article or picture by itself is right in half of the names at best. Labels: `question`, the article;
    `premise`, the caption; `name`, of the animal; `question_type`, always article; `class`.

    Raises:
        UnknownNameError: there is no such split.
    """
    world = microworld_manifest(split)
    rows = tuple(_row(row) for row in world.rows)
    source = {**world.source, "title": f"News of concepttransfer's microworld, split `{split}`"}
    return Manifest(f"{world.name}-news", rows, world.pictures, source)


def _row(row: Row) -> Row:
    scene = scene_of(str(row.picture))
    rng = random.Random(f"news {scene.animal} {scene.seed}")
    name, other_name = (NAMES[place] for place in _two(len(NAMES), rng))
    own = ANIMALS.index(scene.animal)
    other = ANIMALS[(own + 1 + int(rng.random() * (len(ANIMALS) - 1))) % len(ANIMALS)]
    told = [_told(name, scene.animal, rng), _told(other_name, other, rng)]
    article = " ".join(told if rng.random() < 0.5 else reversed(told))
    caption = _caption(name, scene)
    labels: dict[str, Label] = {"question": article, "premise": caption, "name": name, "question_type": "article"}
    return Row(row.id, row.picture, (caption,), {**labels, "class": scene.animal})


def _told(name: str, animal: str, rng: random.Random) -> str:
    """What an article says of one animal: its name, and something that is true of such animals."""
    return f"{name} is {'an' if animal[0] in 'aeiou' else 'a'} {animal}. {passage(animal, rng, 1)}"


def _caption(name: str, scene: Scene) -> str:
    """The picture's caption with the animal's name, such as `Rex next to a red ball in the arctic`."""
    beside = f" next to {object_phrase(scene)}" if scene.object else ""
    return f"{name}, the {scene.animal},{beside} {PLACES[scene.habitat]}"


def _two(n: int, rng: random.Random) -> tuple[int, int]:
    """Two different numbers below n."""
    first = int(rng.random() * n)
    return first, (first + 1 + int(rng.random() * (n - 1))) % n
