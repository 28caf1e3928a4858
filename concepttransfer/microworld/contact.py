"""Contact sheets: many scenes on one picture, each with its caption."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from concepttransfer.microworld.render import render
from concepttransfer.microworld.scene import ANIMALS, Scene, sample_scene

_LABEL = 14


def contact_sheet(scenes: str | Sequence[Scene], columns: int = 10, size: int = 96) -> Image.Image:
    """Draw many scenes side by side, the name of the animal above each.

    Args:
        scenes: the scenes, or the name of a split: then the first of each of the 50 animals.
        columns: how many stand in a row.
        size: width of one picture in pixels.

    Raises:
        UnknownNameError: there is no such split.
    """
    chosen = _first_of_each(scenes) if isinstance(scenes, str) else tuple(scenes)
    rows = -(-len(chosen) // columns)
    sheet = Image.new("RGB", (columns * (size + 2), rows * (size + _LABEL)), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for i, scene in enumerate(chosen):
        x, y = i % columns * (size + 2), i // columns * (size + _LABEL)
        draw.text((x + 2, y + 1), scene.animal, fill=(0, 0, 0))
        sheet.paste(Image.fromarray(render(scene, size)[0]), (x, y + _LABEL))
    return sheet


def _first_of_each(split: str) -> tuple[Scene, ...]:
    from concepttransfer.microworld.data import first_seed

    start = first_seed(split)
    return tuple(sample_scene(animal, start + i) for i, animal in enumerate(ANIMALS))
