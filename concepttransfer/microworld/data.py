"""The microworld as data: splits whose pictures are drawn when they are read."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from concepttransfer.errors import BadInputError, UnknownNameError
from concepttransfer.manifest import Label, Manifest, Row
from concepttransfer.microworld.scene import ANIMALS, Scene, sample_scene

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURE_SIZE = 96
"""Width and height of the microworld's pictures in pixels."""

SPLITS: Mapping[str, int] = MappingProxyType({"pretraining": 25_000, "projection": 4_000, "dev": 500, "test": 2_000})
"""The splits and how many pictures each has: as many of every animal."""

KEPT = 4096
"""So many drawn pictures are kept in memory, 27 kB each: drawing one takes as long as encoding it."""

_SEEDS_A_SPLIT = 1_000_000
_SHIFTED = "+"


@dataclass(frozen=True)
class PicturesOfScenes:
    """Draws pictures by key: `zebra:2000017@1` is the zebra of seed 2000017, as version 1 of the world draws it.

    `zebra:2000017@1+night@2` is the same scene as version 2 of the shift `night` shows it.
    """

    size: int = PICTURE_SIZE

    def read(self, key: str) -> Image:
        """Draw the picture of one key.

        Raises:
            BadInputError: the key is malformed, or of another version of the world.
            UnknownNameError: the key names a shift that there is not.
        """
        import numpy as np
        from PIL import Image

        values = np.frombuffer(_drawn(key, self.size), dtype=np.uint8)
        return Image.fromarray(values.reshape(self.size, self.size, 3))


@lru_cache(maxsize=KEPT)
def _drawn(key: str, size: int) -> bytes:
    """The picture's bytes, row by row: several encoders look at the same pictures."""
    from concepttransfer.microworld.render import render

    scene, shift = scene_of(key), shift_of(key)
    if shift is None:
        return render(scene, size)[0].tobytes()
    from concepttransfer.microworld.shifted import render_shifted

    return render_shifted(scene, shift, size)[0].tobytes()


def forget_drawn() -> None:
    """Draw every picture anew from here on."""
    _drawn.cache_clear()


def first_seed(split: str) -> int:
    """The first seed of a split; a split has the million seeds from there, so that no two splits share one.

    Raises:
        UnknownNameError: there is no such split.
    """
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS, where="the microworld")
    return (tuple(SPLITS).index(split) + 1) * _SEEDS_A_SPLIT


def key_of(scene: Scene, shift: str | None = None) -> str:
    """The key of a scene's picture; it names the version of the drawing, so that manifests of two versions differ.

    A shifted picture's key names the shift too, and the version of the shifts.
    """
    from concepttransfer.microworld.render import WORLD_VERSION

    key = f"{scene.animal}:{scene.seed}@{WORLD_VERSION}"
    if shift is None:
        return key
    from concepttransfer.microworld.shifted import SHIFTS_VERSION

    return f"{key}{_SHIFTED}{shift}@{SHIFTS_VERSION}"


def shift_of(key: str) -> str | None:
    """The shift that a key names; None for a plain picture.

    Raises:
        BadInputError: the key is of another version of the shifts.
    """
    _, shifted, named = key.partition(_SHIFTED)
    if not shifted:
        return None
    from concepttransfer.microworld.shifted import SHIFTS_VERSION

    shift, _, version = named.partition("@")
    if version != SHIFTS_VERSION:
        raise BadInputError(
            f"`{key}` is of another version of the microworld's shifts; this is `{SHIFTS_VERSION}`. "
            "Make its manifest again."
        )
    return shift


def scene_of(key: str) -> Scene:
    """The scene whose picture has this key, shifted or not.

    Raises:
        BadInputError: the key is malformed, or of another version of the world.
    """
    from concepttransfer.microworld.render import WORLD_VERSION

    name, _, version = key.partition(_SHIFTED)[0].partition("@")
    animal, _, seed = name.rpartition(":")
    if animal not in ANIMALS or not seed.isdigit():
        raise BadInputError(
            f"`{key}` names no picture of the microworld. A key looks like `zebra:2000017@{WORLD_VERSION}`."
        )
    if version != WORLD_VERSION:
        raise BadInputError(
            f"`{key}` is of another version of the microworld; this is `{WORLD_VERSION}`. Make its manifest again."
        )
    return sample_scene(animal, int(seed))


def scenes(split: str) -> tuple[Scene, ...]:
    """The scenes of a split, in the order of its rows: the animals by turns.

    Raises:
        UnknownNameError: there is no such split.
    """
    start = first_seed(split)
    return tuple(sample_scene(ANIMALS[i % len(ANIMALS)], start + i) for i in range(SPLITS[split]))


def microworld_manifest(split: str, shift: str | None = None) -> Manifest:
    """The manifest of one split: pictures that are drawn when read, five reference captions each, the truth as labels.

    Args:
        split: one of `SPLITS`.
        shift: `night`, `sketch`, `cluttered` or `unseen-habitat`: the same scenes, captions and labels, shown
            otherwise. An unseen habitat has no name in the world: `habitat` and `typical_habitat` are None, and the
            captions leave the place out.

    Raises:
        UnknownNameError: there is no such split, or no such shift.
    """
    from concepttransfer.microworld.render import WORLD_VERSION

    if shift is not None:
        from concepttransfer.microworld.shifted import check_shift

        check_shift(shift)
    rows = tuple(_row(scene, split, shift) for scene in scenes(split))
    source = {
        "title": f"concepttransfer's microworld, split `{split}`" + (f", shift `{shift}`" if shift else ""),
        "licence": "MIT",
        "world_version": WORLD_VERSION,
        "note": "Drawn pictures, not photographs.",
    }
    name = f"microworld-{split}" + (f"-{shift}" if shift else "")
    return Manifest(name=name, rows=rows, pictures=PicturesOfScenes(), source=source)


def _row(scene: Scene, split: str, shift: str | None) -> Row:
    from concepttransfer.microworld.grammar import captions

    labels: dict[str, Label] = {
        "class": scene.animal,
        "synset": _synsets()[scene.animal],
        "habitat": scene.habitat,
        "pose": scene.pose,
        "object": scene.object,
        "object_colour": scene.object_colour,
        "relation": scene.relation,
        "typical_habitat": bool(scene.nuisance["typical_habitat"]),
    }
    name, texts = f"{split}-{scene.animal.replace(' ', '-')}-{scene.seed}", captions(scene)
    if shift == "unseen-habitat":
        from concepttransfer.microworld.shifted.places import placeless_captions

        texts = placeless_captions(scene)
        labels |= {"habitat": None, "typical_habitat": None}
    return Row(id=name, picture=key_of(scene, shift), texts=tuple(texts), labels=labels)


@cache
def _synsets() -> Mapping[str, str]:
    """The WordNet synset of each animal, from AwA2's table of classes."""
    text = (files("concepttransfer.data_manifests") / "awa2" / "classes.csv").read_text(encoding="utf-8")
    return MappingProxyType({row["class"]: row["synset"] for row in csv.DictReader(io.StringIO(text))})
